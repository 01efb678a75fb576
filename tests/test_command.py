"""The command line: every sub-command once, what it says and leaves, and bad input told in one line."""

import inspect
import json
import re
import resource
import signal
import subprocess
import sys
import time
import warnings

import cv2
import jax
import numpy as np
import pytest

import dpdefocus as dp
from dpdefocus import __main__ as command, calibration, data, figures, simulation
from dpdefocus.__main__ import main
from dpdefocus.calibration import from_chart, simulated_photographs

HEAVY = "jax", "numpy", "cv2", "matplotlib", "IPython", "nbformat"


def dpdefocus(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    """The demo capture as a camera would write it: the folder of left.png, right.png and calibration/."""
    return simulation.demo_capture(0).write(tmp_path_factory.mktemp("capture"))


@pytest.fixture
def files(shot):
    return shot / "left.png", shot / "right.png", "--calibration", shot / "calibration"


# --- solve ---


def some_result():
    """A stand-in for what `solve` returns; the tests of the wheel and of lesson 4 solve."""
    images, alphas = np.random.default_rng(0).random((2, 3, 24, 32), np.float32)
    return dp.Result(*images, np.float32([1.4, 0.8, 0.2]), alphas, 61.7, {"preset": "classroom", "n": (1, 2)})


@pytest.fixture(scope="module")
def solved(shot, tmp_path_factory):
    """The folder of what `solve` leaves of the demo capture."""
    out = tmp_path_factory.mktemp("solved") / "new"
    options = ["--preset", "classroom", "--calibration", shot / "calibration", "--out", out]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dpdefocus.solver.solve", lambda *_, **__: some_result())
        assert dpdefocus("solve", shot / "left.png", shot / "right.png", *options) == 0
    return out


def test_solve_saves_what_the_library_returns(solved):
    expected, saved = some_result(), dp.load_result(solved)
    for name in ("all_in_focus", "defocus_map", "confidence", "scales", "alphas"):
        np.testing.assert_array_equal(getattr(saved, name), getattr(expected, name))
    assert saved.settings == json.loads(json.dumps(expected.settings))
    assert saved.settings["preset"] == "classroom"
    sharp = cv2.imread(str(solved / "all_in_focus.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_allclose(sharp / 65535, saved.all_in_focus.clip(0, 1), atol=1e-5)
    left = sorted(path.name for path in solved.iterdir())
    assert left == ["all_in_focus.png", "defocus_map.png", "preview.png", "result.npz"] == [*command.RESULTS]


def test_solve_leaves_a_preview_of_three_images_side_by_side(solved):
    picture = cv2.imread(str(solved / "preview.png"))
    height, width = picture.shape[:2]
    assert 3 < width / height < 4  # three images of 4 : 3, and what is written around them
    for part in np.array_split(picture[height // 6 : -height // 4], 3, axis=1):
        assert part.std() > 20


def test_solve_hands_over_levels_preset_and_checkpoint(files, tmp_path, monkeypatch, capsys):
    given = {}
    state = str(tmp_path / "state.npz")

    def load_capture(*paths, **levels):
        given.update(paths=paths, levels=levels)
        return raw_capture, raw_kernels

    def solve(capture, kernels, preset, checkpoint):
        given.update(preset=preset, checkpoint=checkpoint, capture=capture, kernels=kernels)
        return some_result()

    raw_capture, raw_kernels = object(), object()
    monkeypatch.setattr(data, "load_capture", load_capture)
    monkeypatch.setattr("dpdefocus.solver.solve", solve)
    options = ["--black-level", "64", "--white-level", "4095", "--preset", "paper", "--checkpoint", state]
    assert dpdefocus("solve", *files, *options, "--out", tmp_path / "out") == 0
    left, right, _, folder = map(str, files)
    assert given == {
        "paths": (left, right, folder),
        "levels": {"black_level": 64, "white_level": 4095},
        "preset": "paper",
        "checkpoint": state,
        "capture": raw_capture,
        "kernels": raw_kernels,
    }
    assert f"Solved in 62 s. The results are in {tmp_path / 'out'}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"--preset": "quick", "left": "none.png"},
            "preset: found 'quick', expected one of fast, classroom, low_light, paper",
        ),
        ({"--calibration": None}, r"--calibration: not given; .*`dpdefocus chart`.*`dpdefocus calibrate`"),
        ({"--calibration": "nowhere"}, "--calibration: nowhere does not exist; expected a folder"),
        ({"--calibration": __file__}, "--calibration: .*test_command.py is a file; expected a folder"),
        ({"left": "none.png"}, "none.png does not exist: expected the left view"),
        (
            {"--white-level": "0"},
            "black_level 1024, white_level 0: expected whole numbers, 0 <= black < white <= 65535",
        ),
        ({"--checkpoint": "state.npz"}, "--checkpoint: preset fast keeps none; expected --preset paper"),
        (
            {"--checkpoint": __file__ + "/state.npz", "--preset": "paper", "left": "none.png"},
            "--checkpoint: nothing can be written to .*test_command.py",
        ),
        ({"--out": __file__ + "/out"}, "--out: nothing can be written to .*test_command.py/out"),
    ],
)
def test_what_solve_cannot_use_is_one_line_and_leaves_nothing(shot, tmp_path, capsys, changes, message):
    given = {"left": shot / "left.png", "--calibration": shot / "calibration", "--out": tmp_path / "out"}
    given |= changes
    options = [each for name, value in given.items() if name != "left" and value for each in (name, value)]
    assert dpdefocus("solve", given["left"], shot / "right.png", *options) == 2
    told = capsys.readouterr()
    assert re.fullmatch(f"error: .*{message}.*\n", told.err) and told.out == ""
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", command.RESULTS)
def test_folder_in_the_way_of_a_result_is_told_before_any_file_is_opened(tmp_path, capsys, name):
    (tmp_path / name).mkdir()
    options = ["--calibration", tmp_path, "--out", tmp_path]
    assert dpdefocus("solve", "none.png", "none.png", *options) == 2
    told = f"error: --out: {tmp_path / name} is a folder; expected a file to write. Move it away\n"
    assert capsys.readouterr().err == told


def test_refusal_leaves_a_folder_that_was_there(files, tmp_path):
    assert dpdefocus("solve", "none.png", *files[1:], "--out", tmp_path / "new" / "newer") == 2
    assert dpdefocus("solve", "none.png", *files[1:], "--out", tmp_path) == 2
    assert list(tmp_path.iterdir()) == []


def test_work_that_fails_after_it_began_has_status_1_and_leaves_nothing(files, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dpdefocus.solver.solve", lambda *_, **__: some_result())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(figures, "preview_png", full)
    assert dpdefocus("solve", *files, "--out", tmp_path / "out") == 1
    assert capsys.readouterr().err == "error: [Errno 28] No space left on device\n"
    assert not (tmp_path / "out").exists()


# --- the other sub-commands; those of lessons are tested where the lessons are ---


def test_chart_is_written_as_asked(tmp_path, capsys):
    options = ["--width", "100", "--height", "80", "--pitch", "10", "--radius", "3", "--dpi", "50"]
    assert dpdefocus("chart", *options, "--out", tmp_path / "chart") == 0
    assert f"7 x 9 discs, 197 x 157 pixels, in {tmp_path / 'chart'}" in capsys.readouterr().out
    expected = calibration.Chart(7, 9, 10.0, 3.0, (100.0, 80.0), 50.0)
    assert calibration.load_chart(tmp_path / "chart") == expected
    assert dpdefocus("chart", *options, "--radius", "6", "--out", tmp_path / "other") == 2
    assert re.fullmatch("error: .* expected 1 to 4.5 mm.*\n", capsys.readouterr().err)
    assert not (tmp_path / "other").exists()


def test_photographs_are_simulated_and_calibrated(tmp_path, monkeypatch, capsys):
    """The fit of kernels is a stand-in."""
    assert dpdefocus("chart-photos", "--small", "--seed", "1", "--out", tmp_path / "photographs") == 0
    assert "Photographs of 336 x 252 pixels" in capsys.readouterr().out
    assert (tmp_path / "photographs" / "sheet6_right.png").is_file()
    asked = []

    def fit_kernels(sharp, views, grid, size, settings):
        asked.append((grid, size))
        truth = np.load(tmp_path / "photographs" / "truth.npz")["kernels"]
        weights = calibration.Weights(0.1, 1e-2, 1e-2)
        residuals = np.full((*grid, 2), 0.01)
        return calibration.KernelFit(truth, residuals, np.ones((*grid, 2)), weights, {}, 1, 0.0)

    monkeypatch.setattr(from_chart, "fit_kernels", fit_kernels)
    folder = tmp_path / "photographs"
    options = ["--chart", folder, "--grid", "3x4", "--size", "31", "--out", tmp_path / "calibration"]
    assert dpdefocus("calibrate", folder, *options) == 0
    assert asked == [((3, 4), 31)]
    told = capsys.readouterr().out
    assert "3 x 4 cells, kernels of 31 pixels" in told and f"Written to {tmp_path / 'calibration'}" in told
    assert data.load_calibration(tmp_path / "calibration").kernels.shape == (3, 4, 2, 31, 31)


def test_mistake_of_the_photographs_is_told_before_they_are_made(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(simulated_photographs, "_simulated", lambda *_: pytest.fail("they were made"))
    assert dpdefocus("chart-photos", "--bad", "blurred", "--out", tmp_path) == 2
    assert "bad: found 'blurred', expected one of blank, other chart" in capsys.readouterr().err


def test_two_views_are_made_of_a_sum(tmp_path, capsys):
    left, right = np.random.default_rng(0).integers(2048, 7000, (2, 20, 30)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "sum.tiff"), left + right - 2048)
    cv2.imwrite(str(tmp_path / "side.tiff"), left)
    arguments = [tmp_path / "sum.tiff", tmp_path / "side.tiff", "--side", "left", "--black-level", "2048"]
    arguments += ["--white-level", "15000", "--out", tmp_path / "l.png", tmp_path / "r.png"]
    assert dpdefocus("views", *arguments) == 0
    assert "Two views of 30 x 20 pixels" in capsys.readouterr().out
    for name, view in (("l.png", left), ("r.png", right)):
        np.testing.assert_array_equal(data.read_raw(tmp_path / name, "a view"), view)
    arguments[-1] = tmp_path / "side.tiff"
    assert dpdefocus("views", *arguments) == 2
    assert re.fullmatch("error: out: .* would replace .*\n", capsys.readouterr().err)


# --- help, versions, and how it ends ---


def arguments_of(name):
    """Names and options of each argument of a sub-command."""
    arguments = []
    command.COMMANDS[name].add_arguments(lambda *names, **options: arguments.append((names, options)))
    return arguments


def test_help_has_a_line_for_each_sub_command_and_is_what_no_arguments_show(capsys):
    for arguments in ([], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr().out
        assert ended.value.code == 0 and max(map(len, told.splitlines())) <= 80
        for name, each in command.COMMANDS.items():
            assert re.search(rf"^  {name} +{re.escape(each.help)}$", told, re.MULTILINE)


@pytest.mark.parametrize("name", command.COMMANDS)
def test_help_of_a_sub_command_explains_every_argument(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0 and told.startswith(f"usage: dpdefocus {name} ")
    for names, options in arguments_of(name):
        assert names[0] in told or options["metavar"] in told
        assert options["help"].split()[0] in told


def test_help_is_quick_and_loads_nothing_heavy():
    code = (
        "import sys\n"
        "from dpdefocus.__main__ import COMMANDS, main\n"
        "for arguments in [['--help'], ['--version'], *([name, '--help'] for name in COMMANDS)]:\n"
        "    try: main(arguments)\n"
        "    except SystemExit as ended: assert ended.code == 0\n"
        f"assert not {{*{HEAVY}}} & set(sys.modules), sys.modules\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Of the processor: on a machine that others use, too, the wall clock tells more about them.
    assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 1.5


# What each sub-command hands its options to: their signatures hold the defaults.
CALLED = {
    "solve": (command._solve, data.load_capture),
    "chart": (command._chart, calibration.filling),
    "calibrate": (command._calibrate, calibration.calibrate_folder),
    "chart-photos": (command._photos, calibration.simulate_photographs),
    "views": (data.split_files,),
}


@pytest.mark.parametrize("name", CALLED)
def test_defaults_named_in_the_help_are_those_that_are_used(name):
    defaults = {}
    for function in CALLED[name]:
        parameters = inspect.signature(function).parameters.values()
        defaults |= {each.name: each.default for each in parameters if each.default is not each.empty}
    checked = 0
    for (option, *_), told in arguments_of(name):
        found = re.search(r"\(default: ([^),]+)", told["help"])
        if found and option != "--crop":
            value = defaults[option[2:].replace("-", "_")]
            if isinstance(value, tuple):
                value = ("x" if isinstance(value[0], int) else " ").join(map(str, value))
            assert found[1] == (f"{value:g}" if isinstance(value, float) else str(value)), option
            checked += 1
    assert checked >= 2


def test_presets_named_in_the_help_are_all_there_are():
    (told,) = (options["help"] for (name, *_), options in arguments_of("solve") if name == "--preset")
    default = inspect.signature(dp.solve).parameters["preset"].default
    assert inspect.signature(command._solve).parameters["preset"].default == default
    assert re.split(", | or ", told) == [
        f"{name} (default)" if name == default else name for name in dp.PRESETS
    ]


def test_mistakes_named_in_the_help_are_all_there_are():
    assert re.split(", | or ", command.MISTAKES) == list(simulated_photographs.BAD)
    (told,) = (options["help"] for (name, *_), options in arguments_of("chart-photos") if name == "--bad")
    assert command.MISTAKES in told


def test_version_names_what_results_depend_on(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    told = f"dpdefocus {dp.__version__} (jax {jax.__version__}, numpy {np.__version__})\n"
    assert (ended.value.code, capsys.readouterr().out) == (0, told)


@pytest.mark.parametrize(
    ("arguments", "explained"),
    [
        (["slove"], "dpdefocus"),
        (["solve"], "dpdefocus solve"),
        (["chart", "--width", "wide"], "dpdefocus chart"),
        (["calibrate", "a", "--chart", "b", "--grid", "6by8"], "dpdefocus calibrate"),
    ],
)
def test_wrong_arguments_are_one_line_and_status_2(arguments, explained, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert re.fullmatch(f"error: .+; see {explained} --help\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["chart"], "nothing was saved"),
        (["solve", "l.png", "r.png", "--out", "out"], "nothing was saved"),
        (["solve", "l.png", "r.png", "--out", "out", "--checkpoint", "none.npz"], "nothing was saved"),
        (
            ["solve", "l.png", "r.png", "--out", "out", "--checkpoint", __file__],
            f"the state in {re.escape(__file__)} is kept; the same command goes on",
        ),
        (["batch", "lesson.ipynb", "captures.csv", "--out-dir", "out"], ".* are kept"),
    ],
)
def test_interruption_is_one_line_and_status_130(monkeypatch, capsys, arguments, left):
    def interrupted(**_):
        raise KeyboardInterrupt

    name = arguments[0]
    monkeypatch.setitem(command.COMMANDS, name, command.COMMANDS[name]._replace(run=interrupted))
    monkeypatch.setattr(sys, "argv", ["dpdefocus", *arguments])
    monkeypatch.setattr(command.os, "_exit", sys.exit)
    with pytest.raises(SystemExit, match="^130$"):  # of the process, without a shutdown
        command.run()
    assert re.fullmatch(f"interrupted: {left}.*\n", capsys.readouterr().err)


def test_interrupted_solve_ends_without_a_crash(files, tmp_path):
    # As the console script does; the handler is set, for what a shell has in the background ignores Ctrl-C.
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from dpdefocus.__main__ import run; sys.exit(run())"
    arguments = ["solve", *map(str, files), "--preset", "classroom", "--out", str(tmp_path / "out")]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, *arguments], **piped) as process:
        while not (tmp_path / "out").exists() and process.poll() is None:
            time.sleep(0.05)
        time.sleep(3)  # files are read, and the first programs are compiled
        process.send_signal(signal.SIGINT)
        out, told = process.communicate(timeout=120)
    assert (process.returncode, out, told) == (130, "", "interrupted: nothing was saved\n")
    assert not (tmp_path / "out").exists()


def test_warnings_are_one_line(monkeypatch, capsys):
    def warned(**_):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the light is low", stacklevel=1)

    monkeypatch.setitem(command.COMMANDS, "chart", command.COMMANDS["chart"]._replace(run=warned))
    assert main(["chart"]) == 0
    assert capsys.readouterr().err == "warning: the light is low\n"


def test_module_runs_as_the_command_does(tmp_path):
    arguments = ["solve", "none.png", "none.png", "--calibration", tmp_path, "--out", tmp_path / "out"]
    run = [sys.executable, "-m", "dpdefocus", *map(str, arguments)]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: none.png does not exist: expected the left view\n"
