"""The page of one lesson: its cells, with links to the library's reference and to the glossary, and back."""

import html
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import nbformat

from dpdefocus.site import pages
from dpdefocus.site.library import Library
from dpdefocus.site.navigation import Heading, link_first_uses
from dpdefocus.site.reference import Uses, address, address_in_text
from dpdefocus.site.usage import Use, library_uses

USED = "Library used in this lesson"


def uses_in_cells(lesson: nbformat.NotebookNode, library: Library) -> dict[str, list[Use]]:
    """Id of each code cell that the page shows -> the library's names in it."""
    cells = [cell for cell in pages.shown_cells(lesson) if cell.cell_type == "code"]
    found = library_uses([cell.source for cell in cells], library.paths)
    return {cell.id: uses for cell, uses in zip(cells, found, strict=True)}


def uses_in_lessons(uses: Mapping[Path, Mapping[str, Sequence[Use]]]) -> Uses:
    """For each name of the library the lessons that use it, as the reference shows them.

    Args:
        uses: path of the notebook -> as of `uses_in_cells`. A lesson's link leads to the first cell that does
            more than import the name, if there is one.
    """
    found = {}
    for path, cells in uses.items():
        for imported in (True, False):
            for cell, names in reversed(cells.items()):
                for use in names:
                    if use.imported == imported:
                        place = f"{path.stem}.html#{pages.code_id(cell)}"
                        found.setdefault(use.path, {})[path] = (f"lesson {int(path.stem[:2])}", place)
    return {name: list(places.values()) for name, places in found.items()}


def lesson_body(
    lesson: nbformat.NotebookNode,
    library: Library,
    uses: Mapping[str, Sequence[Use]],
    terms: Mapping[str, str],
) -> tuple[str, list[Heading]]:
    """The page's body as HTML, and its headings.

    Args:
        lesson: as executed.
        library: what names link to.
        uses: of this lesson, as of `uses_in_cells`.
        terms: term of the glossary -> address of its entry. The first use of each is a link.
    """
    renderer = pages.Renderer(partial(address_in_text, library))
    links = {
        cell: [pages.Link(use.start, use.end, address(library, use.path)) for use in names]
        for cell, names in uses.items()
    }
    bodies = pages.notebook_bodies(lesson, renderer, links)
    text = [n for n, cell in enumerate(pages.shown_cells(lesson)) if cell.cell_type == "markdown"]
    for n, body in zip(text, link_first_uses([bodies[n] for n in text], terms), strict=True):
        bodies[n] = body
    return "\n".join(bodies) + _library_used(library, uses, renderer), renderer.headings


def _library_used(library, uses, renderer):
    """The names of the library that a lesson uses, by wing."""
    used = {use.path for names in uses.values() for use in names}
    paths = [path for path in library.objects if path in used]  # in the reference's order
    if not paths:
        return ""
    items = ""
    for wing, names in groupby(paths, lambda path: path.partition(".")[0]):
        links = ", ".join(_link(library, path, path.rpartition(".")[2]) for path in names)
        items += f"<li>{_link(library, wing, wing)}: {links}</li>\n"
    return f'{renderer.heading(USED, 2)}<ul class="library">\n{items}</ul>\n'


def _link(library, path, name):
    return f'<a href="{address(library, path)}"><code>{html.escape(name)}</code></a>'
