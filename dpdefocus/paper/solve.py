"""The published method from a capture to its result: start, optimisation, finish.

Axes: layers [layers, height, width], back to front; images [height, width]. Units: linear raw in [0, 1];
defocus in units of the calibrated kernels.
"""

from dataclasses import asdict, replace

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.fast.defocus import estimate_defocus
from dpdefocus.fast.layers import layer_scales, published_range
from dpdefocus.fast.settings import FastSettings
from dpdefocus.fast.solve import at_middle_grey
from dpdefocus.optics import mpi
from dpdefocus.paper import optimise
from dpdefocus.paper.settings import HAND_SETTINGS


def solve_published(capture, calibration, settings, checkpoint):
    """The published optimisation, over the range set by hand, or else the one that `fast` finds."""
    # The map is found in either case: it refuses swapped views before hours are spent on them.
    gain, views, kernels = at_middle_grey(capture, calibration)
    found = estimate_defocus(views, kernels, FastSettings(), capture.name).defocus
    nearest, farthest = published_range(layer_scales(found, settings.layers))
    settings = replace(settings, nearest=nearest, farthest=farthest)
    if capture.name in HAND_SETTINGS:
        by_hand = asdict(HAND_SETTINGS[capture.name])
        by_scene = {each: by_hand[each] for each in ("nearest", "farthest", "alpha", "entropy")}
        settings = replace(settings, **by_scene)
    scales = settings.scales
    intensities, alphas, history = optimise.fit_published(
        capture.views, calibration.kernels, scales, settings, checkpoint
    )
    sharp = bilateral_filter(mpi.all_in_focus(intensities, alphas), gain)
    visible = mpi.transmittance(alphas)
    solved = {
        "all_in_focus": jnp.clip(sharp, 0, 1),
        "defocus_map": mpi.defocus_map(alphas, scales),
        "confidence": (visible**2).sum(0),
        "scales": scales,
        "alphas": alphas,
        "intensities": intensities,
    }
    return solved, asdict(settings) | {"diverged_at": history.diverged_at}


@jax.jit
def bilateral_filter(
    image: Float[Array, "height width"], gain: Float[Array, ""] | float
) -> Float[Array, "height width"]:
    """The finish of the published all-in-focus image: a bilateral filter, σ 3 pixels in space, 0.05 in value.

    ``gain`` is the paper's s, 0.5 over the mean of the views: the value's σ is meant for the image times s.
    """
    space, value, radius = 3.0, 0.05, 9
    height, width = image.shape
    around = jnp.pad(image, radius, mode="edge")

    def add(number, sums):
        top, left = number // (2 * radius + 1), number % (2 * radius + 1)
        neighbour = jax.lax.dynamic_slice(around, (top, left), (height, width))
        distance = ((top - radius) ** 2 + (left - radius) ** 2) / space**2
        weight = jnp.exp(-0.5 * (distance + ((neighbour - image) * gain / value) ** 2))
        return sums[0] + weight * neighbour, sums[1] + weight

    zero = jnp.zeros_like(image)
    total, weights = jax.lax.fori_loop(0, (2 * radius + 1) ** 2, add, (zero, zero))
    return total / weights
