"""Figures of lesson 2: drawn for any grid, with what they say they show."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dpdefocus import figures
from dpdefocus.calibration.failure import picture_of
from dpdefocus.calibration.quadratic_programme import Weights


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_every_cell_s_number_is_written_in_it():
    values = np.arange(6.0).reshape(2, 3)
    figure = figures.cells({"left": values, "right": values + 1}, "pixels", digits=0)
    texts = [text.get_text() for axes in figure.axes[:2] for text in axes.texts]
    assert texts == [*"012345", *"123456"]


def test_kernels_lie_in_the_sheet_as_in_the_frame():
    kernels = np.zeros((2, 3, 2, 5, 5), np.float32)
    kernels[1, 2, 1, 2, 2] = 1
    figure = figures.compare_kernel_grids({"all": kernels})
    left, right = (axes.images[0].get_array() for axes in figure.axes[:2])
    assert right.shape == (14, 21) and np.nanmax(left) == 0
    assert right[7 + 1 + 2, 14 + 1 + 2] == 1


def test_the_chosen_weights_are_marked_on_the_candidates():
    tried = {Weights(0.1, s, 1e-4): 2e-9 + s for s in (1e-1, 1e-2, 1e-3)}
    tried |= {Weights(0.1, 1e-3, c): 2e-9 + c for c in (1e-2, 1e-3)}
    figure = figures.trials(tried, Weights(0.1, 1e-3, 1e-3))
    smooth, compact = figure.axes
    assert sorted(smooth.lines[0].get_xdata()) == [1e-3, 1e-2, 1e-1]
    assert sorted(compact.lines[0].get_xdata()) == [1e-4, 1e-3, 1e-2]
    assert compact.lines[1].get_xdata()[0] == 1e-3


def test_difference_is_white_at_zero_and_signed():
    panel = figures.difference(np.array([[-1.0, 0.0, 1.0]]), 1.0)
    low, zero, high = panel[0].astype(int)
    assert zero.min() > 240 and low[2] > low[0] and high[0] > high[2]


def test_picture_of_what_was_found_has_its_colours():
    found = picture_of(np.zeros((40, 50), np.float32), predicted=np.array([[20.0, 20.0]]))
    shown = figures.picture(found).axes[0].images[0].get_array()
    red, _, blue = shown[shown.any(-1)].T.astype(int)
    assert (red > blue).all()  # orange


def test_residuals_and_comparisons_are_drawn():
    found = np.array([[3.0, 4.0], [10.0, 12.0]])
    figure = figures.detection(np.zeros((20, 30)), found, np.full((2, 2), 0.01))
    assert figure.axes[0].lines[0].get_xydata().tolist() == found.tolist()
    kernel = np.random.default_rng(0).random((5, 5))
    rows = figures.comparison({"a": (kernel, kernel), "b": (kernel, kernel)}).axes
    assert {"truth", "estimate", "estimate − truth"} <= {axes.get_title() for axes in rows}
    lines = figures.scatter_lines({"x": (np.arange(3), np.ones(3))}, "x", "y").axes[0].lines
    assert len(lines) == 1
