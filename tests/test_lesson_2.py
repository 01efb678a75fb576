"""Lesson 2: what it claims is checked in its cells, and a kernel that is not good enough is told."""

import re

import nbformat
import pytest
from lessons import ROOT, code_cells, figures, nbval, printed

LESSON = ROOT / "notebooks" / "02_calibration.ipynb"


@pytest.fixture
def lesson():
    return nbformat.read(LESSON, as_version=4)


def test_every_claim_that_a_cell_checks_holds(lesson):
    claims = [line for cell in code_cells(lesson) for line in printed(cell).splitlines()]
    checked = [line for line in claims if re.search(r": (True|False)\b", line)]
    assert len(checked) >= 8
    assert [line for line in checked if "False" in line] == []


def test_sliders_show_each_weight_from_none_to_too_much(lesson):
    pages = "".join(data["text/html"] for data in figures(lesson))
    sliders = re.findall(r"block\">(.*?) <input", pages)
    assert {"smoothness λs", "compactness λc"} <= set(sliders)
    errors = [int(number) for number in re.findall(r"Relative error (\d+)%, residual", pages)]
    # Sixteen frames, of which some are far better than others.
    assert len(errors) >= 16 and 3 * min(errors) < max(errors)


def test_the_first_attempt_is_graded_and_found_wanting(lesson):
    grades = printed(next(cell for cell in code_cells(lesson) if "def my_kernel" in cell.source))
    assert "yes nowhere negative" in grades and "no  within 5 %" in grades


def test_a_calibrated_kernel_that_fails_its_grade_stops_the_lesson(lesson, tmp_path):
    """The first cells, and the last one on a kernel that is shifted by a pixel."""
    kept = code_cells(lesson)[:3]
    source = "kernel = np.asarray(lens.half_discs().kernels([5.0], 15))[0, 0, 0, 0]\n"
    source += "assert all(kernel_fit.grade(np.roll(kernel, 1, 1), kernel).values())"
    kept.append(nbformat.v4.new_code_cell(source, execution_count=4))
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=kept, metadata=lesson.metadata), path)
    done = nbval(path)
    assert done.status == 1 and "AssertionError" in done.output and "1 failed" in done.output, done.output
