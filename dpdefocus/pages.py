"""Executed notebooks and Markdown as HTML pages that stand alone: no network, no kernel, any width of screen.

Each page is one file: style, formulas (`formulas`) and pictures are in it. Sliders work through the few lines
of JavaScript that come with them in the notebook's outputs (`widgets`). Light or dark is the reader's setting.
"""

import html
import re
from collections.abc import Mapping
from importlib.resources import files

import nbformat
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from dpdefocus import formulas

__all__ = ["asset", "markdown_body", "markdown_page", "notebook_page", "page", "title_of"]

# Cells with this tag serve where a notebook runs, and say nothing to those who read it.
NOT_SHOWN = "not-on-pages"


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


class _Exporter(HTMLExporter):
    """The cells of a notebook as the body of a page, without a program that draws formulas later."""

    def __init__(self):
        super().__init__(template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True)

    def default_filters(self):
        yield from super().default_filters()
        yield ("markdown2html", markdown_body)


def notebook_page(notebook: nbformat.NotebookNode, navigation: Mapping[str, str] | None = None) -> str:
    """An executed notebook as a page.

    Args:
        notebook: with its outputs.
        navigation: text -> address of what is linked above it.
    """
    shown = [cell for cell in notebook.cells if NOT_SHOWN not in cell.metadata.get("tags", [])]
    body = _Exporter().from_notebook_node(nbformat.from_dict({**notebook, "cells": shown}))[0]
    return page(title_of(notebook), body, navigation)


def markdown_page(source: str, navigation: Mapping[str, str] | None = None) -> str:
    """Markdown, its first line a heading, as a page."""
    return page(source.partition("\n")[0].lstrip("# "), markdown_body(source), navigation)


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
