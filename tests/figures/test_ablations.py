"""Figures of lesson 5: what is drawn is what was given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from dpdefocus import figures
from dpdefocus.data.capture import GroundTruth
from dpdefocus.evaluation.ablations import Ablation, Effect, Solved


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_results_stand_side_by_side_on_the_truth_s_scales():
    rng = np.random.default_rng(0)
    sharp, size = rng.random((2, 20, 30), np.float32)
    truth = GroundTruth(sharp, size, size > 0.2)
    solved = {name: Solved(sharp * 2, size * n) for n, name in enumerate(["full", "a", "b", "c"])}
    figure = figures.side_by_side(truth, solved)
    shown = [axes for axes in figure.axes if axes.images]
    titles = [axes.get_title() for axes in shown if axes.get_title()]
    assert titles == ["truth", "nothing left out", "without a", "without b", "without c"]
    maps = [axes.images[0] for axes in shown if axes.images[0].get_cmap().name == "viridis"]
    assert len(maps) == 5 and {image.get_clim() for image in maps} == {(size[size > 0.2].min(), size.max())}
    assert np.isnan(np.ma.filled(maps[0].get_array(), np.nan)).any()


def test_worth_shows_each_part_once_under_the_score_it_should_hurt():
    parts = [Ablation("a", hurts="psnr"), Ablation("b", hurts="aiwe1"), Ablation("c", hurts="aiwe1")]
    effects = {
        part.name: {name: Effect(n, 0.5, 1.0) for name in ("psnr", "aiwe1")} for n, part in enumerate(parts)
    }
    figure = figures.worth(parts, effects, {"ssim": "SSIM", "psnr": "PSNR", "aiwe1": "AIWE(1)"})
    first, second = figure.axes
    assert "PSNR" in first.get_xlabel() and "AIWE(1)" in second.get_xlabel()
    assert [label.get_text() for label in first.get_yticklabels()] == ["without a"]
    assert [label.get_text() for label in second.get_yticklabels()] == ["without c", "without b"]
    dots = second.containers[0].lines[0]
    assert list(dots.get_xdata()) == [2, 1]


def test_compared_has_a_row_for_each_method_and_none_of_its_dots_where_a_score_lacks():
    scores = {"one": [{"psnr": 20.0, "aiwe1": 0.1}, {"psnr": 22.0, "aiwe1": 0.2}], "other": [{"aiwe1": 0.3}]}
    figure = figures.compared(scores, {"psnr": "PSNR", "aiwe1": "AIWE(1)"})
    psnr, aiwe = figure.axes[:2]
    assert [label.get_text() for label in psnr.get_yticklabels()] == ["one", "other"]
    dots, bar = psnr.lines
    assert list(dots.get_xdata()) == [20, 22] and list(bar.get_xdata()) == [21, 21]
    assert len(aiwe.lines) == 4 and not figure.axes[2].axison
