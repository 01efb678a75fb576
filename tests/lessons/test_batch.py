"""Batches from their command line, on a lesson's stand-in: a notebook that writes, waits or fails as told."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from capture_tables import KNOWN, captures  # noqa: F401 a fixture

from dpdefocus import captures as captures_room
from dpdefocus.__main__ import main
from dpdefocus.data.capture import GroundTruth
from dpdefocus.data.result import Result, save_result
from dpdefocus.lessons import batch as batch_room, run as run_room
from dpdefocus.lessons.batch import RECORD, SHEET, SUMMARY, complete, run_job
from dpdefocus.lessons.contact_sheet import THUMBNAIL, coloured, contact_sheet_page, photograph, pictures
from dpdefocus.lessons.jobs import Job, read_jobs

ROOT = Path(__file__).parents[2]

PARAMETERS = """
scene: str = "synthetic"
left: str = ""
right: str = ""
seed: int = 0
out_dir: str = ""
"""

# Leaves who runs it; a scene called "bad" fails after that.
WORK = """
import os, pathlib
folder = pathlib.Path(out_dir)
with (folder.parent / "starts").open("a") as starts: starts.write(f"{folder.name} {os.getppid()}\\n")
(folder / "written").write_text(f"{scene} {seed}")
programs = pathlib.Path(os.environ["JAX_COMPILATION_CACHE_DIR"])
with (folder.parent / "programs").open("a") as file: file.write(f"{programs} {programs.is_dir()}\\n")
assert scene != "bad", "this scene fails"
"""


# In a worker: only the third capture's notebook is run, the first two are as long or as bad without one.
STAND_IN = """
import os, time
from dpdefocus.lessons import run as room
if "plain" not in globals(): plain = room.run_lesson  # Dask loads this more than once
def run_lesson(notebook, out_dir, given, bar):
    scene = dict(given)["scene"]
    if scene not in ("slow", "bad"):
        return plain(notebook, out_dir, given, bar)
    with (out_dir.parent / "starts").open("a") as starts: starts.write(f"{out_dir.name} {os.getpid()}\\n")
    if scene == "bad":
        raise room.NotebookError("this scene fails")
    while not (out_dir.parent / "go").exists(): time.sleep(0.05)
room.run_lesson = run_lesson
"""


@pytest.fixture
def notebook(tmp_path):
    cells = [
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(WORK),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "lesson.ipynb")
    return tmp_path / "lesson.ipynb"


@pytest.fixture
def started(monkeypatch):
    """In place of a notebook's run a function that leaves two files; the names of those that were started."""
    names = []

    def run(notebook, out_dir, given, bar):
        names.append(out_dir.name)
        (out_dir / "written").write_text(str(given))
        if ("scene", "bad") in given:
            raise ArithmeticError("this scene fails")
        (out_dir / "lesson.html").write_text("report")

    monkeypatch.setattr(run_room, "run_lesson", run)
    return names


def environment():
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    # Build servers set CI, which silences the progress bars that a user sees.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JAX_COMPILATION")}
    return inherited | {"PYTHONPATH": path, "CI": "", "DPDEFOCUS_BATCH": ""}


def batch(*arguments):
    return main(["batch", *map(str, arguments)])


def start(*arguments):
    command = [sys.executable, "-m", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment())


