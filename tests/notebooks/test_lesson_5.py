"""Lesson 5: its parameters, what it compares, and that a claim which does not hold stops it."""

import re
import sys

import nbformat
import pytest
from lesson_checks import ROOT, code_cells, figures, printed

from dpdefocus.baselines.methods import BASELINES
from dpdefocus.evaluation.ablations import BETTER, FAST, FULL, PUBLISHED, effects
from dpdefocus.evaluation.cases import Case
from dpdefocus.lessons.run import known_parameters

sys.path.insert(0, str(ROOT / "benchmarks"))
import ablations as benchmark

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


def test_text_says_of_every_part_where_it_pays_as_the_records_do(lesson):
    """In the score named beforehand: worse without it on the mean, and on more than half of the captures."""
    text = "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")
    rows = re.findall(r"^\| \*\*(.*pay.*)\*\* \| (.*) \| (.*) \|$", text, re.MULTILINE)
    told = {
        part: (simulated.startswith("pays"), real)
        for simulated, *cells in rows
        for real, cell in zip((True, False), cells, strict=True)
        for part in cell.split(", ")
        if part != "–"
    }
    records = benchmark.recorded()

    def pays(method, part, captures):
        effect = benchmark.measured(records[captures]["runs"][method], part)[part.hurts]
        return effect.worse > 0 and effect.share > 0.5

    assert told == {
        part.name: (pays("fast", part, "simulated"), pays("fast", part, "Pixel 4")) for part in FAST
    }
    losses = {part.name: part for part in PUBLISHED}
    assert pays("published", losses["intensity"], "simulated")
    assert not pays("published", losses["entropy"], "simulated")


def test_claims_about_parts_are_asserted_and_a_part_without_effect_stops_the_lesson(lesson):
    """The cell that says what got worse, on results that are all the same."""
    claim = next(cell for cell in code_cells(lesson) if "worth = " in cell.source)
    assert "without neighbours: worse in the score that it should hurt" in printed(claim)
    fast = {name: [None] for name in (FULL.name, *(part.name for part in FAST))}
    same = {
        "scored": lambda solved, truth: dict.fromkeys(BETTER, 0.0),
        "cases": [Case("a", None, None, None)],
    }
    names = {"FULL": FULL, "parts": FAST, "effects": effects, "fast": fast} | same
    with pytest.raises(AssertionError, match="neighbours"):
        exec(claim.source, names)
    names["scored"] = lambda solved, truth: {name: sign * float(solved or 0) for name, sign in BETTER.items()}
    names["fast"] = {name: [1 if name == FULL.name else 0] for name in fast}
    exec(claim.source, names)
