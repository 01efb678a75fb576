"""From the defocus map to layers: their sizes, and each one's share of each pixel.

Axes: maps [height, width]; weights and alphas [layers, height, width], back to front. Units: sizes in units of
the calibrated kernels; shares in [0, 1], summing to one over the layers.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.fast.images import local_minimum
from dpdefocus.fast.occlusion import DEPTH_GAP

LEAST_RANGE = 0.1  # of layers' sizes: those of a scene of one depth still lie apart
LEAST_SIZE = 0.1  # of the published method's nearest layer


def dilate_fronts(defocus: Float[Array, "height width"], radius: int) -> Float[Array, "height width"]:
    """The map with its near surfaces widened by some pixels where they stand in front of others.

    An outline is found to a pixel or two of the reduced views. Light that a blurred outline throws on the
    far side belongs to the near surface, and taken for the far one's it would ring; the other mistake only
    leaves a rim of the far side a little soft.
    """
    nearest = local_minimum(defocus, radius)
    return jnp.where(defocus - nearest > DEPTH_GAP, nearest, defocus)


def erode_within_surface(defocus: Float[Array, "height width"], radius: int) -> Float[Array, "height width"]:
    """The map with the smallest size within some pixels, where that is smaller by a little.

    Beside a strong edge the map may run from the edge's own size up to that of a bare surface behind it.
    To undo more blur than an edge has rings along it, to undo less leaves it a little soft. Larger steps are
    fronts, and stay.
    """
    nearest = local_minimum(defocus, radius)
    return jnp.where(defocus - nearest <= DEPTH_GAP, nearest, defocus)


def layer_scales(defocus: Float[Array, "height width"], layers: int) -> Float[Array, " layers"]:
    """Evenly spaced defocus sizes, farthest first, over the map's range but for 0.5 % at each end."""
    nearest, farthest = jnp.percentile(defocus, jnp.array([0.5, 99.5]))
    return jnp.linspace(jnp.maximum(farthest, nearest + LEAST_RANGE), nearest, layers)


def published_range(layers: Float[Array | np.ndarray, " layers"]) -> tuple[float, float]:
    """Nearest and farthest size for the published method's layers, from those of `layer_scales`.

    None of its layers is quite sharp, and they lie apart.
    """
    nearest = max(float(layers[-1]), LEAST_SIZE)
    return nearest, max(float(layers[0]), nearest + LEAST_RANGE)


@partial(jax.jit, static_argnames="deviation")
def feather_outlines(
    weights: Float[Array, "layers height width"], deviation: float
) -> Float[Array, "layers height width"]:
    """Layer weights with soft outlines: a Gaussian blur of the given standard deviation in pixels."""
    radius = int(3 * deviation + 0.5)
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    gaussian = jnp.asarray(gaussian / gaussian.sum(), weights.dtype)
    pad = ((0, 0), (radius, radius), (radius, radius))
    blurred = jnp.pad(weights, pad, mode="edge")
    blurred = sum(g * blurred[:, n : n + weights.shape[1]] for n, g in enumerate(gaussian))
    return sum(g * blurred[:, :, n : n + weights.shape[2]] for n, g in enumerate(gaussian))


@jax.jit
def alphas_of(weights: Float[Array, "layers height width"]) -> Float[Array, "layers height width"]:
    """Alphas whose transmittances are the weights: ``α_i = t_i / (1 − Σ_{j>i} t_j)``, and ``α_1 = 1``."""
    nearer = jnp.cumsum(weights[::-1], axis=0)[::-1] - weights
    behind = 1 - nearer
    alphas = jnp.where(behind > 1e-6, weights / jnp.maximum(behind, 1e-6), 0)
    return jnp.clip(alphas, 0, 1).at[0].set(1)


@jax.jit
def layer_weights(
    defocus: Float[Array, "height width"], scales: Float[Array, " layers"]
) -> Float[Array, "layers height width"]:
    """Each layer's share of each pixel: linear between the two layers around its defocus size.

    `scales` fall evenly from the farthest layer to the nearest; sizes beyond them take the end layer. A
    single layer has it all.
    """
    if len(scales) == 1:
        return jnp.ones((1, *defocus.shape))
    step = scales[0] - scales[1]
    inside = jnp.clip(defocus, scales[-1], scales[0])
    return jnp.clip(1 - jnp.abs(inside[None] - scales[:, None, None]) / step, 0, 1)
