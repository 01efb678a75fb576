"""Where a lesson's code uses the library: names in its cells, found in the syntax tree. Nothing is run."""

import ast
from collections.abc import Mapping, Sequence
from typing import NamedTuple

PACKAGE = "dpdefocus"


class Use(NamedTuple):
    """A name of the library in the source of a cell.

    Args:
        start, end: its characters in the source.
        path: that of its entry in the reference, without the package's name: ``optics.lens.Lens``.
        imported: whether it is only imported there.
    """

    start: int
    end: int
    path: str
    imported: bool


def library_uses(sources: Sequence[str], paths: Mapping[str, str]) -> list[list[Use]]:
    """The first use of each name in each cell, in their order.

    Args:
        sources: the cells' code, in the order in which they run: what one imports the others use. A cell that
            is not all Python, because of a magic, has no uses.
        paths: every path by which a name can be reached, without the package's name -> that of its entry.
    """
    known = {f"{PACKAGE}.{path}": entry for path, entry in paths.items()}
    bound = {}
    return [_first_of_each(_cell_uses(source, known, bound)) for source in sources]


def _first_of_each(found):
    first = {}
    for use in sorted(found):
        first.setdefault(use.path, use)
    return list(first.values())


def _cell_uses(source, known, bound):
    """All uses in one cell. `bound`, name -> what it stands for, is brought up to date."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    finder = _Finder(source, known, bound)
    for statement in statements:
        finder.visit(statement)
        # A name that is given another meaning is the library's no more. Parameters and loops count too:
        # a link that is missing does less harm than one that is wrong.
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound.pop(node.id, None)
            elif isinstance(node, ast.arg):
                bound.pop(node.arg, None)
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.pop(node.name, None)
    return finder.found


class _Finder(ast.NodeVisitor):
    def __init__(self, source, known, bound):
        self.lines = source.split("\n")
        self.source, self.known, self.bound = source, known, bound
        self.found = []

    def visit_Import(self, node):
        for alias in node.names:
            if alias.name == PACKAGE:
                self.bound[alias.asname or PACKAGE] = PACKAGE

    def visit_ImportFrom(self, node):
        if (node.module or "").partition(".")[0] != PACKAGE:
            return
        for alias in node.names:
            path = f"{node.module}.{alias.name}"
            self.bound[alias.asname or alias.name] = path
            self._add(alias, path, alias.name, imported=True)

    def visit_Name(self, node):
        self._visit_chain(node)

    def visit_Attribute(self, node):
        self._visit_chain(node)

    def _visit_chain(self, node):
        """A name, or names joined by dots: the longest beginning of it that the library knows."""
        while True:
            text = ast.unparse(node)
            root, _, rest = text.partition(".")
            if root in self.bound:
                path = f"{self.bound[root]}.{rest}".rstrip(".")
                if self._add(node, path, text):
                    return
            if not isinstance(node, ast.Attribute):
                return self.generic_visit(node)
            node = node.value
            if not isinstance(node, ast.Attribute | ast.Name):
                return self.visit(node)

    def _add(self, node, path, text, imported=False):
        """Note a use, where the path is known; whether it is."""
        if path not in self.known:
            return False
        start = self._offset(node.lineno, node.col_offset)
        # Before Python 3.12 names in f-strings may be placed wrongly: better no link than one elsewhere.
        if self.source[start : start + len(text)] == text:
            self.found.append(Use(start, start + len(text), self.known[path], imported))
        return True

    def _offset(self, line, column):
        """Place in the source, in characters, of a column that the syntax tree counts in bytes."""
        before = sum(len(text) + 1 for text in self.lines[: line - 1])
        return before + len(self.lines[line - 1].encode()[:column].decode())
