"""Lesson 2: what it claims is checked in its cells, and a kernel that is not good enough is told."""

import re

import nbformat
import numpy as np
import pytest
from lesson_checks import ROOT, code_cells, figures, nbval, printed

from dpdefocus import calibration, optics
from dpdefocus.calibration.failure import StepError
from dpdefocus.data import loading
from dpdefocus.optics.kernels import relative_errors
from dpdefocus.support.errors import InputError

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
    source = "from dpdefocus import calibration as wing, optics\n"
    source += "kernel = np.asarray(optics.half_discs().kernels([5.0], 15))[0, 0, 0, 0]\n"
    source += "assert all(wing.grade(np.roll(kernel, 1, 1), kernel).values())"
    kept.append(nbformat.v4.new_code_cell(source, execution_count=4))
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=kept, metadata=lesson.metadata), path)
    done = nbval(path)
    assert done.status == 1 and "AssertionError" in done.output and "1 failed" in done.output, done.output


@pytest.fixture(scope="module")
def ones_own():
    """Photographs of another camera than the lesson's."""
    kernels = np.asarray(optics.field_varying(2, 2, samples=41).kernels([3.5], 15))[0]
    return calibration.photograph_chart(kernels, (110, 130))


def calibrated_in_the_lesson(lesson, monkeypatch, **given):
    """What section 12 leaves: its cells, run with the parameters given but without the sections before."""
    cells = {cell.id: cell.source for cell in code_cells(lesson)}
    shown, names = [], {}
    exec(cells["calibration-01"], names)
    names |= {"own_rows": 2, "own_cols": 2, "own_size": 15} | given
    monkeypatch.setattr("IPython.display.display", shown.append)
    try:
        for cell in ("calibration-02", "own-calibration", "own-figures"):
            exec(cells[cell], names)
    except StepError as error:
        return error, shown
    return names["report"], shown


def test_ones_own_photographs_are_calibrated_and_the_folder_is_kept(lesson, ones_own, monkeypatch, tmp_path):
    folder = str(ones_own.write(tmp_path / "photographs"))
    report, shown = calibrated_in_the_lesson(
        lesson, monkeypatch, photographs=folder, out_dir=str(tmp_path / "out")
    )
    assert len(shown) == 2
    found = loading.load_calibration(tmp_path / "out").kernels
    true = calibration.kernels_seen_from(ones_own, report.found.geometry)
    assert relative_errors(found, true).mean() < 0.05
    assert (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"own_size": 20}, "size: found 20"),
        ({"own_rows": 30}, "grid: 30 x 2 cells"),
        ({"photographs": "", "chart": "mine"}, "chart: found 'mine' without photographs"),
    ],
)
def test_wrong_parameters_of_ones_own_photographs_are_found_before_the_lesson_starts(
    lesson, ones_own, tmp_path, wrong, message
):
    cells, names = {cell.id: cell.source for cell in code_cells(lesson)}, {}
    exec(cells["calibration-01"], names)
    folder = str(ones_own.write(tmp_path / "photographs"))
    names |= {"own_rows": 2, "own_cols": 2, "own_size": 15, "photographs": folder} | wrong
    with pytest.raises(InputError, match=message):
        exec(cells["calibration-02"], names)


def test_ones_own_bad_photographs_stop_the_lesson_with_their_picture(lesson, ones_own, monkeypatch, tmp_path):
    folder = str(calibration.bad_photographs(ones_own, "blank").write(tmp_path))
    error, (picture,) = calibrated_in_the_lesson(lesson, monkeypatch, photographs=folder)
    assert str(error).startswith("threshold: ") and str(error) in picture.caption
    with pytest.raises(InputError, match="does not exist"):
        calibrated_in_the_lesson(lesson, monkeypatch, photographs=str(tmp_path / "nowhere"))
