"""Executed notebooks and Markdown as HTML pages that stand alone: no network, no kernel, any width of screen.

Each page is one file: style, formulas (`formulas`) and pictures are in it. Sliders work through the few lines
of JavaScript that come with them in the notebook's outputs (`widgets`). Light or dark is the
reader's setting.
"""

import html
import re
from collections.abc import Mapping
from importlib.resources import files

import nbformat
from nbconvert.filters import Highlight2HTML, strip_ansi
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from dpdefocus.lessons import formulas

# Cells with this tag serve where a notebook runs, and say nothing to those who read it.
NOT_SHOWN = "not-on-pages"

# Plotly asks the network for a program that would draw formulas in its labels, and does well without.
REMOTE_SCRIPT = re.compile(r'<script[^>]*\bsrc="https?://[^"]*"[^>]*>\s*</script>')
_highlight = Highlight2HTML()


class _Renderer(IPythonRenderer):
    """Markdown whose formulas are MathML, and whose tables scroll in a box of their own."""

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


def markdown_body(source: str) -> str:
    """Markdown as HTML, without a page around it."""
    return MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(source)


def notebook_page(notebook: nbformat.NotebookNode, navigation: Mapping[str, str] | None = None) -> str:
    """An executed notebook as a page.

    Args:
        notebook: with its outputs.
        navigation: text -> address of what is linked above it.
    """
    shown = [cell for cell in notebook.cells if NOT_SHOWN not in cell.metadata.get("tags", [])]
    return page(title_of(notebook), "\n".join(map(_cell, shown)), navigation)


def markdown_page(source: str, navigation: Mapping[str, str] | None = None) -> str:
    """Markdown, its first line a heading, as a page."""
    return page(source.partition("\n")[0].lstrip("# "), markdown_body(source), navigation)


def _cell(cell):
    if cell.cell_type == "markdown":
        return markdown_body(cell.source)
    if cell.cell_type != "code":
        return ""
    code = f'<div class="code">{_highlight(cell.source)}</div>\n' if cell.source.strip() else ""
    return code + "".join(f'<div class="output">{_output(output)}</div>\n' for output in cell.outputs)


def _output(output):
    """One output in the richest form that a page can show."""
    if output.output_type == "stream":
        return f"<pre>{html.escape(strip_ansi(output.text))}</pre>"
    if output.output_type == "error":
        return f'<pre class="error">{html.escape(strip_ansi(chr(10).join(output.traceback)))}</pre>'
    data = output.data
    if "text/html" in data:
        return REMOTE_SCRIPT.sub("", data["text/html"])
    if "text/markdown" in data:
        return markdown_body(data["text/markdown"])
    if "image/png" in data:
        alt = html.escape(output.metadata.get("alt", data.get("text/plain", "")))
        return f'<img alt="{alt}" src="data:image/png;base64,{data["image/png"].strip()}">'
    return f"<pre>{html.escape(strip_ansi(data.get('text/plain', '')))}</pre>"


def title_of(notebook: nbformat.NotebookNode) -> str:
    """The first heading of a notebook, or a word where there is none."""
    texts = (cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)", next(texts, ""), re.MULTILINE)
    return found[1] if found else "Notebook"


def page(title: str, body: str, navigation: Mapping[str, str] | None = None) -> str:
    """A whole page around a body."""
    links = "".join(
        f'<a href="{html.escape(address)}">{html.escape(text)}</a>\n'
        for text, address in (navigation or {}).items()
    )
    return _PAGE.format(
        title=html.escape(title),
        style=asset("page.css"),
        navigation=f'<nav aria-label="Course">\n{links}</nav>' if links else "",
        body=body,
    )


def asset(name: str) -> str:
    """A file of ours that goes into pages: a style or a script."""
    return (files("dpdefocus") / "web" / name).read_text(encoding="utf-8")


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
<main id="content">
{body}
</main>
</body>
</html>
"""
