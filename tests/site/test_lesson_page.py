"""A lesson's page: its code links to the reference, the reference back to it, its words to the glossary."""

import re
from pathlib import Path

import pytest
from nbformat import v4

from dpdefocus import site

CELLS = [
    v4.new_markdown_cell("# Lesson 7 · L\n\nA bias, see `mpi.render`.\n\n## 1. Bias\n\n## 2. Two", id="a"),
    v4.new_code_cell("import dpdefocus as dp\nfrom dpdefocus.optics import Lens, mpi", id="b"),
    v4.new_code_cell("hidden = dp.load_result", id="c", metadata={"tags": [site.NOT_SHOWN]}),
    v4.new_code_cell("dp.solve(mpi.render, Lens)\ndp.solve(1)", id="d"),
    v4.new_markdown_cell("More bias.", id="e"),
]
RENDER = "reference_optics.html#optics.mpi.render"


@pytest.fixture(scope="module")
def library():
    return site.read_library()


@pytest.fixture(scope="module")
def uses(library):
    return site.uses_in_cells(v4.new_notebook(cells=CELLS), library)


def test_code_and_text_link_to_the_reference_and_words_to_the_glossary(library, uses):
    lesson = v4.new_notebook(cells=CELLS)
    body, headings = site.lesson_body(lesson, library, uses, {"bias": "glossary.html#bias"})
    assert (
        body.count('<a class="term" href="glossary.html#bias">bias</a>') == body.count("glossary.html") == 1
    )
    assert f'<a href="{RENDER}"><code>mpi.render</code></a>' in body
    code = re.search(r'<div id="code-d">(.*?)</pre>', body, re.DOTALL)[1]
    linked = [re.sub("<[^>]*>", "", text) for text in re.findall("<a [^>]*>(.*?)</a>", code)]
    assert linked == ["dp.solve", "mpi.render", "Lens"]
    assert [each.title for each in headings if each.level == 2] == [
        "1. Bias",
        "2. Two",
        "Library used in this lesson",
    ]
    listed = re.findall(r"<li>(.*?)</li>", body.partition("Library used")[2])
    assert [re.sub("<[^>]*>", "", each) for each in listed] == ["solver: solve", "optics: Lens, render"]


def test_a_lesson_without_the_library_lists_none(library):
    lesson = v4.new_notebook(cells=[v4.new_markdown_cell("# L"), v4.new_code_cell("x = 1")])
    body, _ = site.lesson_body(lesson, library, site.uses_in_cells(lesson, library), {})
    assert "Library used" not in body


def test_reference_leads_back_to_the_first_cell_that_does_more_than_import(uses):
    other = {"z": uses["b"]}
    found = site.uses_in_lessons({Path("07_l.ipynb"): uses, Path("08_m.ipynb"): other})
    assert found["optics.lens.Lens"] == [("lesson 7", "07_l.html#code-d"), ("lesson 8", "08_m.html#code-z")]
    assert found["solver.solve"] == [("lesson 7", "07_l.html#code-d")]
    assert "data.result.load_result" not in found
