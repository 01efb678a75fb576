"""Figures of lesson 1: rays through the two half-apertures, blur kernels, and panels for its sliders.

Kernels are [height, width] in pixels. Panels are 8-bit, [height, width] or [height, width, 3].
"""

import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float

# Colours of the two half-apertures, distinguishable with every kind of colour vision.
VIEW_COLOURS = {"left": "#0072B2", "right": "#D55E00"}


def rays() -> plt.Figure:
    """Rays of three points through each half of a thin lens, seen from above; lengths are not to scale."""
    figure, rows = plt.subplots(3, 1, figsize=(7, 6), sharex=True, layout="constrained")
    sensor = 1.6
    titles = ("behind the plane in focus, d > 0", "in focus, d = 0", "in front of the plane in focus, d < 0")
    for axes, title, image in zip(rows, titles, (1.15, sensor, 2.4), strict=True):
        # With a focal length of 1 (times the unit of this drawing), the point lies at image / (image - 1).
        point = min(image / (image - 1), 3.2)
        axes.add_patch(plt.matplotlib.patches.Ellipse((0, 0), 0.12, 2.3, color="0.85"))
        for view, half in (("left", -1), ("right", 1)):
            for height in half * np.linspace(0.12, 1, 6):
                landing = height * (1 - sensor / image)
                first = (-point, 0) if image > 1.2 else (-3.2, height * 0.55)
                along, across = zip(first, (0, height), (sensor, landing), strict=True)
                axes.plot(along, across, color=VIEW_COLOURS[view], linewidth=1)
            axes.plot([], [], color=VIEW_COLOURS[view], label=f"to the {view} half-pixels")
        axes.plot([sensor] * 2, [-1.15, 1.15], color="black", linewidth=3)
        axes.set(title=title, xlim=(-3.3, 2), ylim=(-1.25, 1.25), yticks=[])
        axes.text(sensor + 0.05, 0.8, "sensor", fontsize=10)
        axes.spines[["left", "right", "top"]].set_visible(False)
    rows[1].legend(loc="lower left", frameon=False, fontsize=10)
    rows[2].set(xlabel="along the optical axis; the lens is at 0, one focal length at 1")
    return figure


def kernel_pairs(kernels: Float[np.ndarray, "n 2 size size"], titles: list[str]) -> plt.Figure:
    """Pairs of kernels: left above, right below, each pair on its own scale; with the size of the field."""
    figure, axes = plt.subplots(2, len(kernels), figsize=(1.5 * len(kernels), 3.4), layout="constrained")
    for column, (pair, title) in enumerate(zip(kernels, titles, strict=True)):
        for row, (kernel, view) in enumerate(zip(pair, ("left", "right"), strict=True)):
            axes[row, column].imshow(kernel, cmap="viridis", vmin=0, vmax=np.max(pair))
            axes[row, column].set(xticks=[], yticks=[])
            if column == 0:
                axes[row, column].set_ylabel(view)
        axes[0, column].set_title(title, fontsize=11)
    axes[1, 0].set_xlabel(f"{kernels.shape[-1]} px wide")
    return figure


def kernel_grids(grids: dict[str, np.ndarray]) -> plt.Figure:
    """Grids of kernels [rows, cols, views, size, size]: each grid a row, its left view and its right one.

    Each grid is drawn on its own brightness scale, without the kernels' empty rim.
    """
    figure, axes = plt.subplots(
        len(grids), 2, figsize=(9, 4.2 * len(grids)), layout="constrained", squeeze=False
    )
    for row, (title, kernels) in zip(axes, grids.items(), strict=True):
        lit = np.nonzero(kernels.max((0, 1, 2)) > 0.02 * kernels.max())
        centre = kernels.shape[-1] // 2
        half = min(max(int(np.abs(index - centre).max()) for index in lit) + 1, centre)
        middle = slice(centre - half, centre + half + 1)
        rows, cols, side = *kernels.shape[:2], 2 * half + 1
        for view, (plot, name) in enumerate(zip(row, ("left", "right"), strict=True)):
            tiles = kernels[:, :, view, middle, middle]
            mosaic = tiles.transpose(0, 2, 1, 3).reshape(rows * side, cols * side)
            plot.imshow(mosaic, cmap="viridis", vmin=0, vmax=np.max(kernels))
            plot.set(title=f"{title}, {name}")
            plot.set_xticks(side * (np.arange(cols) + 0.5) - 0.5, np.arange(1, cols + 1))
            plot.set_yticks(side * (np.arange(rows) + 0.5) - 0.5, np.arange(1, rows + 1))
            plot.set(xlabel=f"column of the frame (a cell is {side} px)", ylabel="row")
    return figure
