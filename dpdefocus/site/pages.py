"""Executed notebooks and Markdown as HTML pages that stand alone: no network, no kernel, any width of screen.

Each page is one file: style, formulas (`formulas`) and pictures are in it. Sliders work through the few lines
of JavaScript that come with them in the notebook's outputs (`figures.explore`). Figures are enlarged by a
check box, long code that draws them is folded: both need no script. Light or dark is the reader's setting.
"""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import nbformat
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from dpdefocus.site import formulas, navigation
from dpdefocus.site.navigation import Heading

# Cells with this tag serve where a notebook runs, and say nothing to those who read it.
NOT_SHOWN = "not-on-pages"

# Code of a figure longer than this is folded, except in cells with these tags, which are there to be changed.
MOST_LINES = 12
KEPT_OPEN = {"parameters", "exercise"}

# Plotly asks the network for a program that would draw formulas in its labels, and does well without.
REMOTE_SCRIPT = re.compile(r'<script[^>]*\bsrc="https?://[^"]*"[^>]*>\s*</script>')

# What the highlighter writes: a token of the code in its span, or between spans, or a tag by itself.
TOKEN = re.compile(r"<span[^>]*>([^<]+)</span>|([^<]+)|<[^>]+>")
_highlight = Highlight2HTML()


class Link(NamedTuple):
    """A link in code: its characters from `start` to `end`, and the address."""

    start: int
    end: int
    address: str


class Renderer(IPythonRenderer):
    """Markdown of one page: formulas are MathML, tables scroll in a box of their own, headings have ids.

    Args:
        address_of: gives the address that a name in backticks links to, or nothing. By default there are no
            such links.

    Attributes:
        headings: those drawn so far, in their order; their ids are unique.
    """

    def __init__(self, address_of: Callable[[str], str] = lambda name: ""):
        super().__init__(escape=False, exclude_anchor_links=True)
        self.address_of = address_of
        self.headings: list[Heading] = []

    def heading(self, text, level, **_):
        title = re.sub(r"</?a\b[^>]*>", "", text)
        taken = {"content", *(each.id for each in self.headings)}
        self.headings.append(Heading(level, navigation.heading_id(title, taken), title))
        return navigation.heading(*self.headings[-1])

    def codespan(self, text):
        address = self.address_of(text)
        code = super().codespan(text)
        return f'<a href="{address}">{code}</a>' if address else code

    def block_math(self, body):
        return formulas.block(body)

    def inline_math(self, body):
        return formulas.inline(body)

    def multiline_math(self, text):
        return formulas.block(text.strip("$"))

    def latex_environment(self, name, body):
        return formulas.block(rf"\begin{{{name}}}{body}\end{{{name}}}")

    def table(self, text):
        return f'<div class="wide"><table>\n{text}</table></div>\n'


def markdown_body(source: str, renderer: Renderer | None = None) -> str:
    """Markdown as HTML, without a page around it.

    Args:
        source: the Markdown.
        renderer: that of the page, where this is only a part of one.
    """
    return MarkdownWithMath(renderer=renderer or Renderer()).render(source)


def shown_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """The cells of a notebook that its page shows."""
    return [cell for cell in notebook.cells if NOT_SHOWN not in cell.metadata.get("tags", [])]


def notebook_bodies(
    notebook: nbformat.NotebookNode, renderer: Renderer, links: Mapping[str, Sequence[Link]]
) -> list[str]:
    """Each cell that is shown, as HTML.

    Args:
        notebook: with its outputs.
        renderer: of the page; it gathers the headings.
        links: id of a code cell -> links in its code.
    """
    return [_cell(cell, renderer, links.get(cell.id, ())) for cell in shown_cells(notebook)]


def notebook_page(notebook: nbformat.NotebookNode, links: Mapping[str, str] | None = None) -> str:
    """An executed notebook as a page.

    Args:
        notebook: with its outputs.
        links: text -> address of what is linked above it.
    """
    renderer = Renderer()
    bodies = notebook_bodies(notebook, renderer, {})
    return page(title_of(notebook), "\n".join(bodies), links, renderer.headings)


