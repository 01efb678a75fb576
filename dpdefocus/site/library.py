"""The library as its source describes it: wings, rooms, public names, and what a name in a text means.

griffe reads the source as it stands; nothing is imported or run. A name's path leaves out the package's own
name: ``optics.lens.Lens`` is `Lens` of the room `lens` of the wing `optics`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import griffe

PACKAGE = "dpdefocus"

# A name in backticks, alone or with arguments.
NAME = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)(?:\(.*\))?")


@dataclass(frozen=True)
class Library:
    """All that the reference shows.

    Args:
        package: the whole package.
        objects: path -> wing, room, or public name, in the order in which the reference shows them.
        paths: every path by which a public name can be reached, such as ``optics.Lens`` -> its own path.
    """

    package: griffe.Module
    objects: Mapping[str, griffe.Object]
    paths: Mapping[str, str]

    def find(self, text: str, within: str) -> str:
        """The path that a name in backticks means, or nothing.

        Args:
            text: ``name`` or ``room.name``, also with arguments in brackets.
            within: path of what the text describes, empty for the package. Its own names come first, then
                those of its room, its wing and the front door; then any other that is meant without doubt: a
                room, or ``room.name``.
        """
        found = NAME.fullmatch(text)
        if not found:
            return ""
        name, scopes = found[1], within.split(".") if within else []
        for count in range(len(scopes), -1, -1):
            path = ".".join([*scopes[:count], name])
            if path in self.paths or path in self.objects:
                return self.paths.get(path, path)
        modules = {path: path for path, each in self.objects.items() if each.is_module}
        elsewhere = self.paths if "." in name else modules
        ends = {own for path, own in elsewhere.items() if path.endswith(f".{name}")}
        return ends.pop() if len(ends) == 1 else ""


class _Unpacked(griffe.Extension):
    """Constants that share one line, ``SOLUTION, COLAB = "solution", "colab"``, which griffe leaves out."""

    def on_module_members(self, *, node, mod, **_):
        for line in node.body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Tuple):
                for target in line.targets[0].elts:
                    mod.set_member(target.id, griffe.Attribute(target.id, lineno=line.lineno))


def read_library() -> Library:
    """Read the package's source."""
    package = griffe.load(
        PACKAGE,
        extensions=griffe.load_extensions(_Unpacked),
        search_paths=[Path(__file__).parents[2]],
        try_relative_path=False,
        allow_inspection=False,
        docstring_parser="google",
        docstring_options={"returns_multiple_items": False, "returns_named_value": False, "warnings": False},
    )
    objects = {path_of(each): each for each in _shown(package)}
    paths = {path: path for path, each in objects.items() if not each.is_module}
    for alias in [*exported(package), *(alias for wing in wings(package) for alias in exported(wing))]:
        own = path_of(alias.final_target)
        paths |= {path_of(alias) + path.removeprefix(own): path for path in objects if _is_in(path, own)}
    return Library(package, objects, paths)


def path_of(each: griffe.Object | griffe.Alias) -> str:
    """Its path, without the package's name."""
    return each.path.removeprefix(PACKAGE).lstrip(".")


def docstring(each: griffe.Object) -> str:
    """Its docstring as written, or the comment on a constant; empty where it has neither."""
    if each.docstring or not each.is_attribute or each.lineno is None:
        return each.docstring.value if each.docstring else ""
    lines = each.lines_collection[each.filepath]
    first = each.lineno - 1
    above = [line[1:].strip() for line in takewhile(lambda line: line.startswith("#"), lines[:first][::-1])]
    return " ".join(filter(None, [*above[::-1], lines[first].partition("  # ")[2]]))


def summary(each: griffe.Object) -> str:
    """The first paragraph of its docstring, on one line."""
    return " ".join(docstring(each).split("\n\n")[0].split())


def wings(package: griffe.Module) -> list[griffe.Module]:
    """The package's folders, from the ground up."""
    return [each for each in rooms(package) if each.is_subpackage]


def rooms(module: griffe.Module) -> list[griffe.Module]:
    """The modules in a folder, in the order in which its docstring names them."""
    found = [each for each in module.modules.values() if not each.is_alias and not each.name.startswith("_")]
    text = docstring(module)
    return sorted(found, key=lambda each: (text.find(f"`{each.name}`") % (len(text) + 1), each.name))


def exported(folder: griffe.Module) -> list[griffe.Alias]:
    """The names that a folder's `__init__` hands on from its rooms."""
    aliases = (each for each in folder.members.values() if each.is_alias)
    return [each for each in aliases if each.target_path.startswith(f"{PACKAGE}.") and not each.is_module]


def names(room: griffe.Module, handed_on: set[str]) -> list[griffe.Object]:
    """The public names of a room as written there: functions, classes, and constants that are handed on.

    Args:
        room: the module.
        handed_on: full paths of the names that a folder's `__init__` hands on.
    """
    own = [each for each in room.members.values() if not each.is_alias and not each.name.startswith("_")]
    return [each for each in own if not each.is_module and (each.path in handed_on or not each.is_attribute)]


def methods(each: griffe.Object) -> list[griffe.Object]:
    """What a class does: its public methods and properties; nothing for anything else."""
    members = each.members.values() if each.is_class else ()
    return [m for m in members if not m.name.startswith("_") and (m.is_function or "property" in m.labels)]


def _shown(package) -> Iterator[griffe.Object]:
    folders = [package, *wings(package)]
    handed_on = {alias.final_target.path for folder in folders for alias in exported(folder)}
    for folder in folders:
        for room in rooms(folder):
            yield room
            for each in [] if room.is_subpackage else names(room, handed_on):
                yield each
                yield from methods(each)


def _is_in(path, other):
    return path == other or path.startswith(f"{other}.")
