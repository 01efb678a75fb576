"""Lesson 3 as it is committed, and as it runs; a check that fails stops it."""

import re

import nbformat
import pytest
from test_lesson_1 import LESSON as LESSON_1
from test_lesson_1 import NOT_COMPARED, nbval, without_caption

from dpdefocus.derivation import STEPS

LESSON = LESSON_1.with_name("03_bias_derivation.ipynb")


@pytest.fixture
def lesson():
    return nbformat.read(LESSON, as_version=4)


def test_committed_lesson_is_small_executed_and_captioned(lesson):
    assert LESSON.stat().st_size < 1_000_000 and "widgets" not in lesson.metadata
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        drawn = any("text/html" in output.get("data", {}) for output in cell.outputs)
        assert drawn == (NOT_COMPARED in cell.metadata.get("tags", []))
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
    assert without_caption(lesson) == []


def test_every_step_of_the_proof_is_checked_in_the_lesson(lesson):
    outputs = [output for cell in lesson.cells for output in cell.get("outputs", [])]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert [name for name in STEPS if f"{name}: holds, by algebra" not in printed] == []


def test_every_numbered_equation_is_followed_by_a_check(lesson):
    cells = lesson.cells
    for number, cell in enumerate(cells):
        if cell.cell_type == "markdown" and re.search(r"\\tag|\\boxed", cell.source):
            following = next(after for after in cells[number + 1 :] if after.cell_type == "code")
            assert re.search(r"check\(|bias_claims\.", following.source), cell.source[:80]


def test_lesson_runs_within_time_and_memory_and_prints_what_is_committed():
    status, output, seconds, resident = nbval(LESSON)
    assert status == 0, output
    assert seconds < 90
    assert resident < 1e9


def test_a_failing_check_stops_the_lesson(lesson, tmp_path):
    """The first cells, and one that takes (34) as it is printed."""
    kept = [cell for cell in lesson.cells if cell.cell_type == "code"][:2]
    source = "wrong = derivation.Step('wrong', derivation.eq31, derivation.eq34_printed, average=True)\n"
    kept.append(nbformat.v4.new_code_cell(source + "print(check(wrong, seed))", execution_count=3))
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=kept, metadata=lesson.metadata), path)
    status, output, _, _ = nbval(path)
    assert status == 1 and "CheckFailed" in output and "1 failed" in output, output
