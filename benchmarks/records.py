"""What the benchmarks share: records on disk, the code and the machine that made them, tables in the README.

A record is JSON, and is renewed after every piece of work, so that the same command goes on where it was
stopped. What each piece depends on is kept with it: settings and versions (``made``), and a digest of the
library's code that it ran through (``code``). Work is done again when settings or versions differ; where only
the code differs, with ``--renew``: most changes of code change no score, and some work takes hours.
"""

import ast
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

import dpdefocus
from dpdefocus.support.devices import cores
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder

PACKAGE = Path(dpdefocus.__file__).parent


# --- on disk ---


def load(path: Path, empty: dict) -> dict:
    """The record that is there, or an `empty` one."""
    return json.loads(path.read_text()) if path.exists() else empty


def save(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record; the one that is there stays whole until the new one is."""
    with replacing(writable_folder(path.parent, "--out"), path.name) as (temporary,):
        temporary.write_text(json.dumps(record, indent=1) + "\n")


# --- by what, and on what ---


def machine() -> str:
    """Processor, cores and accelerator in words."""
    cpu = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        cpu = dict(re.findall(r"^([^\t:]+)\t*: (.+)$", information.read_text(), re.MULTILINE)).get(
            "model name", cpu
        )
    device = jax.devices()[0]
    return f"{cpu}, {cores()} cores; JAX on {device.platform} ({device.device_kind})"


def versions(all_runs: Iterable[Mapping[str, Any]]) -> str:
    """The versions that runs were made with, in words; several where they differ."""
    made = [run["made"]["versions"] for run in all_runs if "versions" in run.get("made", {})]
    texts = (", ".join(f"{package} {version}" for package, version in each.items()) for each in made)
    return "; ".join(dict.fromkeys(texts))


def code_of(*rooms: str, package: Path = PACKAGE) -> str:
    """A digest of the code of some rooms, of all that they import of the library, and so on.

    Comments, docstrings and the layout of lines do not count.
    """
    found, open_ = {}, list(rooms)
    while open_:
        room = open_.pop()
        if room not in found and (package / f"{room}.py").is_file():
            tree = ast.parse((package / f"{room}.py").read_text(encoding="utf-8"))
            open_ += _imported(tree)
            found[room] = ast.unparse(_without_docstrings(tree))
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()[:16]


def _imported(tree: ast.Module) -> Iterator[str]:
    """Names of the rooms that a module imports, anywhere in it; some of the names may be no rooms."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "dpdefocus":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dpdefocus."):
            yield node.module.partition(".")[2]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def up_to_date(run: Mapping[str, Any] | None, made: Mapping[str, Any], code: str, renew: bool) -> bool:
    """Whether a run can stay: there, made with these settings and versions and, to `renew`, by this code."""
    return run is not None and run["made"] == made and (not renew or run.get("code") == code)


# --- in the README ---


def marks(name: str) -> tuple[str, str]:
    """The lines before and after the table of this name."""
    return f"<!-- begin of table: {name} -->", f"<!-- end of table: {name} -->"


def table_in(text: str, name: str) -> str:
    """What stands between the marks of a table.

    Raises:
        InputError: the text has no such marks.
    """
    first, last = marks(name)
    if first not in text or last not in text:
        raise InputError(f"--readme: found no lines {first} and {last}; expected both, around the table")
    return text.partition(first)[2].partition(last)[0].strip("\n")


def put_into(readme: Path, name: str, table: str) -> None:
    """Replace what stands between the marks of a table in a file.

    Raises:
        InputError: the file has no such marks.
    """
    text = readme.read_text(encoding="utf-8")
    table_in(text, name)
    first, last = marks(name)
    before, after = text.partition(first)[0], text.partition(last)[2]
    with replacing(readme.parent, readme.name) as (temporary,):
        temporary.write_text(f"{before}{first}\n\n{table}\n\n{last}{after}", encoding="utf-8")