def highlighted(source: str, links: Sequence[Link] = ()) -> str:
    """Python as HTML, in colours, with links that begin and end where its tokens do."""
    starts = {link.start: link.address for link in links}
    ends = {link.end for link in links}
    at, pieces = len(source) - len(source.lstrip("\n")), []  # the highlighter leaves out empty lines
    for token in TOKEN.finditer(_highlight(source)):
        text = html.unescape(token[1] or token[2] or "")
        before = f'<a href="{starts[at]}">' if text and at in starts else ""
        at += len(text)
        pieces.append(f"{before}{token[0]}{'</a>' if text and at in ends else ''}")
    return f'<div class="code">{"".join(pieces)}</div>\n'


def _cell(cell, renderer, links):
    if cell.cell_type == "markdown":
        return markdown_body(cell.source, renderer)
    if cell.cell_type != "code":
        return ""
    outputs = (_output(output, f"{cell.id}-{number}") for number, output in enumerate(cell.outputs))
    shown = "".join(f'<div class="output">{output}</div>\n' for output in outputs)
    return f'<div id="{code_id(cell.id)}">\n{_code(cell, links)}{shown}</div>\n'


def code_id(cell: str) -> str:
    """The id in its page of the code cell with this id in its notebook."""
    return f"code-{cell}"


def _code(cell, links):
    if not cell.source.strip():
        return ""
    code, lines = highlighted(cell.source, links), cell.source.count("\n") + 1
    draws = any("text/html" in output.get("data", {}) for output in cell.outputs)
    if not draws or lines <= MOST_LINES or KEPT_OPEN & set(cell.metadata.get("tags", [])):
        return code
    return f"<details><summary>Show the code ({lines} lines)</summary>\n{code}</details>\n"


def _output(output, name):
    """One output in the richest form that a page can show; `name` is its own in the page."""
    if output.output_type == "stream":
        return f"<pre>{html.escape(strip_ansi(output.text))}</pre>"
    if output.output_type == "error":
        return f'<pre class="error">{html.escape(strip_ansi(chr(10).join(output.traceback)))}</pre>'
    data = output.data
    if "text/html" in data:
        return _enlarging(REMOTE_SCRIPT.sub("", data["text/html"]), name)
    if "text/markdown" in data:
        return markdown_body(data["text/markdown"])
    if "image/png" in data:
        alt = html.escape(output.metadata.get("alt", data.get("text/plain", "")))
        return f'<img alt="{alt}" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{html.escape(strip_ansi(data.get('text/plain', '')))}</pre>"


def _enlarging(figure, name):
    """A figure behind a check box that, when checked, lets it fill the window."""
    if not figure.startswith("<figure"):
        return figure
    number = re.search(r"<em>(Figure \w+)", figure)
    label = f"Enlarge {number[1] if number else 'the figure'}"
    box = f'<input type="checkbox" class="enlarge" id="enlarge-{name}">'
    return f'{box}<label for="enlarge-{name}"><span class="unseen">{label}</span></label>\n{figure}'


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading of a notebook, or a word where there is none."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)", next(texts, ""), re.MULTILINE)
    return found[1] if found else "Notebook"


def page(
    title: str,
    body: str,
    links: Mapping[str, str] | None = None,
    headings: Sequence[Heading] = (),
    footer: str = "",
) -> str:
    """A whole page around a body.

    Args:
        title: of the window.
        body: HTML.
        links: text -> address of what is linked above it.
        headings: of the body, for the list of its contents.
        footer: HTML below it.
    """
    linked = "".join(
        f'<a href="{html.escape(address)}">{html.escape(text)}</a>\n'
        for text, address in (links or {}).items()
    )
    return _PAGE.format(
        title=html.escape(title),
        style=asset("page.css"),
        navigation=f'<nav class="course" aria-label="Course">\n{linked}</nav>' if linked else "",
        contents=navigation.contents(headings),
        body=body,
        footer=f"<footer>{footer}</footer>" if footer else "",
    )


def asset(name: str) -> str:
    """A file of ours that goes into pages: a style or a script."""
    return (files("dpdefocus.site") / "web" / name).read_text(encoding="utf-8")


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the text</a>
{navigation}
{contents}
<main id="content">
{body}
</main>
{footer}
</body>
</html>
"""
