"""Lesson 5: its parameters, what it compares, and that a claim which does not hold stops it."""

import re

import nbformat
import pytest
from lessons import ROOT, code_cells, figures, nbval

from dpdefocus.ablations import FAST, PUBLISHED
from dpdefocus.baselines import BASELINES
from dpdefocus.batch import known_parameters

LESSON = ROOT / "notebooks" / "05_ablations.ipynb"


@pytest.fixture
def lesson():
    return nbformat.read(LESSON, as_version=4)


def test_parameters_are_the_stable_interface():
    expected = {"seed": 0, "captures": 2, "iterations": 150, "data_dir": "", "scene": "001"}
    assert known_parameters(LESSON) == expected


def test_slider_leaves_out_every_part_that_the_text_promises(lesson):
    text = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    promised = re.findall(r"^\| ([a-z ]+?)(?: \(\d+\))? \| .* \| \S+ \|$", text, re.MULTILINE)
    parts = {part.name for part in FAST}
    pages = "".join(data["text/html"] for data in figures(lesson))
    labels = re.search(r'\[\["full", (.*?)\]\]', pages)[1]
    shown = re.findall(r'"([^"]+)"', labels)
    assert shown and set(shown) == {name for name in promised if name in parts}


def test_all_losses_and_baselines_are_in_the_text(lesson):
    text = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    for part in PUBLISHED:
        assert re.search(rf"^\| {part.name}", text, re.MULTILINE), part.name
    for each in BASELINES.values():
        authors = each.citation.partition(" ")[0]
        assert authors == "none" or authors in text, each.citation


def test_claims_about_parts_are_asserted_and_a_part_without_effect_stops_the_lesson(lesson, tmp_path):
    """The first cells, results that are all the same, and the cell that says what got worse."""
    cells = code_cells(lesson)
    claim = next(cell for cell in cells if "worth = " in cell.source)
    assert "without neighbours: worse in the score that it should hurt" in claim.outputs[0].text
    same = (
        "parts = list(FAST)\n"
        "fast = {name: [ablations.Solved(*case.truth[:2]) for case in cases]\n"
        "        for name in ['full', *(part.name for part in parts)]}\n"
        "scored = lambda solved, truth: dict.fromkeys(ablations.BETTER, 0.0)"
    )
    kept = [cells[0], cells[1], nbformat.v4.new_code_cell(same, execution_count=3), claim]
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=kept, metadata=lesson.metadata), path)
    done = nbval(path)
    assert done.status == 1 and "1 failed, 3 passed" in done.output, done.output
    told = re.sub(r"\x1b\[[0-9;]*m", "", done.output)
    assert "AssertionError: neighbours" in told, told