def summary(out):
    with (out / SUMMARY).open(newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


# --- running and resuming ---


def test_command_runs_notebooks_reports_a_failure_and_finishes_the_others(notebook, captures, tmp_path):
    out = tmp_path / "out"
    table = captures("name,scene,seed", "b,bad,", "a,001,1")
    running = start("dpdefocus", "batch", notebook, table, "--out-dir", out)
    printed, errors = running.communicate(timeout=120)
    assert running.returncode == 1, errors
    assert "1 of 2 captures are solved" in printed and "failed: b" in errors
    assert "captures: 100%" in errors and "Traceback" not in errors
    rows = summary(out)
    assert (rows["a"]["status"], rows["b"]["status"]) == ("done", "failed")
    assert "AssertionError: this scene fails" in rows["b"]["error"] and float(rows["a"]["seconds"]) > 0
    assert (rows["a"]["scene"], rows["a"]["seed"], rows["b"]["seed"]) == ("001", "1", "")
    assert (out / "a" / "written").read_text() == "001 1" and (out / "b" / "written").read_text() == "bad 0"
    (programs,) = set((out / "programs").read_text().splitlines())
    folder, there = programs.rsplit(" ", 1)
    assert (
        there == "True" and not Path(folder).exists()
    )  # both runs' programs in one folder, which is gone now
    page = (out / SHEET).read_text()
    assert "b: failed" in page and "this scene fails" in page and 'href="a/lesson.html"' in page
    assert sorted(path.name for path in (out / "a").iterdir()) == sorted(
        [RECORD, "lesson.html", "lesson.ipynb", "written"]
    )
    assert (out / "b" / "lesson.failed.ipynb").is_file() and not (out / "b" / RECORD).exists()


def test_only_what_is_incomplete_runs_again(notebook, captures, tmp_path, started):
    out = tmp_path / "out"

    def run(*lines):
        started.clear()
        status = batch(notebook, captures("name,scene,seed", *lines), "--out-dir", out)
        return status, list(started)

    assert run("a,001,1", "b,bad,", "c,003,3") == (1, ["a", "b", "c"])
    assert "ArithmeticError('this scene fails')" in summary(out)["b"]["error"]
    assert run("a,001,1", "b,bad,", "c,003,3") == (1, ["b"])
    assert run("a,001,1", "b,002,", "c,003,3") == (0, ["b"])
    assert [row["status"] for row in summary(out).values()] == ["kept", "done", "kept"]
    # A parameter that changed, a file that has gone, one that was cut short, a record that was, leftovers.
    assert run("a,001,4", "b,002,", "c,003,3") == (0, ["a"])
    (out / "a" / "written").unlink()
    (out / "c" / "lesson.html").write_text("rep")
    assert run("a,001,4", "b,002,", "c,003,3") == (0, ["a", "c"])
    (out / "b" / RECORD).write_text("{")
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    )
    left = out / "b" / f".partial-{gone.stdout.strip()}-x"  # by a process that was killed
    left.mkdir()
    writing = out / "b" / f".partial-{os.getpid()}-x"  # by one that lives: another terminal's
    writing.mkdir()
    assert run("a,001,4", "b,002,", "c,003,3") == (0, ["b"])
    assert not left.exists() and writing.exists()
    # A run that fails half-way may have replaced files: what was complete before is so no longer.
    assert run("a,bad,4", "b,002,", "c,003,3") == (1, ["a"])
    assert run("a,001,4", "b,002,", "c,003,3") == (0, ["a"])
    changed = nbformat.read(notebook, as_version=4)
    changed.cells[1].source += "\nprint(seed)"
    nbformat.write(changed, notebook)
    assert run("a,001,4", "b,002,", "c,003,3") == (0, ["a", "b", "c"])


def test_capture_is_solved_again_when_its_files_changed(notebook, tmp_path, started):
    for name in ("left.png", "right.png"):
        (tmp_path / name).write_text("views")
    (job,) = read_jobs([str(tmp_path / "left.png")], [], KNOWN)
    assert run_job(job, notebook, tmp_path / "out")["status"] == "done"
    assert run_job(job, notebook, tmp_path / "out")["status"] == "kept"
    (tmp_path / "right.png").write_text("exported again")
    assert complete(job, notebook, tmp_path / "out") is None
    (tmp_path / "right.png").unlink()
    assert complete(job, notebook, tmp_path / "out") is None


def test_scene_of_a_set_is_solved_again_when_its_own_files_changed(notebook, tmp_path, started):
    """Its views, its truth, the calibration; not when those of other scenes did."""
    files = ["001_left.png", "gt_defocus_map/001_gt.png", "calibration/blur_kernels_left.npy"]
    others = ["0012_left.png", "003_left.png", "gt_defocus_map/003_gt.png", "notes.txt"]
    for name in files + others:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_text("before")
    job = Job("001", (("data_dir", str(tmp_path / "set")), ("scene", "001")))
    out = tmp_path / "out"
    assert run_job(job, notebook, out)["status"] == "done"
    for name in others:
        (tmp_path / "set" / name).write_text("exported again")
    assert complete(job, notebook, out) is not None
    for name in files:
        (tmp_path / "set" / name).write_text("exported again")
        assert complete(job, notebook, out) is None, name
        assert run_job(job, notebook, out)["status"] == "done"
        assert complete(job, notebook, out) is not None
    (tmp_path / "set" / "gt_all_in_focus_im").mkdir()
    (tmp_path / "set" / "gt_all_in_focus_im" / "001_gt.png").write_text("the truth became known")
    assert complete(job, notebook, out) is None


