"""A result as one picture for people: sharp image, defocus map and confidence side by side.

Axes: images [height, width]. Units: the sharp image is linear raw, drawn with the tone curve of sRGB
(IEC 61966-2-1); the defocus map is in calibrated kernels; lengths of the layout are pixels of the picture.

Drawn by Agg alone, without pyplot: no window, no display and no state of other figures.
"""

import io
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dpdefocus.data.result import Result

DPI = 100
PANEL = 720  # the longer side of an image
NARROWEST = 420  # of a column, so that its texts fit
GAP, TITLE, FOOT = 28, 52, 100  # between columns; above the images; below them
BAR = 18  # height of a colour bar
BAR_BELOW = 14  # its distance from the image

# Shares of the pixels, in percent: what is brighter is drawn white, and what lies beyond the outer sizes
# takes their colours, so that few stray pixels do not spoil the scale.
WHITE = 99.5
SIZES = 0.5, 99.5


class Panel(NamedTuple):
    """One image of the picture, its colours from `low` to `high`, and what stands below it."""

    title: str
    values: Float[np.ndarray, "height width"]
    colours: str
    low: float
    high: float
    text: str


def preview_png(result: Result, caption: str) -> bytes:
    """A PNG file with the result's images and their scales; a caption of up to four lines is below the first.

    The longer side of each image becomes `PANEL` pixels.
    """
    height, width = result.all_in_focus.shape
    zoom = PANEL / max(height, width)
    size = max(1, round(height * zoom)), max(1, round(width * zoom))
    column = max(size[1], NARROWEST)
    whole = TITLE + size[0] + FOOT, 3 * column + 4 * GAP
    figure = Figure(figsize=(whole[1] / DPI, whole[0] / DPI), dpi=DPI)
    for number, panel in enumerate(_panels(result, size, caption)):
        left = GAP + number * (column + GAP) + (column - size[1]) // 2
        axes = _axes(figure, whole, TITLE, left, size)
        colours = {"cmap": panel.colours, "vmin": panel.low, "vmax": panel.high}
        drawn = axes.imshow(panel.values, aspect="auto", interpolation="nearest", **colours)
        axes.axis("off")
        axes.set_title(panel.title, fontsize=17, pad=12)
        below = _axes(figure, whole, TITLE + size[0] + BAR_BELOW, left, (BAR, size[1]))
        if number:
            figure.colorbar(drawn, cax=below, orientation="horizontal").set_label(panel.text, fontsize=12)
            below.tick_params(labelsize=12)
        else:
            below.axis("off")
            below.text(0.5, 1, panel.text, fontsize=12, ha="center", va="top", linespacing=1.4)
    with io.BytesIO() as file:
        FigureCanvasAgg(figure).print_png(file)
        return file.getvalue()


def screen_tones(image: Float[np.ndarray, "height width"], white: float) -> Float[np.ndarray, "height width"]:
    """A linear image as a screen expects it, in [0, 1]: ``white`` and more as 1, then the curve of sRGB."""
    unit = np.clip(image / white, 0, 1)
    return np.where(unit <= 0.0031308, 12.92 * unit, 1.055 * unit ** (1 / 2.4) - 0.055)


def _panels(result: Result, size: tuple[int, int], caption: str) -> list[Panel]:
    """The three images at the given (height, width)."""
    white = max(float(np.percentile(result.all_in_focus, WHITE)), 1e-6)
    low, high = (float(size) for size in np.percentile(result.defocus_map, SIZES))
    # Means over areas where the image shrinks; of linear light, so before the tone curve.
    sharp, sizes, sure = (
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
        for image in (result.all_in_focus, result.defocus_map, result.confidence)
    )
    blur = "size of the blur: 0 in focus, 1 as in the calibration"
    return [
        Panel("Sharp image", screen_tones(sharp, white), "gray", 0, 1, caption),
        Panel("Defocus map", sizes, "viridis", low, high, blur),
        Panel("Confidence", sure, "cividis", 0, 1, "trust in the defocus map: 0 none, 1 full"),
    ]


def _axes(figure: Figure, whole: tuple[int, int], top: int, left: int, size: tuple[int, int]) -> Axes:
    """Axes of (height, width) pixels, placed from the upper left corner of the ``whole`` picture."""
    height, width = whole
    below = height - top - size[0]
    return figure.add_axes((left / width, below / height, size[1] / width, size[0] / height))
