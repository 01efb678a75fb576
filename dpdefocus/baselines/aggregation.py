"""Continuous cost aggregation: parabolas handed on along scan lines.

After Monin, Katz and Evangelidis 2024, arXiv:2306.07921.

Each pixel's matching cost is a parabola in the defocus size, ``C(d) = a (d − m)²``, and neighbours' sizes
are coupled by ``P w (d − d')²``, w small across edges. What a parabola says to the next pixel of its line
is again a parabola:

    min_d' a (d' − m)² + P w (d − d')² = a P w / (a + P w) (d − m)²,

so the costs of a whole line are summed exactly, for continuous sizes, by two numbers handed from pixel to
pixel.

Axes: images [height, width]; lines [length, lines], walked along the first axis. Units: sizes in those of
the calibrated kernels; curvatures a and couplings P in squares of the views (mean 0.5) by squares of
sizes.
"""

from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float

from dpdefocus.baselines import stereo
from dpdefocus.support import parabola

Image = Float[np.ndarray, "height width"]
SCALES = (4, 2, 1)  # factors by which the views are reduced, coarsest first
WINDOW = 5  # pixels, side of the window over which costs are summed
COUPLING = 1.0
CONTRAST = 0.02  # step between neighbours at which the coupling falls to 1/e
PRIOR = 0.25  # share of a coarser scale's curvature that the next one starts with
LEAST = 1e-7  # curvature of a pixel that knows nothing


def aggregated_sizes(
    views: Float[np.ndarray, "views height width"],
    shifts: Float[np.ndarray, "2 height width"],
    sizes: Float[np.ndarray, " sizes"],
) -> Image:
    """The defocus map: parabolas of each scale's costs and the coarser one's, summed along lines."""
    height, width = views.shape[1:]
    total = None
    for factor in SCALES:
        shape = (-(-width // factor), -(-height // factor))
        reduced = np.stack([cv2.resize(view, shape, interpolation=cv2.INTER_AREA) for view in views])
        moved = np.stack(
            [cv2.resize(shift, shape, interpolation=cv2.INTER_AREA) / np.float32(factor) for shift in shifts]
        )
        costs = own_costs(reduced, moved, sizes)
        if total is not None:
            costs = added(costs, finer(total, *costs.curvature.shape, PRIOR))
        total = aggregated(costs, *couplings(reduced.mean(0)))
    return np.float32(total.lowest_at)


class Quadratic(NamedTuple):
    """``a (d − m)²`` for each pixel, kept as ``a`` and ``a m``: so parabolas add up term by term."""

    curvature: Image
    moment: Image

    @property
    def lowest_at(self) -> Image:
        """The size at which the parabola is lowest."""
        return self.moment / self.curvature


def added(first: Quadratic, second: Quadratic) -> Quadratic:
    """The sum of two parabolas, up to its lowest value."""
    return Quadratic(first.curvature + second.curvature, first.moment + second.moment)


def own_costs(
    views: Float[np.ndarray, "views height width"],
    shifts: Float[np.ndarray, "2 height width"],
    sizes: Float[np.ndarray, " sizes"],
) -> Quadratic:
    """The parabola at the lowest matching cost of each pixel's window."""
    costs = [
        cv2.blur(cost, (WINDOW, WINDOW)) for cost in stereo.shifted_costs(stereo.detail(views), shifts, sizes)
    ]
    found = parabola.fit_parabola(np.stack(costs), sizes)
    curvature = np.float64(found.curvature) + LEAST
    return Quadratic(curvature, curvature * found.size)


def couplings(
    image: Float[np.ndarray, "height width"],
) -> tuple[Float[np.ndarray, "gaps width"], Float[np.ndarray, "height gaps_x"]]:
    """``P exp(−|∇I| / contrast)`` between a pixel and the one below it, and the one to its right."""
    steps = (np.abs(np.diff(np.float64(image), axis=axis)) for axis in (0, 1))
    return tuple(COUPLING * np.exp(-step / CONTRAST) + LEAST for step in steps)


def handed_on(costs: Quadratic, coupling: Float[np.ndarray, "gaps lines"]) -> Quadratic:
    """What each pixel hears from the pixels before it on its line: nothing for the first.

    ``heard(p) = soften(C(p − 1) + heard(p − 1))``, with `soften` the closed form at the head of this module.
    """
    curvature, moment = np.zeros_like(costs.curvature), np.zeros_like(costs.moment)
    for n in range(1, len(curvature)):
        a = costs.curvature[n - 1] + curvature[n - 1]
        softened = coupling[n - 1] / (a + coupling[n - 1])
        curvature[n] = a * softened
        moment[n] = (costs.moment[n - 1] + moment[n - 1]) * softened
    return Quadratic(curvature, moment)


def aggregated(
    costs: Quadratic, across_y: Float[np.ndarray, "gaps width"], across_x: Float[np.ndarray, "height gaps_x"]
) -> Quadratic:
    """Each pixel's own cost and what it hears along its row and its column, from all four sides."""
    total = costs
    for axis, coupling in ((0, across_y), (1, across_x)):
        for turn in (1, -1):
            lines = Quadratic(*(np.moveaxis(each, axis, 0)[::turn] for each in costs))
            heard = handed_on(lines, np.moveaxis(coupling, axis, 0)[::turn])
            total = added(total, Quadratic(*(np.moveaxis(each[::turn], 0, axis) for each in heard)))
    return total


def finer(coarse: Quadratic, height: int, width: int, share: float) -> Quadratic:
    """A coarser scale's parabolas on a finer grid, with a share of their curvature."""
    return Quadratic(
        *(share * cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in coarse)
    )
