"""Dual-pixel stereo: the two views matched by shifting them (after Wadhwa et al., SIGGRAPH 2018).

Out of focus, the views are shifted against each other, by the distance of the two kernels' centroids:
proportional to the defocus size. So each defocus size is tried by shifting both views half of that
distance towards each other, and the squares of their difference are summed over tiles. Where kernels
change over the field, the shift does too.

Axes: views [views, height, width], left first; costs [sizes, ...]; shifts [2, height, width], vertical
first. Units: shifts in pixels; sizes in units of the calibrated kernels, evenly spaced; views at middle
grey (mean 0.5).
"""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from dpdefocus.baselines.smoothing import edge_aware
from dpdefocus.support.parabola import fit_parabola

Image = Float[np.ndarray, "height width"]
TILE = 8  # pixels, side of a tile
COARSE = (
    8.0  # pixels: standard deviation of the Gaussian mean that is taken off the views before they are matched
)
SPREAD = 0.4  # of the shorter side: how far a size spreads where the image has no edge
CONTRAST = 0.02  # step between neighbours at which spreading falls to 1/e


def matched_sizes(
    views: Float[np.ndarray, "views height width"],
    shifts: Float[np.ndarray, "2 height width"],
    sizes: Float[np.ndarray, " sizes"],
) -> Image:
    """The defocus map: each tile's best size, spread from sure tiles along the surfaces of the image."""
    height, width = views.shape[1:]
    tiles = (-(-width // TILE), -(-height // TILE))
    costs = [
        cv2.resize(cost, tiles, interpolation=cv2.INTER_AREA)
        for cost in shifted_costs(detail(views), shifts, sizes)
    ]
    found = fit_parabola(np.stack(costs), sizes)
    # A sharp valley is a sure one.
    size, confidence = (
        cv2.resize(np.float32(each), (width, height), interpolation=cv2.INTER_NEAREST)
        for each in (found.size, found.curvature)
    )
    return edge_aware(size, confidence, views.mean(0), SPREAD * min(views.shape[1:]), CONTRAST)


def detail(views: Float[np.ndarray, "views height width"]) -> Float[np.ndarray, "views height width"]:
    """Views without their local mean, which vignetting and stray light leave different."""
    return views - ndimage.gaussian_filter(views, (0, COARSE, COARSE), mode="nearest")


def centroid_shifts(
    kernels: Float[np.ndarray, "rows cols views kernel kernel"], height: int, width: int
) -> Float[np.ndarray, "2 height width"]:
    """Half the way from the right kernel's centroid to the left one's, linear between the cells' centres."""
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    y, x = ((kernels.sum(axis) * offset).sum(-1) for axis in (-1, -2))
    rows, cols = kernels.shape[:2]
    at = np.meshgrid(
        (np.arange(height) + 0.5) * rows / height - 0.5,
        (np.arange(width) + 0.5) * cols / width - 0.5,
        indexing="ij",
    )
    half = [0.5 * (each[..., 0] - each[..., 1]) for each in (y, x)]
    return np.stack([ndimage.map_coordinates(each, at, order=1, mode="nearest") for each in half]).astype(
        np.float32
    )


def shifted_costs(
    views: Float[np.ndarray, "views height width"],
    shifts: Float[np.ndarray, "2 height width"],
    sizes: Float[np.ndarray, " sizes"],
) -> Iterator[Image]:
    """Squared difference of the views, pixel by pixel, as each size would have them shifted back."""
    y, x = np.mgrid[: views.shape[1], : views.shape[2]].astype(np.float32)
    left, right = views
    for size in sizes:
        moved = [
            cv2.remap(
                view,
                x + sign * size * shifts[1],
                y + sign * size * shifts[0],
                cv2.INTER_CUBIC,
                None,
                cv2.BORDER_REPLICATE,
            )
            for view, sign in ((left, 1), (right, -1))
        ]
        yield (moved[0] - moved[1]) ** 2