def test_contact_sheet_is_not_written_for_every_one_of_many(notebook, captures, tmp_path, monkeypatch):
    """Its length grows with the captures: written for each of them it would take their square."""
    counts = []
    monkeypatch.setattr(
        batch_room, "contact_sheet_page", lambda records, total, name: counts.append(len(records)) or ""
    )
    record = {"status": "done", "error": "", "scores": {}}
    monkeypatch.setattr(batch_room, "run_job", lambda job, notebook, out: record | {"name": job.name})
    table = captures("seed", *map(str, range(200)))
    assert batch(notebook, table, "--out-dir", tmp_path / "out") == 0
    assert counts[:20] == list(range(1, 21)) and counts[-1] == 200
    assert len(counts) < 80 and len(summary(tmp_path / "out")) == 200


def test_interrupted_batch_keeps_what_is_finished(notebook, captures, tmp_path, monkeypatch, started, capsys):
    plain = run_room.run_lesson

    def interrupted(notebook, out_dir, given, bar):
        if out_dir.name == "2":
            raise KeyboardInterrupt
        plain(notebook, out_dir, given, bar)

    monkeypatch.setattr(run_room, "run_lesson", interrupted)
    arguments = notebook, captures("seed", "1", "2", "3"), "--out-dir", tmp_path / "out"
    assert batch(*arguments) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert list(summary(tmp_path / "out")) == ["1"]
    monkeypatch.setattr(run_room, "run_lesson", plain)
    assert batch(*arguments) == 0
    assert started == ["1", "2", "3"]


def test_capture_on_a_dead_worker_goes_to_another(notebook, captures, tmp_path, monkeypatch):
    """Two workers of a Dask cluster; the one that runs the slow capture is killed in the middle."""
    pytest.importorskip("distributed")
    out, file = tmp_path / "out", tmp_path / "scheduler.json"
    cluster = "distributed.cli.dask_"
    common = ("--no-dashboard", "--scheduler-file", file)
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # killed workers leave what they keep there
    processes = [start(f"{cluster}scheduler", *common, "--host", "127.0.0.1", "--port", "0")]
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    options = "--nthreads", "1", "--no-nanny", "--preload", tmp_path / "stand_in.py"
    workers = [start(f"{cluster}worker", *common, *options) for _ in range(2)]
    processes += workers

    def starts():
        lines = (out / "starts").read_text().splitlines() if (out / "starts").exists() else []
        return [int(worker) for name, worker in map(str.split, lines) if name == "slow"]

    try:
        wait_for(lambda: file.exists() and file.read_text())
        address = json.loads(file.read_text())["address"]
        table = captures("scene", "slow", "bad", "3")
        running = start("dpdefocus", "batch", notebook, table, "--out-dir", out, "--scheduler", address)
        processes.append(running)
        wait_for(starts)
        (victim,) = [worker for worker in workers if worker.pid == starts()[0]]
        victim.kill()
        wait_for(lambda: len(starts()) == 2)
        (out / "go").touch()
        printed, errors = running.communicate(timeout=60)
    finally:
        for process in processes[::-1]:
            process.kill()
            process.communicate()
    assert running.returncode == 1, errors
    assert starts()[0] != starts()[1]
    rows = summary(out)
    assert "2 of 3 captures are solved" in printed, {name: row["error"] for name, row in rows.items()}
    assert {name: row["status"] for name, row in rows.items()} == {
        "slow": "done",
        "bad": "failed",
        "3": "done",
    }
    assert list(rows) == ["slow", "bad", "3"] and "this scene fails" in rows["bad"]["error"]


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_no_scheduler_is_one_clear_error(notebook, captures, tmp_path, capsys):
    pytest.importorskip("distributed")
    import dask

    # Port 9 is that of the discard protocol: nothing listens there.
    where = "--out-dir", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9"
    with dask.config.set({"distributed.comm.timeouts.connect": "0.5s"}):
        assert batch(notebook, captures("seed", "1"), *where) == 2
    assert "error: --scheduler: no Dask scheduler answers at tcp://127.0.0.1:9" in capsys.readouterr().err


