"""What the benchmarks share: records on disk, the code and the machine that made them, tables in pages.

A record is JSON, and is renewed after every piece of work, so that the same command goes on where it was
stopped. What each piece depends on is kept with it: settings and versions (``made``), and a digest of the
library's code that it ran through (``code``). Work is done again when settings or versions differ; where only
the code differs, with ``--renew``: most changes of code change no score, and some work takes hours.
"""

import ast
import functools
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

import dpdefocus
from dpdefocus.support.devices import cores
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder

PACKAGE = Path(dpdefocus.__file__).parent
NAME = PACKAGE.name
PAGES = tuple(PACKAGE.parent / name for name in ("docs/results.md", "README.md"))
# A rank correlation is never shown without the rule by which ties and masked pixels are ranked.
AVERAGE_RANKS = "1−\\|ρ_s\\| (average ranks in the mask)"
ORDINAL_RANKS = "1−\\|ρ_s\\| (ordinal ranks of all pixels)"
PAGE_HELP = "pages to put the tables into; docs/results.md and README.md where none is named"


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
    """A digest of the code of some rooms, and of every room of the library that they import, and so on.

    Comments, docstrings and the layout of lines do not count. Arguments and errors as of `rooms_behind`.
    """
    code = sorted((room, _code(source)) for room, source in rooms_behind(*rooms, package=package).items())
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def rooms_behind(*rooms: str, package: Path = PACKAGE) -> dict[str, str]:
    """Some rooms, and every room of the library that they import, and so on: name -> source.

    Args:
        rooms: dotted names within the library, such as ``"fast.solve"`` or ``"solver"``.
        package: the library's folder.

    Raises:
        InputError: the library has no such room.
    """
    for room in rooms:
        if not _file(room, package).is_file():
            raise InputError(f"rooms: found {room!r}, expected a room of the library such as 'fast.solve'")
    found: dict[str, str] = {}
    waiting = list(rooms)
    while waiting:
        room = waiting.pop()
        if room not in found:
            found[room] = _file(room, package).read_text(encoding="utf-8")
            names = _names_used(found[room])
            waiting += filter(None, (room_of(name, package) for name in names))
    return found


def _file(room: str, package: Path) -> Path:
    return package / f"{room.replace('.', '/')}.py"


# Both by source text, since records share most rooms.
@functools.cache
def _code(source: str) -> str:
    """A source without comments, docstrings and the layout of its lines."""
    return ast.unparse(_without_docstrings(ast.parse(source)))


@functools.cache
def _names_used(source: str) -> frozenset[str]:
    """Dotted names within the library that a source imports anywhere, or reaches through a wing, such as
    ``data.load_pixel4``.
    """
    tree, stands_for = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            stands_for |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            stands_for |= {each.asname or each.name: each.name for each in node.names}
    names = [*stands_for.values()]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            names.append(f"{stands_for.get(first, first)}.{rest}")
    return frozenset(name.partition(".")[2] for name in names if name.partition(".")[0] == NAME)


def room_of(name: str, package: Path = PACKAGE) -> str | None:
    """The room that a dotted name within the library lies in; None: a wing, or no name of the library.

    ``fast.solve`` is a room. ``fast.deblur`` and ``solve`` lie where the stubs (``__init__.pyi``) of the wing
    and of the library say.
    """
    parts = name.split(".")
    for depth, part in enumerate(parts):
        above = parts[:depth]
        if _file(".".join([*above, part]), package).is_file():
            return ".".join([*above, part])
        if not package.joinpath(*above, part).is_dir():
            source = _sources(package.joinpath(*above, "__init__.pyi")).get(part)
            return room_of(".".join([*above, source]), package) if source else None
    return None


def _sources(stub: Path) -> dict[str, str]:
    """Public name -> where a wing or the library takes it from, as its stub says."""
    tree = ast.parse(stub.read_text(encoding="utf-8") if stub.is_file() else "")
    imports = (node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module)
    return {each.asname or each.name: f"{node.module}.{each.name}" for node in imports for each in node.names}


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


# --- in pages ---


def marks(name: str) -> tuple[str, str]:
    """The lines before and after the table of this name."""
    return f"<!-- begin of table: {name} -->", f"<!-- end of table: {name} -->"


def table_in(page: Path, name: str) -> str | None:
    """What stands between the marks of a table in a page; None: it has no such marks."""
    first, last = marks(name)
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if first not in text or last not in text:
        return None
    return text.partition(first)[2].partition(last)[0].strip("\n")


def pages_of(given: list[Path] | None, names: Sequence[str], known: Sequence[Path] = PAGES) -> list[Path]:
    """The pages that ``--page`` asks for: none without it; without a file, those that are `known` with marks.

    Called before work starts, which may take hours.

    Raises:
        InputError: a page has no marks of any of the named tables.
    """
    if given is None:
        return []
    pages = given or [page for page in known if _shows(page, names)] or [known[0]]
    for page in pages:
        if not _shows(page, names):
            lines = ", or ".join(" and ".join(marks(name)) for name in names)
            raise InputError(f"--page: found no marks of a table in {page}; expected the lines {lines}")
    return pages


def _shows(page: Path, names: Sequence[str]) -> bool:
    return any(table_in(page, name) is not None for name in names)


def put_into(page: Path, tables: Mapping[str, str]) -> None:
    """Replace what stands between the marks of tables (name -> Markdown), of those that the page has."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        if table_in(page, name) is not None:
            first, last = marks(name)
            before, after = text.partition(first)[0], text.partition(last)[2]
            text = f"{before}{first}\n\n{table}\n\n{last}{after}"
    with replacing(page.parent, page.name) as (temporary,):
        temporary.write_text(text, encoding="utf-8")
