"""Edge-aware smoothing: a patchy map spread out to a whole one that jumps only where the image does.

``min_u Σ_p c_p (u_p − f_p)² + λ Σ_pq w_pq (u_p − u_q)²`` over neighbours p, q (weighted least squares,
Farbman et al., SIGGRAPH 2008), with c the confidence in the value f and w small across the image's edges.
It is solved line by line, along rows and columns in turn, as by Min et al. (Fast global image smoothing,
IEEE TIP 2014): each line is a tridiagonal system.

Axes: images [height, width]; lines [lines, length]. Units: `contrast` is a step of the guide; λ counts
confidence.
"""

import cv2
import numpy as np
from jaxtyping import Float
from scipy.linalg import solveh_banded

from dpdefocus.support.errors import InputError

ROUNDS = 3  # of rows and columns; the smoothness falls fourfold from one to the next


def edge_aware(
    values: Float[np.ndarray, "height width"],
    confidence: Float[np.ndarray, "height width"],
    guide: Float[np.ndarray, "height width"],
    spread: float,
    contrast: float,
) -> Float[np.ndarray, "height width"]:
    """Values spread from where they are sure to where they are not, but not across edges of the guide.

    The ratio of the smoothed ``c f`` and the smoothed ``c``: a mean with weights that fall with the
    distance and with the edges on the way. ``λ = spread²``, so that a value reaches about `spread` pixels
    far where there is no edge; ``w = exp(−|∇I| / contrast)``.
    """
    across = [np.exp(-np.abs(np.diff(guide, axis=axis)) / contrast) for axis in (0, 1)]
    weight = np.float64(confidence) + 1e-9 * confidence.max()
    # Offsets cancel in the ratio only up to rounding.
    middle = np.average(values, weights=weight)
    both = np.stack([weight * (values - middle), weight])
    for turn in range(ROUNDS):
        share = 1.5 * 4.0 ** (ROUNDS - 1 - turn) / (4.0**ROUNDS - 1) * spread**2
        both = np.stack([smooth_lines(each, share * across[1]) for each in both])
        both = np.stack([smooth_lines(each.T, share * across[0].T).T for each in both])
    return (both[0] / both[1] + middle).astype(values.dtype)


def smooth_lines(
    lines: Float[np.ndarray, "lines length"], links: Float[np.ndarray, "lines gaps"]
) -> Float[np.ndarray, "lines length"]:
    """``min_u Σ (u_p − f_p)² + Σ links_p (u_p − u_{p+1})²`` on each line.

    The lines' tridiagonal systems are solved as one: nothing links the end of a line to the next one's start.
    """
    before, after = (np.pad(np.float64(links), ((0, 0), ends)) for ends in ((1, 0), (0, 1)))
    bands = np.stack([-before, 1 + before + after]).reshape(2, -1)  # above the diagonal, and the diagonal
    return solveh_banded(bands, np.float64(lines).ravel()).reshape(lines.shape)


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
