"""From two views to the defocus map and its confidence.

Axes: views [views, height, width], left first; energies [hypotheses, h, w] on reduced views. Units: views at
middle grey; sizes in units of the calibrated kernels.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.fast.images import enlarge, local_minimum, reduce
from dpdefocus.fast.labelling import data_cost, edge_weights, min_marginals, sub_label
from dpdefocus.fast.noise import NoiseModel
from dpdefocus.fast.settings import ConfidenceSettings, FastSettings
from dpdefocus.fast.wiener import cross_blurred_views, local_energy, noise_energy, relative_brightness
from dpdefocus.optics.blended_tiles import Overlap
from dpdefocus.optics.kernels import kernel_deviation, kernel_reach
from dpdefocus.support.errors import InputError


class DefocusEstimate(NamedTuple):
    """Defocus of each pixel, where to trust it, and by what factor the views were reduced to find it."""

    defocus: Float[Array, "height width"]
    confidence: Float[Array, "height width"]
    reduction: int


def estimate_defocus(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
    name: str,
    noise: NoiseModel | None = None,
) -> DefocusEstimate:
    """The defocus map of views at middle grey; `name` is the capture's, for errors.

    `noise` is that of the views, from `noise.estimate_noise`; without it nothing is taken off.

    Raises:
        InputError: left and right look swapped.
    """
    energies, reduced, scales = hypothesis_energies(views, kernels, settings, noise)
    check_sides(views, kernels, energies, settings, name, noise)
    field = settings.labelling
    costs = data_cost(energies, field.noise_floor, field.calibration_error, field.largest_cost)
    up, left = edge_weights(reduced.mean(0), field.contrast, field.least_smoothness)
    marginals = min_marginals(costs, up, left, field.smoothness, field.truncation, field.sweeps)
    small = scales[0] + sub_label(marginals) * (scales[1] - scales[0])
    size = views.shape[1:]
    trust = confidence(marginals, small, settings.energy.window, settings.confidence)
    factor = reduction_factor(kernels, settings)
    return DefocusEstimate(enlarge(small, size, factor), enlarge(trust, size, factor), factor)


def hypothesis_energies(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
    noise: NoiseModel | None = None,
) -> tuple[Float[Array, "hypotheses h w"], Float[Array, "views h w"], Float[Array, " hypotheses"]]:
    """Windowed energy of each defocus hypothesis on reduced views, those views, and the sizes tried.

    A difference in brightness between the views explains no depth, and is fitted and removed first
    (`relative_brightness`). Where the views' `noise` is given, the energy that it is expected to add is
    subtracted (lesson 3). Small kernels let more noise into the residual than large ones do, so that noise
    left in favours too much blur.
    """
    tried, brightness = settings.energy, settings.brightness
    reduction, overlap, reach = _reduced_tiles(views, kernels, settings)
    reduced = reduce(views, reduction)
    scales = jnp.linspace(tried.nearest, tried.farthest, tried.hypotheses)
    crossed = cross_blurred_views(reduced, kernels, scales, overlap, reduction, settings.prior)
    brighter = relative_brightness(
        crossed,
        reach,
        tried.window,
        brightness.deviation,
        brightness.window,
        brightness.limit,
        tried.border_weight,
    )
    measure = partial(local_energy, border=reach, window=tried.window, border_weight=tried.border_weight)
    energies = measure(crossed[:, 0] - (1 + brighter[None]) * crossed[:, 1])
    if noise is not None:
        variance = noise.gain * reduced.mean(0) + noise.offset
        # The light that the energy's own window sees: beside an edge a pixel's own would be another's.
        variance = measure(jnp.sqrt(jnp.maximum(variance, 0))[None])
        added = noise_energy(kernels, scales, overlap, reduction, settings.prior)
        energies = jnp.maximum(energies - added[:, None, None] * variance, 0)
    return energies, reduced, scales


def _reduced_tiles(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
) -> tuple[int, Overlap, int]:
    """By what factor the views are reduced, the tiles of the reduced views, and the kernels' reach there."""
    reduction = reduction_factor(kernels, settings)
    reach = kernel_reach(kernels, settings.reach) / reduction
    size = (-(-length // reduction) for length in views.shape[1:])
    overlap = Overlap(*size, *kernels.shape[:2], margin=int(np.ceil(2 * reach * settings.energy.farthest)))
    return reduction, overlap, int(np.ceil(reach))


def reduction_factor(kernels: Float[Array, "rows cols views kernel kernel"], settings: FastSettings) -> int:
    """By what factor the views are reduced to find sizes: blur has left nothing in them that is finer."""
    return max(1, round(kernel_deviation(kernels) / settings.energy.blur_per_pixel))


@partial(jax.jit, static_argnames=("window", "settings"))
def confidence(
    marginals: Float[Array, "labels height width"],
    sizes: Float[Array, "height width"],
    window: float,
    settings: ConfidenceSettings = ConfidenceSettings(),
) -> Float[Array, "height width"]:
    """Where the map can be trusted, in [0, 1]: no other size comes close, and no depth edge is near.

    The lead x of the chosen size, the smallest min-marginal of its rivals less the smallest of all, gives
    ``x / (1 + x)``. The energies are means over a window, in which surfaces on both sides of an outline mix;
    so that is multiplied by ``exp(−r / edge_range)``, r the range of `sizes` within `reach` deviations of the
    `window`. The second factor decides most of the order: textured surfaces have the largest leads, and a
    size found to a tenth of a label may still be wrong.
    """
    near = int(settings.reach * window)
    label = jnp.arange(marginals.shape[0])[:, None, None]
    others = jnp.where(jnp.abs(label - marginals.argmin(0)[None]) >= settings.rival, marginals, jnp.inf).min(
        0
    )
    lead = others - marginals.min(0)
    smallest, largest = local_minimum(sizes, near), -local_minimum(-sizes, near)
    return lead / (1 + lead) * jnp.exp((smallest - largest) / settings.edge_range)


def check_sides(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    energies: Float[Array, "hypotheses h w"],
    settings: FastSettings,
    name: str,
    noise: NoiseModel | None,
) -> None:
    """Refuse views that agree better with the kernels the other way round.

    Raises:
        InputError: left and right look swapped.
    """
    swapped, _, _ = hypothesis_energies(views[::-1], kernels, settings, noise)
    here, there = float(energies.min(0).mean()), float(swapped.min(0).mean())
    if there < 0.5 * here:
        raise InputError(
            f"views of {name}: left and right look swapped: the other way round, the best hypothesis leaves "
            f"{there:.2g} unexplained instead of {here:.2g}. Expected the left half-aperture's view first, "
            "of a scene at or behind the focus plane. Exchange the two files"
        )
