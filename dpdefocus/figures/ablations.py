"""Figures of lesson 5: results side by side as in the paper's Fig. 8, and the effect of each part.

Images are [height, width]; photographs are linear and drawn with a gamma of 2.2, maps in units of the
calibrated kernels.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from dpdefocus.data.capture import GroundTruth
from dpdefocus.evaluation.ablations import FULL, Ablation, Effect, Solved
from dpdefocus.figures.common import for_screen, grey

ACROSS = 4  # columns of a figure of many results


def side_by_side(truth: GroundTruth, solved: Mapping[str, Solved], ratio: float = 2.2) -> plt.Figure:
    """The truth, and a method with one part left out at a time: sharp images above maps, on common scales.

    The keys of `solved` name what is left out: `ablations.FULL` leaves out nothing. Each column is `ratio`
    inches wide. Pixels whose size is not known are white in the true map.
    """
    known = np.where(truth.mask, truth.defocus_map, np.nan)
    named = {
        "nothing left out" if name == FULL.name else f"without {name}": each for name, each in solved.items()
    }
    columns = {"truth": (truth.all_in_focus, known)} | named
    low, high = np.nanmin(known), np.nanmax(known)
    white = float(truth.all_in_focus.max())
    height, width = truth.all_in_focus.shape
    blocks = -(-len(columns) // ACROSS)
    across = min(len(columns), ACROSS)
    figure, axes = plt.subplots(
        2 * blocks,
        across,
        figsize=(ratio * across + 0.7, blocks * (2 * ratio * height / width + 0.4)),
        layout="constrained",
        squeeze=False,
    )
    for each in axes.flat:
        each.axis("off")
    for number, (title, (sharp, size)) in enumerate(columns.items()):
        row, column = 2 * (number // ACROSS), number % ACROSS
        above, below = axes[row, column], axes[row + 1, column]
        above.imshow(grey(sharp, white), cmap="gray", vmin=0, vmax=255)
        above.set_title(title, fontsize=10)
        drawn = below.imshow(for_screen(size), cmap="viridis", vmin=low, vmax=high)
    figure.colorbar(drawn, ax=axes, label="defocus size d", shrink=0.6 / blocks, aspect=20)
    return figure


def worth(
    ablations: Sequence[Ablation], effects: Mapping[str, Mapping[str, Effect]], units: Mapping[str, str]
) -> plt.Figure:
    """Loss without each part, in the score that it should hurt: mean and spread over the captures.

    One panel for each score that some part should hurt; `units` names the scores. Right of zero is worse.
    """
    scores = [name for name in units if any(each.hurts == name for each in ablations)]
    counts = [sum(each.hurts == name for each in ablations) for name in scores]
    figure, axes = plt.subplots(
        len(scores),
        1,
        figsize=(7, 0.34 * sum(counts) + 0.75 * len(scores)),
        height_ratios=counts,
        layout="constrained",
        squeeze=False,
    )
    for panel, score in zip(axes[:, 0], scores, strict=True):
        parts = [each for each in ablations if each.hurts == score][::-1]
        found = [effects[each.name][score] for each in parts]
        rows = np.arange(len(parts))
        panel.axvline(0, color="0.6", linewidth=0.8)
        panel.errorbar(
            [effect.worse for effect in found],
            rows,
            xerr=[effect.spread for effect in found],
            fmt="o",
            color="#0072B2",
            capsize=3,
        )
        panel.set_yticks(rows, [f"without {each.name}" for each in parts])
        panel.set(xlabel=f"worse by, {units[score]}", ylim=(-0.6, len(parts) - 0.4))
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def compared(scores: Mapping[str, Sequence[Mapping[str, float]]], units: Mapping[str, str]) -> plt.Figure:
    """Scores of several methods on the same captures: a dot for each capture, a bar at their mean.

    One panel for each score in `units`, which names it; a method without that score has an empty row.
    """
    across = 3
    down = -(-len(units) // across)
    figure, axes = plt.subplots(
        down,
        across,
        figsize=(3.5 * across, (0.28 * len(scores) + 0.9) * down),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    rows = np.arange(len(scores))[::-1]
    for panel, (name, title) in zip(axes.flat, units.items(), strict=False):
        for row, captures in zip(rows, scores.values(), strict=True):
            values = [each[name] for each in captures if name in each]
            if values:
                panel.plot(values, [row] * len(values), "o", color="#0072B2", alpha=0.6, markersize=5)
                panel.plot([np.mean(values)] * 2, [row - 0.35, row + 0.35], color="#D55E00", linewidth=3)
        panel.set_yticks(rows, list(scores))
        panel.set(xlabel=title, ylim=(-0.6, len(scores) - 0.4))
        panel.grid(axis="y", color="0.9")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    for panel in axes.flat[len(units) :]:
        panel.axis("off")
    return figure
