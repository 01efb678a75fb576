"""Figures of lesson 1: curves, rows of images, grids of kernels, each with a caption and alternative text.

Images are linear; they are drawn with a gamma of 2.2, maps of defocus with a colour bar in the unit given.
"""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np

GAMMA = 2.2


class Captioned:
    """A drawn figure with caption and alternative text: what a notebook shows where it is displayed."""

    def __init__(self, figure, caption: str, alt: str):
        self.caption, self.alt = caption, alt
        with io.BytesIO() as file:
            figure.savefig(file, format="png", dpi=90)
            self.png = file.getvalue()
        plt.close(figure)

    def __repr__(self):
        return self.caption

    def _repr_html_(self):
        source = base64.b64encode(self.png).decode()
        alt, caption = html.escape(self.alt), html.escape(self.caption)
        image = f'<img style="max-width: 100%" alt="{alt}" src="data:image/png;base64,{source}">'
        return f"<figure>{image}<figcaption><em>{caption}</em></figcaption></figure>"


def curves(x, lines: dict, xlabel: str, ylabel: str):
    """Several curves over one axis, labelled, with the zero line."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for style, (label, y) in zip(("-", "--", "-.", ":") * 2, lines.items(), strict=False):
        axes.plot(x, y, style, label=label, linewidth=2)
    axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    axes.legend(frameon=False)
    return figure


def photographs(images: dict, bar: int = 20):
    """Linear images side by side on one brightness scale, with a scale bar of `bar` pixels."""
    figure, axes = plt.subplots(1, len(images), figsize=(11, 3.2), layout="constrained", squeeze=False)
    top = max(float(np.max(image)) for image in images.values())
    for plot, (title, image) in zip(axes[0], images.items(), strict=True):
        plot.imshow(np.clip(np.asarray(image) / top, 0, 1) ** (1 / GAMMA), cmap="gray", vmin=0, vmax=1)
        height = np.shape(image)[0]
        plot.plot([4, 4 + bar], [0.95 * height] * 2, color="black", linewidth=5)
        plot.plot([4, 4 + bar], [0.95 * height] * 2, color="white", linewidth=3)
        box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
        plot.text(4, 0.91 * height, f"{bar} px", color="white", fontsize=9, bbox=box)
        plot.set_title(title)
        plot.axis("off")
    return figure


def maps(images: dict, unit: str):
    """Maps side by side on one perceptually uniform colour scale, with a bar in `unit`; NaN is left white."""
    figure, axes = plt.subplots(1, len(images), figsize=(11, 3.2), layout="constrained", squeeze=False)
    low, high = (pick([pick(image) for image in images.values()]) for pick in (np.nanmin, np.nanmax))
    for plot, (title, image) in zip(axes[0], images.items(), strict=True):
        drawn = plot.imshow(image, cmap="viridis", vmin=low, vmax=high)
        plot.set_title(title)
        plot.axis("off")
    figure.colorbar(drawn, ax=axes, label=unit, shrink=0.9)
    return figure


def kernel_pairs(kernels, titles):
    """Pairs of kernels [n, views, kernel, kernel]: left above, right below, each pair on its own scale."""
    figure, axes = plt.subplots(2, len(kernels), figsize=(1.7 * len(kernels), 3.6), layout="constrained")
    for column, (pair, title) in enumerate(zip(kernels, titles, strict=True)):
        for row, (kernel, view) in enumerate(zip(pair, ("left", "right"), strict=True)):
            axes[row, column].imshow(kernel, cmap="viridis", vmin=0, vmax=np.max(pair))
            axes[row, column].set(xticks=[], yticks=[])
            if column == 0:
                axes[row, column].set_ylabel(view)
        axes[0, column].set_title(title, fontsize=10)
    return figure


def kernel_grids(grids: dict):
    """Grids of kernels [rows, cols, views, kernel, kernel], one picture for each view and grid."""
    figure, axes = plt.subplots(
        len(grids), 2, figsize=(11, 3.9 * len(grids)), layout="constrained", squeeze=False
    )
    for row, (title, kernels) in zip(axes, grids.items(), strict=True):
        size = kernels.shape[-1]
        middle = slice(size // 5, size - size // 5)
        for view, (plot, name) in enumerate(zip(row, ("left", "right"), strict=True)):
            tiles = np.asarray(kernels)[:, :, view, middle, middle]
            side = tiles.shape[-1]
            mosaic = tiles.transpose(0, 2, 1, 3).reshape(tiles.shape[0] * side, -1)
            plot.imshow(mosaic, cmap="viridis", vmin=0, vmax=np.max(kernels))
            plot.set(title=f"{title}, {name}", xticks=[], yticks=[], xlabel="position in the frame")
    return figure
