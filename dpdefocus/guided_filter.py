"""Guided filtering: a map smoothed so that it follows the edges of an image (He, Sun & Tang, ECCV 2010).

Axes: images [height, width]. Units: those of the map and of the guide; `softness` is a variance of the guide.
"""

import cv2
import numpy as np
from jaxtyping import Float

from dpdefocus.errors import InputError


def guided_filter(
    values: Float[np.ndarray, "height width"],
    guide: Float[np.ndarray, "..."],
    radius: int,
    softness: float,
) -> Float[np.ndarray, "height width"]:
    """The map as a locally linear function of the guide: ``q = a I + b``, averaged over a pixel's windows.

    In each window of ``2 radius + 1`` pixels, cut at the image's border, ``a, b`` minimise ``Σ (a I + b −
    p)² + ε a²`` over its pixels (mean, not sum), ε the `softness`: ``a = cov(I, p) / (var(I) + ε)``, ``b
    = mean(p) − a mean(I)``. Where the guide varies by much more than ε its edges go into the map;
    elsewhere it is a mean.

    Raises:
        InputError: shapes that differ, a radius below 1, or a softness that is not positive.
    """
    if values.shape != guide.shape:
        raise InputError(
            f"guided_filter: values of shape {values.shape}, a guide of {guide.shape}; expected one shape"
        )
    if radius < 1 or not softness > 0:
        raise InputError(
            f"guided_filter: radius {radius}, softness {softness}; expected at least 1, and above 0"
        )
    # Variances are differences of means of squares: float64, and offsets taken off first.
    p, i = (each - each.mean(dtype=np.float64) for each in (values, guide))
    covariance = box_mean(i * p, radius) - box_mean(i, radius) * box_mean(p, radius)
    variance = box_mean(i * i, radius) - box_mean(i, radius) ** 2
    a = covariance / (variance + softness)
    b = box_mean(p, radius) - a * box_mean(i, radius)
    filtered = box_mean(a, radius) * i + box_mean(b, radius) + values.mean(dtype=np.float64)
    return filtered.astype(values.dtype)


def box_mean(image: Float[np.ndarray, "height width"], radius: int) -> Float[np.ndarray, "height width"]:
    """Mean over the part of each pixel's window of ``2 radius + 1`` pixels that lies in the image."""
    size = (2 * radius + 1, 2 * radius + 1)
    total, count = (
        cv2.boxFilter(each, cv2.CV_64F, size, normalize=False, borderType=cv2.BORDER_CONSTANT)
        for each in (np.float64(image), np.ones(image.shape))
    )
    return total / count
