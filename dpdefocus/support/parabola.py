"""Where sampled costs are lowest: the vertex of the parabola through the lowest and its two neighbours.

Axes: costs [sizes, height, width]. Units: sizes in any unit, evenly spaced.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Image = Float[np.ndarray, "height width"]

NOISE_COST = 1e-5  # cost that noise leaves


class Parabola(NamedTuple):
    """``E(d) ≈ lowest + curvature (d − size)²`` around the lowest cost of each pixel."""

    size: Image
    curvature: Image
    lowest: Image

    @property
    def certainty(self) -> Image:
        """``curvature / lowest``, the inverse of the variance that costs of `lowest` give the size."""
        return self.curvature / (np.maximum(self.lowest, 0) + NOISE_COST)


def fit_parabola(
    costs: Float[np.ndarray, "sizes height width"], sizes: Float[np.ndarray, " sizes"]
) -> Parabola:
    """The parabola through the lowest cost and its two neighbours; at most half a step away from the lowest.

    At the first and the last size a parabola with its vertex there, through the one neighbour.
    """
    step = sizes[1] - sizes[0]
    best = costs.argmin(0)
    before, here, after = (_at(costs, np.clip(best + shift, 0, len(sizes) - 1)) for shift in (-1, 0, 1))
    # Beyond the ends the costs are taken to rise as they do on the other side.
    before, after = np.where(best == 0, after, before), np.where(best == len(sizes) - 1, before, after)
    bend = np.maximum(before - 2 * here + after, np.finfo(np.float32).tiny)
    away = np.clip(0.5 * (before - after) / bend, -0.5, 0.5)
    return Parabola(sizes[best] + away * step, 0.5 * bend / step**2, here - 0.5 * bend * away**2)


def _at(costs, index):
    return np.take_along_axis(costs, index[None], 0)[0]
