"""Images and maps as panels of 8 bits, for pages and notebooks.

Axes: images [height, width]; coloured panels [height, width, 3] in OpenCV's order (blue, green, red).
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

GAMMA = 2.2  # of the screens on which linear images are shown


def grey_panel(image: Float[np.ndarray, "height width"], white: float) -> UInt8[np.ndarray, "height width"]:
    """A linear image in grey, `white` and more as 255."""
    return _bytes(np.clip(image / white, 0, 1) ** (1 / GAMMA))


def colour_panel(
    values: Float[np.ndarray, "height width"], low: float, high: float
) -> UInt8[np.ndarray, "height width 3"]:
    """A map on the colour scale viridis, `low` and less dark, `high` and more bright; NaN is white."""
    levels = _bytes(np.nan_to_num(np.clip((values - low) / ((high - low) or 1.0), 0, 1)))
    panel = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)
    panel[np.isnan(values)] = 255
    return panel


def _bytes(unit: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "height width"]:
    return np.round(255 * unit).astype(np.uint8)
