"""The command `dpdefocus`: a table of sub-commands, each a few lines that call the library.

    dpdefocus solve left.png right.png --calibration calibration --out solved

Exit status: 0 when all went well, 1 when the work failed after it began, 2 when something given cannot be
used, 130 after Ctrl-C. What a sub-command needs is imported when it runs, so that help is there at once. An
option that is not given is not handed on: its default is that of the function called.
"""

import argparse
import contextlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from dpdefocus import __version__
from dpdefocus.support.errors import InputError

PREVIEW = "preview.png"
RESULTS = "all_in_focus.png", "defocus_map.png", PREVIEW, "result.npz"  # what `solve` leaves
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
Add = Callable[..., Any]  # a parser's `add_argument`


class Command(NamedTuple):
    """A sub-command: its line in the help, what adds its arguments, and what runs it with those given.

    `run` returns the exit status, None for 0; `interrupted` says what Ctrl-C leaves of those given.
    """

    help: str
    add_arguments: Callable[[Add], None]
    run: Callable[..., int | None]
    interrupted: Callable[..., str] = lambda **_: "nothing was saved"


def run() -> int:
    """The process: `main`, but ended at once after Ctrl-C: a shutdown while XLA compiles would crash."""
    status = main()
    if status == INTERRUPTED:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):  # such as a pipe that nobody reads any more
                stream.flush()
        os._exit(INTERRUPTED)
    return status


def main(arguments: list[str] | None = None) -> int:
    """The command line, by default that of the process; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    given = vars(_parser().parse_args(arguments or ["--help"]))
    command = COMMANDS[given.pop("command")]
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
        try:
            return command.run(**given) or 0
        except InputError as error:
            return _told(error, 2)
        except OSError as error:  # such as a full disk
            return _told(error, 1)
        except KeyboardInterrupt:
            print(f"interrupted: {command.interrupted(**given)}", file=sys.stderr)
            return INTERRUPTED


def _told(error: Exception, status: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return status


class _Parser(argparse.ArgumentParser):
    """Tells what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dpdefocus",
        usage="dpdefocus COMMAND ...",
        description="Sharp images and defocus maps from a single dual-pixel photograph.",
        epilog=_listed("your own photographs", PHOTOGRAPHS)
        + _listed("the course, in the project's folder", COURSE)
        + "dpdefocus COMMAND --help explains a command",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the versions and exit")
    commands = parser.add_subparsers(dest="command", required=True, prog="dpdefocus", help=argparse.SUPPRESS)
    for name, command in COMMANDS.items():
        described = f"{command.help[0].upper()}{command.help[1:]}."
        added = commands.add_parser(name, description=described, argument_default=argparse.SUPPRESS)
        command.add_arguments(added.add_argument)
    return parser


def _listed(title: str, commands: dict[str, Command]) -> str:
    lines = [f"  {name:14}{command.help}" for name, command in commands.items()]
    return "\n".join([f"{title}:", *lines, "", ""])


