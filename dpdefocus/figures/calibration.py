"""Figures of lesson 2: the chart as it was found, kernels beside their truth, cells, weights, and scaling.

Kernels are [size, size] in pixels, or grids [rows, cols, views, size, size]; points are (x, y) in pixels.
Panels are 8-bit, [height, width] or [height, width, 3].
"""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8

from dpdefocus.calibration.quadratic_programme import Weights
from dpdefocus.calibration.report import mosaic
from dpdefocus.figures.formation import VIEW_COLOURS

ARROW = 100  # residuals of the detection are drawn this many times as long


def detection(
    contrast: Float[np.ndarray, "height width"],
    found: Float[np.ndarray, "discs 2"],
    residuals: Float[np.ndarray, "discs 2"],
) -> plt.Figure:
    """The photograph with the discs' centres as found, and their residuals from the geometry, enlarged."""
    height, width = contrast.shape
    figure, axes = plt.subplots(figsize=(7.5, 7.5 * height / width + 0.5), layout="constrained")
    axes.imshow(contrast, cmap="gray", vmin=0, vmax=1)
    axes.plot(*found.T, "o", markersize=5, fillstyle="none", color="#56B4E9", label="centre found")
    axes.quiver(
        *found.T,
        *(ARROW * residuals.T),
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.006,
        color="#E69F00",
        label=f"from the geometry to it, {ARROW} times",
    )
    axes.set(xlabel="x (pixels)", ylabel="y (pixels)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def picture(found: UInt8[np.ndarray, "height width 3"]) -> plt.Figure:
    """A picture with marks on what was found (`failure.picture_of`)."""
    height, width = found.shape[:2]
    figure, axes = plt.subplots(figsize=(7.5, 7.5 * height / width + 0.5), layout="constrained")
    axes.imshow(found[..., ::-1])
    axes.set(xlabel="x (pixels)", ylabel="y (pixels)")
    return figure


def compare_kernel_grids(grids: Mapping[str, np.ndarray]) -> plt.Figure:
    """Whole grids, as in Fig. 4: for each a row, its left view and its right one, on one brightness scale."""
    top = max(float(kernels.max()) for kernels in grids.values())
    rows, cols, _, size, _ = next(iter(grids.values())).shape
    figure, axes = plt.subplots(
        len(grids), 2, figsize=(9, 4.5 * len(grids) * rows / cols + 0.6), layout="constrained", squeeze=False
    )
    for row, (title, kernels) in zip(axes, grids.items(), strict=True):
        for cell, view, sheet in zip(row, VIEW_COLOURS, mosaic(kernels, np.nan), strict=True):
            drawn = cell.imshow(sheet, cmap="viridis", vmin=0, vmax=top)
            cell.set(xticks=[], yticks=[], title=f"{title}, {view}")
    axes[-1, 0].set_xlabel(f"each kernel {size} px wide")
    figure.colorbar(drawn, ax=axes, label="share of the light, per pixel", shrink=0.8)
    return figure


def comparison(
    pairs: Mapping[str, tuple[Float[np.ndarray, "size size"], Float[np.ndarray, "size size"]]],
    titles: tuple[str, str] = ("truth", "estimate"),
) -> plt.Figure:
    """For each name a row: two kernels on one scale, and the second minus the first, with zero in white."""
    figure, rows = plt.subplots(
        len(pairs), 3, figsize=(8, 2.6 * len(pairs)), layout="constrained", squeeze=False
    )
    for row, (name, (first, second)) in zip(rows, pairs.items(), strict=True):
        top = first.max()
        for axes, image, title in zip(row[:2], (first, second), titles, strict=True):
            drawn = axes.imshow(image, cmap="viridis", vmin=0, vmax=top)
            axes.set_title(title)
        figure.colorbar(drawn, ax=row[1], shrink=0.8)
        apart = row[2].imshow(second - first, cmap="RdBu_r", vmin=-0.2 * top, vmax=0.2 * top)
        row[2].set_title(f"{titles[1]} − {titles[0]}")
        figure.colorbar(apart, ax=row[2], shrink=0.8)
        row[0].set_ylabel(name)
        for axes in row:
            axes.set(xticks=[], yticks=[])
    rows[-1, 0].set_xlabel(f"{first.shape[-1]} px wide")
    return figure


def cells(values: Mapping[str, Float[np.ndarray, "rows cols"]], unit: str, digits: int = 2) -> plt.Figure:
    """One number for each cell of the grid, as colour and as text; each title a panel of its own."""
    low = min(0.0, *(float(np.min(value)) for value in values.values()))
    high = max(float(np.max(value)) for value in values.values())
    rows, cols = next(iter(values.values())).shape
    figure, axes = plt.subplots(
        1,
        len(values),
        figsize=(min(11, 5.2 * len(values)), 3.6 * rows / cols + 0.9),
        layout="constrained",
        squeeze=False,
    )
    for panel, (title, value) in zip(axes[0], values.items(), strict=True):
        drawn = panel.imshow(value, cmap="viridis", vmin=low, vmax=high)
        for (row, col), number in np.ndenumerate(value):
            dark = number < 0.5 * (low + high)
            panel.text(
                col, row, f"{number:.{digits}f}", ha="center", va="center", color="white" if dark else "black"
            )
        panel.set(title=title, xticks=range(cols), yticks=range(rows), xlabel="column", ylabel="row")
    figure.colorbar(drawn, ax=axes, label=unit)
    return figure


def trials(tried: Mapping[Weights, float], chosen: Weights) -> plt.Figure:
    """Held-out error over the candidates for the smoothness, and for the compactness."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained", sharey=True)
    names = {"smoothness": r"$\lambda_s$", "compactness": r"$\lambda_c$"}
    for panel, (name, symbol) in zip(axes, names.items(), strict=True):
        groups = {}
        for weights, error in tried.items():
            groups.setdefault(weights._replace(**{name: 0.0}), {})[getattr(weights, name)] = error
        line = dict(sorted(max(groups.values(), key=len).items()))
        best = min(tried.values())
        panel.plot(list(line), [error / best for error in line.values()], "o-", color="#0072B2")
        panel.axvline(getattr(chosen, name), color="#D55E00", linestyle="--", label="chosen")
        panel.set(xscale="log", xlabel=f"{symbol} ({name})")
        panel.legend(frameon=False)
    axes[0].set_ylabel("held-out error, 1 = the least")
    return figure


def scatter_lines(
    lines: Mapping[str, tuple[np.ndarray, np.ndarray]], xlabel: str, ylabel: str, xscale: str = "linear"
) -> plt.Figure:
    """Curves with a mark at each point, each over its own values of x, from zero up; NaN leaves a gap."""
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for style, (label, (x, y)) in zip(("o-", "s--", "^-.", "d:"), lines.items(), strict=False):
        axes.plot(x, y, style, label=label, linewidth=2)
    axes.set(xlabel=xlabel, ylabel=ylabel, xscale=xscale)
    axes.set_ylim(0, 1.08 * max(np.nanmax(y) for _, y in lines.values()))
    figure.legend(loc="outside right center", frameon=False)
    return figure


def difference(
    image: Float[np.ndarray, "height width"], largest: float
) -> UInt8[np.ndarray, "height width 3"]:
    """A signed map as an 8-bit panel: blue below zero, white at zero, red above, saturated at ± `largest`."""
    colours = plt.get_cmap("RdBu_r")(0.5 + 0.5 * np.clip(image / largest, -1, 1))
    return np.round(255 * colours[..., :3]).astype(np.uint8)