def test_result_is_scored_where_its_truth_is_known(tmp_path, monkeypatch, started):
    """The truth itself as the result, but for a thousandth of the light: no error is infinite."""
    rng = np.random.default_rng(0)
    sharp = np.kron(rng.random((8, 10), np.float32), np.ones((8, 8), np.float32))
    size = np.linspace(0.5, 1.5, sharp.size, dtype=np.float32).reshape(sharp.shape)
    truth = GroundTruth(sharp, size, np.ones(sharp.shape, bool))
    opened = []

    def open_capture(**given):
        opened.append(given)
        return captures_room.Opened(None, None, truth)

    monkeypatch.setattr(captures_room, "open_capture", open_capture)
    names = {"data_dir": "", "scene": "synthetic", "left": "", "right": "", "calibration_dir": "", "seed": 0}
    monkeypatch.setattr(run_room, "known_parameters", lambda notebook: names)
    notebook = tmp_path / "lesson.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), notebook)
    folder = tmp_path / "out" / "7"
    scales, alphas = np.array([1.5, 0.5], np.float32), np.ones((2, *sharp.shape), np.float32)
    save_result(Result(sharp * np.float32(0.999), size, sharp, scales, alphas, 1.0, {}), folder)
    record = run_job(Job("7", (("seed", "7"),)), notebook, tmp_path / "out")
    assert record["status"] == "done", record["error"]
    assert opened == [names | {"seed": 7}]
    assert record["scores"]["ssim"] > 0.999 and record["scores"]["aiwe1"] < 1e-4
    assert len(record["pictures"]) == 2


def test_what_is_no_capture_is_an_error(notebook, captures, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "left.png").touch()
    for given, message in [
        ("none/*.png", "nothing is found at none/*.png"),
        (tmp_path / "empty", "found 0 images with 'left' in their name"),
        (tmp_path / "left.png", "expected a file right.png beside it"),
        (notebook, "a PNG or TIFF file with 'left' in its name"),
        (captures("sceen", "1"), "Did you mean scene?"),
    ]:
        assert batch(notebook, given, "--out-dir", tmp_path / "out") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# --- the contact sheet ---


def test_contact_sheet_is_whole_described_and_escapes_what_it_shows(tmp_path):
    rng = np.random.default_rng(0)
    sharp, size = (rng.random((30, 40), np.float32) for _ in range(2))
    alphas = np.ones((2, 30, 40), np.float32)
    scales = np.array([1.5, 0.5], np.float32)
    save_result(Result(sharp, size, sharp, scales, alphas, 1.0, {}), tmp_path)
    good = {"name": "a", "status": "done", "error": "", "scores": {"psnr": 31.26}, "seconds": 2.0}
    good["pictures"] = pictures(tmp_path)
    bad = {"name": "<b>", "status": "failed", "error": "x < y", "scores": {}}
    page = contact_sheet_page([good, bad], 3, "lesson")
    described = re.findall(r'<img alt="([^"]+)" src="data:image/webp;base64,[^"]{100,}"', page)
    assert described == ["a, all in focus", "a, defocus map, 0.5 (dark) to 1.5 (bright)"]
    assert "PSNR (dB) 31.3" in page and "1 of 3 captures are solved; 1 failed" in page
    assert "&lt;b&gt;: failed" in page and "x &lt; y" in page
    assert "http" not in page and "<script" not in page


def test_thumbnails_are_small_and_keep_order(tmp_path):
    ramp = np.tile(np.linspace(0, 2, 4 * THUMBNAIL, dtype=np.float32), (80, 1))
    assert photograph(ramp).shape == (20, THUMBNAIL)
    assert np.all(np.diff(photograph(ramp)[0].astype(int)) >= 0)
    map_ = coloured(ramp, 0.5, 1.5)
    assert map_.shape == (20, THUMBNAIL, 3)
    # Viridis: from dark purple to bright yellow, in OpenCV's order.
    assert np.all(np.abs(map_[0, 0].astype(int) - [84, 1, 68]) < 4)
    assert np.all(np.abs(map_[0, -1].astype(int) - [37, 231, 253]) < 4)
    assert np.ptp(coloured(np.ones((4, 4), np.float32), 1.0, 1.0)) < 90
