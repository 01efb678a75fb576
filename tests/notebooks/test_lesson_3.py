"""Lesson 3: every step of the proof is checked in it, and a check that fails stops it."""

import inspect
import re

import nbformat
import pytest
from lesson_checks import ROOT, nbval

from dpdefocus.proof import claims
from dpdefocus.proof.steps import STEPS

LESSON = ROOT / "notebooks" / "03_bias_derivation.ipynb"


# The functions of `proof.claims`, each of which is a check.
CLAIMS = "|".join(
    name
    for name, function in inspect.getmembers(claims, inspect.isfunction)
    if function.__module__ == claims.__name__ and not name.startswith("_")
)


@pytest.fixture
def lesson():
    return nbformat.read(LESSON, as_version=4)


def test_every_step_of_the_proof_is_checked_in_the_lesson(lesson):
    outputs = [output for cell in lesson.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert [name for name in STEPS if f"{name}: holds, by algebra" not in printed] == []


def test_every_displayed_equation_is_followed_by_a_check(lesson):
    cells = lesson.cells
    for number, cell in enumerate(cells):
        if cell.cell_type == "markdown" and "$$" in cell.source:
            following = next(after for after in cells[number + 1 :] if after.cell_type == "code")
            checked = re.search(rf"check\(|proof\.({CLAIMS})\(|^assert ", following.source, re.MULTILINE)
            assert checked, cell.source[:80]


def test_a_failing_check_stops_the_lesson(lesson, tmp_path):
    """A notebook of one cell, which takes (34) as it is printed."""
    source = "from dpdefocus import proof\n"
    source += "wrong = proof.Step('wrong', proof.eq31, proof.eq34_printed, average=True)\n"
    cell = nbformat.v4.new_code_cell(source + "print(proof.check(wrong))", execution_count=1)
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=lesson.metadata), path)
    done = nbval(path)
    assert done.status == 1 and "CheckFailed" in done.output and "1 failed" in done.output, done.output