class _Version(argparse.Action):
    """Prints the versions that results depend on, from the packages' records: none of them is imported."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        from importlib.metadata import version

        print(f"dpdefocus {__version__} (jax {version('jax')}, numpy {version('numpy')})")
        parser.exit()


# --- your own photographs ---


def _solve_arguments(add: Add) -> None:
    add("left", metavar="LEFT", help="left view, a linear 16-bit PNG, TIFF or PGM file")
    add("right", metavar="RIGHT", help="right view, likewise")
    add("--calibration", metavar="DIR", help="folder that `dpdefocus calibrate` has written")
    add("--preset", metavar="NAME", help="fast (default), classroom, low_light or paper")
    add("--checkpoint", metavar="FILE", help="of preset paper: keeps the state, to go on from after a stop")
    _add_levels(add)
    add("--out", metavar="DIR", required=True, help="folder for the results")


def _solve(
    left: str,
    right: str,
    out: str,
    calibration: str = "",
    preset: str = "fast",
    checkpoint: str | None = None,
    **levels: int,
) -> None:
    from dpdefocus import data, figures, solver, support

    solver.preset_settings(preset)
    if not calibration:
        raise InputError(
            "--calibration: not given; expected the folder of your camera's blur kernels. To make it, "
            "photograph the chart of `dpdefocus chart` and run `dpdefocus calibrate`: see docs/own_camera.md"
        )
    if not Path(calibration).is_dir():
        found = "is a file" if Path(calibration).exists() else "does not exist"
        raise InputError(f"--calibration: {calibration} {found}; expected a folder")
    if checkpoint is not None and preset != "paper":
        raise InputError(f"--checkpoint: preset {preset} keeps none; expected --preset paper")
    for option, file in [("--checkpoint", checkpoint), *(("--out", Path(out, name)) for name in RESULTS)]:
        if file is not None and Path(file).is_dir():
            raise InputError(f"{option}: {file} is a folder; expected a file to write. Move it away")
    if preset == "paper":
        support.share_among_cores()
    state = _folder(Path(checkpoint).parent, "--checkpoint") if checkpoint else contextlib.nullcontext()
    with state, _folder(Path(out), "--out") as folder:
        capture, kernels = data.load_capture(left, right, calibration, **levels)
        result = solver.solve(capture, kernels, preset, checkpoint=checkpoint)
        height, width = result.all_in_focus.shape
        caption = (
            f"{width} x {height} pixels, preset {preset}, {result.seconds:.0f} s\n"
            "tone-mapped for the screen:\nall_in_focus.png is linear and looks darker"
        )
        preview = figures.preview_png(result, caption)
        data.save_result(result, folder)
        with support.replacing(folder, PREVIEW) as (path,):
            path.write_bytes(preview)
    print(f"Solved in {result.seconds:.0f} s. The results are in {folder}; look at {folder / PREVIEW}")


@contextlib.contextmanager
def _folder(folder: Path, option: str) -> Iterator[Path]:
    """A folder that can be written to; after an error, folders made for it that are empty are removed."""
    from dpdefocus.support import writable_folder

    made = [each for each in (folder, *folder.parents) if not os.path.exists(each)]
    try:
        yield writable_folder(folder, option)
    except BaseException:
        for each in made:
            with contextlib.suppress(OSError):  # not empty, or never made
                each.rmdir()
        raise


def _solve_interrupted(checkpoint: str | None = None, **_: Any) -> str:
    kept = checkpoint is not None and Path(checkpoint).is_file()
    return f"the state in {checkpoint} is kept; the same command goes on" if kept else "nothing was saved"


def _chart_arguments(add: Add) -> None:
    add("--width", type=float, help="of the screen, mm (default: 531)")
    add("--height", type=float, help="of the screen, mm (default: 298.6)")
    add("--dpi", type=float, help="pixels per inch of the screen (default: 91.84)")
    add("--pitch", type=float, help="between discs, mm (default: 20)")
    add("--radius", type=float, help="of a disc, mm (default: 6.5)")
    add("--out", metavar="DIR", help="folder to write to (default: chart)")


def _chart(
    width: float = 531.0, height: float = 298.6, dpi: float = 91.84, out: str = "chart", **discs: float
) -> None:
    from dpdefocus.calibration import filling, save_chart

    chart = filling((width, height), dpi, **discs)
    folder = save_chart(chart, out)
    rows, columns = chart.pixels
    print(f"{chart.rows} x {chart.cols} discs, {columns} x {rows} pixels, in {folder}")


def _calibrate_arguments(add: Add) -> None:
    add("photographs", help="folder with chart_left.png, chart_right.png, white_..., black_..., sheet1_...")
    add("--chart", required=True, help="chart.json by `dpdefocus chart`, or its folder")
    add("--grid", type=_two_numbers, help="rows x columns of kernels (default: 6x8)")
    add("--size", type=int, help="of the kernels, odd, pixels (default: 61)")
    add(
        "--crop",
        type=_two_numbers,
        help="height x width that the grid covers (default: all, or the Pixel 4's part)",
    )
    add("--distortion", action="store_true", help="fit radial lens distortion too")
    _add_levels(add)
    add("--out", metavar="DIR", help="folder to write to (default: calibration)")


def _calibrate(out: str = "calibration", **given: Any) -> None:
    from dpdefocus.calibration import calibrate_folder

    print(calibrate_folder(out=out, **given).summary())
    print(f"Written to {out}")


# All of calibration.simulated_photographs.BAD; written out, for help imports no room.
MISTAKES = "blank, other chart, half out of view, clipped, dark or front of focus"


def _photos_arguments(add: Add) -> None:
    add("--data", dest="data_dir", metavar="DIR", help="folder of the Pixel 4 set: its kernels are used")
    add("--small", action="store_true", help="a small frame of 252 x 336 pixels")
    add("--bad", metavar="MISTAKE", help=f"with a mistake: {MISTAKES}")
    add("--seed", type=int, help="of the noise (default: 0)")
    add("--out", metavar="DIR", help="folder to write to (default: photographs)")


def _photos(out: str = "photographs", **given: Any) -> None:
    from dpdefocus.calibration import simulate_photographs

    shots = simulate_photographs(**given)
    folder = shots.write(out)
    height, width = shots.geometry.frame
    print(f"Photographs of {width} x {height} pixels are in {folder}")


def _views_arguments(add: Add) -> None:
    add("total", metavar="SUM", help="left + right, a 16-bit TIFF or PNG file")
    add("one", metavar="ONE", help="one of the two views")
    add("--side", choices=("left", "right"), required=True, help="which one that is")
    add("--mosaic", action="store_true", help="files with one colour per pixel, not demosaiced")
    add("--pattern", help="of the mosaic (default: rggb)")
    _add_levels(add)
    add("--out", nargs=2, metavar=("LEFT", "RIGHT"), help="files to write (default: left.png right.png)")


def _views(**given: Any) -> None:
    from dpdefocus.data import split_files

    _, height, width = split_files(**given).shape
    print(f"Two views of {width} x {height} pixels are written")


def _add_levels(add: Add) -> None:
    add("--black-level", type=int, metavar="N", help="value without light (default: 1024, a Pixel 4's)")
    add("--white-level", type=int, metavar="N", help="value that clips (default: 16383, a Pixel 4's)")


def _two_numbers(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected two numbers, such as 6x8")
    return int(found[1]), int(found[2])


# --- the course ---


def _run_arguments(add: Add) -> None:
    add("notebook", type=Path, help="the lesson")
    _add_parameters(add)
    _add_out_dir(add, "folder for the executed notebook, its report and its results")


def _run(notebook: Path, out_dir: Path, parameters: list[list[str]]) -> int | None:
    from dpdefocus.lessons import NotebookError, run_lesson

    try:
        _, report = run_lesson(notebook, out_dir, [(name, value) for name, value in parameters])
    except NotebookError as error:
        return _told(error, 1)
    print(f"Results are in {out_dir}; the report is {report}")


def _batch_arguments(add: Add) -> None:
    add("notebook", type=Path, help="the lesson")
    add("captures", nargs="+", help="CSV files, folders with a pair of views, or patterns")
    _add_parameters(add)
    add("--scheduler", metavar="ADDRESS", help="of a Dask cluster to run on")
    _add_out_dir(add, "folder for all captures' folders")


def _batch(
    notebook: Path, captures: list[str], out_dir: Path, parameters: list[list[str]], **options: str
) -> int:
    from dpdefocus.lessons import batch

    common = [(name, value) for name, value in parameters]
    records = batch.run_batch(notebook, captures, common, out_dir, **options)
    failed = [record["name"] for record in records if record["status"] == batch.FAILED]
    kept = sum(record["status"] == batch.KEPT for record in records)
    solved = len(records) - len(failed)
    print(f"{solved} of {len(records)} captures are solved, {kept} of them from an earlier run")
    print(f"Summary: {out_dir / batch.SUMMARY}; pictures: {out_dir / batch.SHEET}")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _site(out_dir: Path) -> None:
    from dpdefocus.site import build_site

    index = build_site(out_dir)[0]
    print(f"The site is in {out_dir}: open {index} in a browser")


def _student(out_dir: Path) -> None:
    from dpdefocus.lessons import write_student_edition

    copies = write_student_edition(out_dir)
    print(f"{len(copies)} lessons without solutions are in {out_dir}")


def _colab() -> None:
    from dpdefocus.lessons import renew_colab_cells

    renew_colab_cells()


def _add_parameters(add: Add) -> None:
    add(
        "-p",
        dest="parameters",
        nargs=2,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="a parameter of the lesson",
    )


def _add_out_dir(add: Add, what: str) -> None:
    add("--out-dir", type=Path, required=True, metavar="DIR", help=what)


PHOTOGRAPHS = {
    "solve": Command(
        "sharp image and defocus map of one photograph",
        _solve_arguments,
        _solve,
        _solve_interrupted,
    ),
    "chart": Command("the chart to calibrate a camera with", _chart_arguments, _chart),
    "calibrate": Command(
        "blur kernels of a camera, from photographs of the chart", _calibrate_arguments, _calibrate
    ),
    "chart-photos": Command(
        "simulated photographs of the chart, to try it without a camera", _photos_arguments, _photos
    ),
    "views": Command("left and right view, from their sum and one of them", _views_arguments, _views),
}
COURSE = {
    "run": Command("one lesson, unattended, with a report", _run_arguments, _run),
    "batch": Command(
        "one lesson on many captures; goes on where it stopped",
        _batch_arguments,
        _batch,
        lambda **_: "captures that were finished are kept; the same command goes on",
    ),
    "site": Command("the lessons as web pages", lambda add: _add_out_dir(add, "folder for the pages"), _site),
    "student": Command(
        "copies of the lessons without the solutions",
        lambda add: _add_out_dir(add, "folder for the copies"),
        _student,
    ),
    "colab": Command("renew the cell that installs the library on Colab", lambda add: None, _colab),
}
COMMANDS = PHOTOGRAPHS | COURSE

if __name__ == "__main__":
    sys.exit(run())
