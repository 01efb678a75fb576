"""Figures that the lessons share: photographs, maps and curves, each with a caption and alternative text.

Images are [height, width], in pixels. Photographs are linear and drawn with a gamma of 2.2; maps come with a
colour bar in the unit given. Large images are reduced for the screen; scale bars count the original pixels.
"""

import base64
import html
import io
from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.image import AxesImage

from dpdefocus.support.panels import colour_panel, grey_panel

SCREEN = 480  # most columns of an image in a figure
QUALITY = 88  # of WebP, in percent


class Captioned:
    """A drawn figure with caption and alternative text, as a notebook displays it."""

    def __init__(self, figure: plt.Figure, caption: str, alt: str):
        self.caption, self.alt = caption, alt
        with io.BytesIO() as file:
            options = {"bbox_inches": "tight", "pad_inches": 0.05, "pil_kwargs": {"quality": QUALITY}}
            figure.savefig(file, format="webp", dpi=90, **options)
            self.webp = file.getvalue()
        plt.close(figure)

    def __repr__(self):
        return self.caption

    def _repr_html_(self):
        source = f"data:image/webp;base64,{base64.b64encode(self.webp).decode()}"
        image = f'<img style="max-width: 100%" alt="{html.escape(self.alt)}" src="{source}">'
        return f"<figure>{image}<figcaption><em>{html.escape(self.caption)}</em></figcaption></figure>"


def for_screen(image: Float[np.ndarray, "height width"], columns: int = SCREEN) -> Float[np.ndarray, "h w"]:
    """The image reduced by a whole factor, by means over blocks, so that it has at most so many columns."""
    factor = -(-image.shape[1] // columns)
    height, width = (length // factor for length in image.shape)
    blocks = np.asarray(image, np.float32)[: height * factor, : width * factor]
    return cv2.resize(blocks, (width, height), interpolation=cv2.INTER_AREA)


def most_different(
    first: Float[np.ndarray, "height width"], second: Float[np.ndarray, "height width"], side: int
) -> tuple[slice, slice]:
    """The square window of the given side with the largest sum of squared differences of two images."""
    side = min(side, *first.shape)
    power = cv2.boxFilter(np.square(np.float32(first - second)), -1, (side, side), anchor=(0, 0))
    power = power[: first.shape[0] - side + 1, : first.shape[1] - side + 1]
    top, left = (int(at) for at in np.unravel_index(power.argmax(), power.shape))
    return slice(top, top + side), slice(left, left + side)


def photographs(images: Mapping[str, np.ndarray], white: float | None = None) -> plt.Figure:
    """Linear images side by side on one brightness scale, up to `white` or the brightest, with scale bars."""
    figure, row = _row(images)
    top = max(float(np.max(image)) for image in images.values()) if white is None else white
    for axes, (title, image) in zip(row, images.items(), strict=True):
        _draw(axes, title, image, grey(np.asarray(image), top), cmap="gray", vmin=0, vmax=255)
        _scale_bar(axes, *np.shape(image))
    return figure


def maps(
    images: Mapping[str, np.ndarray], unit: str, colours: str = "viridis", limits: tuple | None = None
) -> plt.Figure:
    """Maps side by side on one colour scale, with a bar in `unit`; NaN is left white."""
    figure, row = _row(images)
    low, high = limits or tuple(
        pick([pick(image) for image in images.values()]) for pick in (np.nanmin, np.nanmax)
    )
    for axes, (title, image) in zip(row, images.items(), strict=True):
        drawn = _draw(axes, title, image, for_screen(np.asarray(image)), cmap=colours, vmin=low, vmax=high)
    figure.colorbar(drawn, ax=row, label=unit, shrink=0.9)
    return figure


def curves(
    x: np.ndarray, lines: Mapping[str, np.ndarray], xlabel: str, ylabel: str, yscale: str = "linear"
) -> plt.Figure:
    """Several curves over one axis, labelled; on a linear scale with a line at zero."""
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for style, (label, y) in zip(("-", "--", "-.", ":") * 2, lines.items(), strict=False):
        axes.plot(x, y, style, label=label, linewidth=2)
    if yscale == "linear":
        axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale=yscale)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def grey(image: Float[np.ndarray, "height width"], white: float) -> UInt8[np.ndarray, "h w"]:
    """A linear image as an 8-bit panel, reduced for the screen; `white` and brighter become 255."""
    return grey_panel(for_screen(image), white)


def coloured(image: Float[np.ndarray, "height width"], low: float, high: float) -> UInt8[np.ndarray, "h w 3"]:
    """A map as an 8-bit panel in colour, reduced for the screen, `low` dark and `high` bright."""
    return colour_panel(for_screen(image), low, high)[..., ::-1]


def _row(images: Mapping[str, np.ndarray]) -> tuple[plt.Figure, np.ndarray]:
    """A figure with axes side by side, as high as the first image's shape requires, title included."""
    height, width = np.shape(next(iter(images.values())))
    across = min(11.0, 5.5 * len(images))
    size = (across, across / len(images) * min(height / width, 1.2) + 0.3)
    figure, axes = plt.subplots(1, len(images), figsize=size, layout="constrained", squeeze=False)
    return figure, axes[0]


def _draw(axes: plt.Axes, title: str, image: np.ndarray, shown: np.ndarray, **colours) -> AxesImage:
    """`shown`, an image reduced and toned, on axes that count the pixels of `image`."""
    height, width = np.shape(image)
    drawn = axes.imshow(shown, extent=(0, width, height, 0), **colours)
    axes.set_title(title)
    axes.axis("off")
    return drawn


def _scale_bar(axes: plt.Axes, height: int, width: int) -> None:
    """A bar of 1, 2 or 5 times a power of ten pixels, no longer than an eighth of the image."""
    power = 10 ** int(np.log10(width / 8))
    bar = max(step * power for step in (1, 2, 5) if step * power <= width / 8)
    left, bottom = 0.02 * width, 0.95 * height
    axes.plot([left, left + bar], [bottom] * 2, color="black", linewidth=5)
    axes.plot([left, left + bar], [bottom] * 2, color="white", linewidth=3)
    box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
    axes.text(left, 0.91 * height, f"{bar} px", color="white", fontsize=9, bbox=box)
