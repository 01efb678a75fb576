"""What a batch is to run: captures from CSV files, folders and patterns."""

import csv
import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dpdefocus.lessons import run
from dpdefocus.support.errors import InputError

NAME = "name"  # the column that names a capture's folder
IMAGES = {".png", ".tif", ".tiff"}


@dataclass(frozen=True)
class Job:
    """One capture: the name of its folder, and the parameters that it gives, as text."""

    name: str
    given: tuple[tuple[str, str], ...]


def read_jobs(captures: list[str], common: list[tuple[str, str]], known: dict[str, Any]) -> list[Job]:
    """The captures that are named, each with its own parameters and those `common` to all.

    Args:
        captures: CSV files, folders with one pair of views, files of a pair, or patterns of these.
        common: (name, text) of parameters for every capture.
        known: the notebook's parameters with their defaults.

    Raises:
        InputError: nothing found, a parameter that the notebook does not know or of another type, one given
            twice, or two captures of one name.
    """
    jobs = []
    for path in _matches(captures):
        jobs += _jobs_of_csv(path) if path.suffix.lower() == ".csv" else [_job_of_pair(path)]
    jobs = list(dict.fromkeys(jobs))  # a pattern may match both files of a pair
    for job in jobs:
        twice = {name for name, _ in common} & {name for name, _ in job.given}
        if twice:
            raise InputError(
                f"{job.name}: parameter {', '.join(sorted(twice))} is given both with the capture and with "
                "-p; expected one of them"
            )
    jobs = [Job(job.name, (*common, *job.given)) for job in jobs]
    for job in jobs:
        try:
            values = run.checked_parameters(list(job.given), known)
        except InputError as error:
            raise InputError(f"capture {job.name}: {error}") from error
        if "out_dir" in values:
            raise InputError("parameter out_dir: every capture has its folder under --out-dir; leave it out")
    names = [job.name for job in jobs]
    same = sorted({name for name in names if names.count(name) > 1})
    if same:
        raise InputError(
            f"several captures are named {', '.join(same)}: expected a name for each, as it is their "
            f"folder's. Give a CSV file with a column {NAME!r}"
        )
    return jobs


def _matches(captures):
    """The files and folders of paths and patterns, in the order given, those of a pattern sorted."""
    paths = []
    for text in captures:
        found = [text] if Path(text).exists() else sorted(glob.glob(text))
        if not found:
            raise InputError(
                f"captures: nothing is found at {text}; expected a CSV file, a folder with a pair of views, "
                "the file of a left view, or a pattern of these"
            )
        paths += map(Path, found)
    return paths


def _jobs_of_csv(path: Path) -> list[Job]:
    """A job for each row; an empty cell leaves its parameter at the default."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file in UTF-8 ({error})") from error
    if len(lines) < 2:
        raise InputError(f"{path}: expected a line of column names, and a line for each capture below it")
    columns = [column.strip() for column in lines[0][1]]
    if len(set(columns)) < len(columns) or "" in columns:
        raise InputError(f"{path}: found columns {', '.join(columns)}; expected a different name for each")
    jobs = []
    for number, row in lines[1:]:
        if len(row) != len(columns):
            raise InputError(
                f"{path}, line {number}: found {len(row)} values, expected {len(columns)}, one for each of "
                f"{', '.join(columns)}. Does a value hold a comma? Put it in quotes"
            )
        values = {column: cell.strip() for column, cell in zip(columns, row, strict=True) if cell.strip()}
        name = values.pop(NAME, None) or "-".join(values.values())
        if not re.fullmatch(r"\w[\w.+= -]*", name):
            if NAME in columns:
                raise InputError(
                    f"{path}, line {number}: {name!r} cannot name a folder; expected a plain name"
                )
            name = f"line-{number}"
        jobs.append(Job(name, tuple(values.items())))
    return jobs


def _job_of_pair(path: Path) -> Job:
    """The job of a folder with one pair of views, or of either file of a pair."""
    if path.is_dir():
        lefts = [each for each in sorted(path.iterdir()) if _is_view(each, "left")]
        if len(lefts) != 1:
            raise InputError(
                f"{path}: found {len(lefts)} images with 'left' in their name; expected one, and one with "
                "'right' in its place, as PNG or TIFF"
            )
        left, name = lefts[0], path.resolve().name
    else:
        if not any(_is_view(path, view) for view in ("left", "right")):
            raise InputError(
                f"{path}: expected a CSV file, a folder, or a PNG or TIFF file with 'left' in its name"
            )
        left = path if _is_view(path, "left") else _partner(path, "right", "left")
        rest = re.sub("left", "", left.stem, flags=re.IGNORECASE).strip(" _-.")
        name = rest or left.resolve().parent.name
    right = _partner(left, "left", "right")
    return Job(name, (("left", str(left.resolve())), ("right", str(right.resolve()))))


def _is_view(path, view):
    return path.suffix.lower() in IMAGES and view in path.stem.lower()


def _partner(path, view, other):
    """The file beside `path` whose name has `other` where this one's has `view`."""
    head, _, tail = path.name.lower().rpartition(view)
    for beside in path.parent.iterdir():
        if beside.name.lower() == head + other + tail:
            return beside
    raise InputError(f"{path}: expected a file {head + other + tail} beside it, the {other} view")
