"""The minimum of sampled costs: vertex of the parabola through the lowest sample and its two neighbours.

Axes: costs [sizes, ...], such as [sizes, height, width]. Units: sizes in any unit, evenly spaced.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

Values = Float[np.ndarray, "..."]

NOISE_COST = 1e-5  # cost that noise alone causes


class Parabola(NamedTuple):
    """``E(d) ≈ lowest + curvature (d − size)²`` around the lowest cost of each pixel."""

    size: Values
    curvature: Values
    lowest: Values

    @property
    def certainty(self) -> Values:
        """``curvature / (lowest + NOISE_COST)``: inverse variance of the size if `lowest` is noise."""
        return self.curvature / (np.maximum(self.lowest, 0) + NOISE_COST)


def fit_parabola(costs: Float[np.ndarray, "sizes ..."], sizes: Float[np.ndarray, " sizes"]) -> Parabola:
    """The parabola through the lowest cost and its two neighbours; its vertex is at most half a step away.

    At either end of the range the vertex is the end, and the parabola passes through the one neighbour.
    """
    step = sizes[1] - sizes[0]
    best = costs.argmin(0)
    before, here, after = (take_at(costs, np.clip(best + shift, 0, len(sizes) - 1)) for shift in (-1, 0, 1))
    # Beyond an end of the range the costs mirror the neighbour inside.
    before, after = np.where(best == 0, after, before), np.where(best == len(sizes) - 1, before, after)
    away, bend = vertex(before, here, after, 0.5)
    return Parabola(sizes[best] + away * step, 0.5 * bend / step**2, here - 0.5 * bend * away**2)


def vertex(before: Values, here: Values, after: Values, most: float) -> tuple[Values, Values]:
    """Vertex of the parabola through three samples, and its second difference.

    The vertex is counted in steps from the middle sample, `most` at the most; a parabola that opens downwards
    has its lowest value that far away, on the side of the lower neighbour.
    """
    bend = np.maximum(before - 2 * here + after, np.finfo(np.float32).tiny)
    return np.clip(0.5 * (before - after), -most * bend, most * bend) / bend, bend


def take_at(stack: Float[np.ndarray, "n ..."], index: Int[np.ndarray, "..."]) -> Values:
    """Of each pixel the value at its own index along the first axis."""
    return np.take_along_axis(stack, index[None], 0)[0]
