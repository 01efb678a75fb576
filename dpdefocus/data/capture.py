"""A capture, its calibration and its truth, and the checks that they must pass.

Axes: views = (left, right), [views, height, width]; kernels [rows, cols, views, kernel, kernel] on a grid of
rows x cols equal cells. Units: linear raw in [0, 1]; the calibrated size is defocus size 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32

from dpdefocus.support.errors import InputError

VIEWS = ("left", "right")

# Pixel 4: the full frame, and its central part that the released kernels cover.
PIXEL4_FRAME = (1512, 2016)
PIXEL4_CROP = (1008, 1344)
RELEASED_GRID = (6, 8)

# A kernel whose sum is off by this dims its tile by as much: at white, a quarter of an 8-bit grey level.
KERNEL_SUM_TOLERANCE = 1e-3

# More clipped pixels than this leave too little of the scene to measure blur on.
SATURATED_SHARE = 0.5

# Of a view's linear raw: the right one is multiplied by the relative vignetting.
LARGEST_LINEAR = 4.0

MIDDLE_GREY = 0.5  # the mean intensity for which the published constants are meant


@dataclass(frozen=True)
class Calibration:
    """Blur kernels of both views on a grid, each summing to one; white sheets if vignetting was calibrated.

    ``white`` holds the full frame, black level subtracted. Only the ratio of its views is used.

    Raises:
        InputError: kernels of even size, negative, not finite, or not summing to one; white sheets that are
            not positive.
    """

    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"]
    white: Float32[np.ndarray, "2 frame_height frame_width"] | None = None

    def __post_init__(self) -> None:
        if self.kernels.ndim != 5 or self.kernels.shape[2] != 2:
            raise InputError(f"kernels: found shape {self.kernels.shape}, expected (rows, cols, 2, F, F)")
        for index, view in enumerate(VIEWS):
            check_kernels(self.kernels[:, :, index], f"kernels of the {view} view")
            if self.white is not None:
                check_white(self.white[index], f"white sheet of the {view} view")


@dataclass(frozen=True)
class Capture:
    """One dual-pixel photograph, ready to use: linear, black level subtracted, cropped, vignetting-corrected.

    ``saturated`` marks the pixels that the sensor clipped in either view: there the views do not follow the
    blur model.

    Raises:
        InputError: views that are not two images of one shape, not finite, constant, or mostly saturated.
    """

    views: Float32[np.ndarray, "2 height width"]
    name: str
    saturated: Bool[np.ndarray, "height width"]

    def __post_init__(self) -> None:
        if self.views.ndim != 3 or self.views.shape[0] != 2:
            raise InputError(f"views of {self.name}: found {self.views.shape}, expected (2, height, width)")
        if self.saturated.shape != self.views.shape[1:]:
            raise InputError(
                f"saturated of {self.name}: found shape {self.saturated.shape}, expected that of a view, "
                f"{self.views.shape[1:]}"
            )
        for view, image in zip(VIEWS, self.views, strict=True):
            check_view(image, self.saturated, f"{view} view of {self.name}")


class GroundTruth(NamedTuple):
    """The truth that a result is scored against; the mask marks where the defocus map is known."""

    all_in_focus: Float32[np.ndarray, "height width"]
    defocus_map: Float32[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]


def check_kernels(kernels: np.ndarray, what: str) -> None:
    rows, cols = RELEASED_GRID
    if kernels.ndim != 4:
        raise InputError(
            f"{what}: found shape {kernels.shape}, expected (rows, cols, F, F), "
            f"or ({rows * cols}, F, F) for a grid of {rows} rows x {cols} columns"
        )
    height, width = kernels.shape[2:]
    if height != width or height % 2 == 0:
        raise InputError(f"{what}: found kernels of {height} x {width}, expected square ones of odd size")
    if not np.isfinite(kernels).all():
        raise InputError(f"{what}: found values that are not finite, expected kernels >= 0 that sum to one")
    if kernels.min() < 0:
        raise InputError(f"{what}: found values down to {kernels.min():.3g}, expected kernels >= 0")
    sums = kernels.sum(axis=(2, 3), dtype=np.float64)
    if np.abs(sums - 1).max() > KERNEL_SUM_TOLERANCE:
        raise InputError(
            f"{what}: found kernels that sum to {sums.min():.4g} to {sums.max():.4g}, expected 1 for each. "
            "Divide each kernel by its sum"
        )


def check_white(white: np.ndarray, what: str) -> None:
    if not np.isfinite(white).all() or white.min() <= 0:
        raise InputError(
            f"{what}: found pixels at or below the black level, expected a white sheet, brighter everywhere"
        )


def check_view(view: np.ndarray, saturated: np.ndarray, what: str) -> None:
    if not np.isfinite(view).all():
        raise InputError(f"{what}: found {np.count_nonzero(~np.isfinite(view))} values that are not finite")
    if view.dtype.kind != "f" or view.max() > LARGEST_LINEAR:
        raise InputError(
            f"{what}: found {view.dtype} values up to {view.max():.4g}, expected linear raw in [0, 1]. "
            "Read files with load_capture, or subtract the black level and divide by the white level"
        )
    if view.min() == view.max():
        raise InputError(
            f"{what}: every pixel is {view.max():.4g} once the black level is subtracted, expected a "
            "photograph. Check the file and black_level"
        )
    if saturated.mean() > SATURATED_SHARE:
        raise InputError(
            f"{what}: {saturated.mean():.0%} of the pixels are saturated in either view, expected at most "
            f"{SATURATED_SHARE:.0%}. Expose less, or check white_level"
        )
