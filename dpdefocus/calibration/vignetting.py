"""Vignetting: how much of the light of a white, diffused sheet reaches each view, over the frame.

Axes   views = (left, right); sheets [sheets, views, height, width].
Units  linear raw, (raw - black level) / white level.

As in the released data, the right view is multiplied by the smoothed ratio left / right:
`data.relative_vignetting` of what `mean_sheet` returns. Light that both views lose is missing in the
recovered image too.
"""

import numpy as np
from jaxtyping import Float, Float32

from dpdefocus.calibration.failure import StepError, picture_of
from dpdefocus.calibration.photographs import CLIPPED_SHARE, DARKEST, DIM
from dpdefocus.data.capture import VIEWS
from dpdefocus.data.loading import smooth_field

# A sheet varies slowly: its larger structures may deviate from the smooth field by this fraction.
STRUCTURE = 0.03


def mean_sheet(
    sheets: Float32[np.ndarray, "sheets 2 height width"],
) -> Float32[np.ndarray, "2 height width"]:
    """W_l and W_r: the robust mean of the sheets in each pixel, smoothed, at their mean brightness.

    The lamp may change from sheet to sheet: first each sheet, both views alike, is divided by the median of
    its ratio to their mean. Of three sheets or more the brightest and the darkest value of each pixel are
    left out, so that a reflection or dust in one of them does not count.

    Unevenness of the sheet itself cannot be told from vignetting, and stays in W. It is the same for both
    views, so that it cancels in their ratio, by which captures are corrected.

    Raises:
        StepError: no light in a part of the frame.
    """
    coarse = sheets[:, :, ::4, ::4]
    level = np.median(coarse / coarse.mean(0), axis=(1, 2, 3), keepdims=True)
    even = sheets / level
    mean = even.mean(0)
    if len(sheets) >= 3:
        mean = (len(sheets) * mean - even.max(0) - even.min(0)) / (len(sheets) - 2)
    smooth = np.stack([smooth_field(view) for view in mean])
    if smooth.min() <= 0:
        dark = np.mean(smooth <= 0)
        raise StepError(
            "vignetting",
            f"the white sheets show no light in {dark:.1%} of the frame. Take sheets that fill it, and check "
            "the black level",
            _picture(mean.min(0)),
        )
    return smooth


def check_sheets(sheets: Float32[np.ndarray, "sheets 2 height width"], ceiling: float) -> list[str]:
    """Check that these can be white sheets; returns warnings about usable ones.

    Args:
        ceiling: linear raw of the white level.

    Raises:
        StepError: clipped, dark, or uneven sheets; says which one, and shows it.
    """
    warnings = []
    for number, sheet in enumerate(sheets, 1):
        for view, image in zip(VIEWS, sheet, strict=True):
            what = f"white sheet {number}, {view} view"
            clipped = np.mean(image >= ceiling)
            if clipped > CLIPPED_SHARE:
                raise StepError(
                    "vignetting",
                    f"{what}: {clipped:.1%} of the pixels are at the white level. Expose less",
                    _picture(image),
                )
            if image.mean() < DARKEST:
                raise StepError(
                    "vignetting",
                    f"{what}: its mean is {image.mean():.4f} of the range above the black level, expected "
                    f"{DIM} or more. Expose more, or check the black level",
                    _picture(image),
                )
            if image.mean() < DIM:
                warnings.append(
                    f"{what} is dim: {image.mean():.3f} of the range, {DIM} or more would be better"
                )
            structure = _structure(image)
            if structure > STRUCTURE:
                raise StepError(
                    "vignetting",
                    f"{what}: it has structures of {structure:.1%}, expected at most {STRUCTURE:.0%}. "
                    "Photograph an evenly lit white sheet through a diffuser, out of focus",
                    _picture(image),
                )
    if len(sheets) < 3:
        warnings.append(
            f"{len(sheets)} white sheet{'s' * (len(sheets) > 1)}: with three or more, dust and reflexes are "
            "left out"
        )
    return warnings


def _picture(image: Float[np.ndarray, "height width"]) -> np.ndarray:
    return picture_of(image / max(float(image.max()), 1e-6))


def _structure(image: Float[np.ndarray, "height width"]) -> float:
    """Deviation of the sheet from its smooth field (rms, relative), on means of blocks, to suppress noise."""
    block = max(1, min(image.shape) // 120)
    height, width = (length // block * block for length in image.shape)
    ratio = image / np.maximum(smooth_field(image), 1e-6) - 1
    blocks = ratio[:height, :width].reshape(height // block, block, width // block, block).mean((1, 3))
    return float(np.sqrt(np.mean(blocks**2)))
