"""A step of the calibration that failed, and a picture of what it had found."""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dpdefocus.support.errors import InputError

# Colours (blue, green, red) of the picture.
FOUND, PREDICTED, MARKED = (80, 200, 80), (60, 160, 255), (255, 120, 220)


class StepError(InputError):
    """A step of the calibration failed; `picture` shows what was found until then.

    The message begins with the step's name.
    """

    def __init__(self, step: str, message: str, picture: UInt8[np.ndarray, "height width 3"]):
        super().__init__(f"{step}: {message}")
        self.step = step
        self.picture = picture


def picture_of(
    contrast: Float[np.ndarray, "height width"],
    points: Float[np.ndarray, "points 2"] | None = None,
    predicted: Float[np.ndarray, "predicted 2"] | None = None,
    marked: Float[np.ndarray, "marked 2"] | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """The contrast in grey, with the discs found as green crosses, predicted ones orange, markers violet."""
    grey = np.round(255 * np.sqrt(np.clip(contrast, 0, 1))).astype(np.uint8)
    picture = np.repeat(grey[:, :, None], 3, axis=2)
    size = max(4, round(0.006 * max(contrast.shape)))
    for places, colour, kind in (
        (predicted, PREDICTED, cv2.MARKER_SQUARE),
        (points, FOUND, cv2.MARKER_CROSS),
        (marked, MARKED, cv2.MARKER_DIAMOND),
    ):
        for x, y in places if places is not None else ():
            if np.isfinite([x, y]).all() and abs(x) < 1e6 and abs(y) < 1e6:
                scale = 3 if kind == cv2.MARKER_DIAMOND else 2
                cv2.drawMarker(picture, (round(x), round(y)), colour, kind, scale * size, max(1, size // 5))
    return picture
