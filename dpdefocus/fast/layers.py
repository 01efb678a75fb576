"""From the defocus map to layers: their sizes, and each one's share of each pixel.

Axes: maps [height, width]; weights and alphas [layers, height, width], back to front. Units: sizes in units
of the calibrated kernels; shares in [0, 1], summing to one over the layers.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.fast.images import local_minimum
from dpdefocus.fast.settings import FastSettings, LayerSettings


@partial(jax.jit, static_argnames=("radius", "depth_gap"))
def dilate_fronts(
    defocus: Float[Array, "height width"], radius: int, depth_gap: float = LayerSettings.depth_gap
) -> Float[Array, "height width"]:
    """The map with its near surfaces widened by `radius` pixels where they stand in front of others.

    An outline is found to a pixel or two of the reduced views. Light that a blurred outline throws on the
    far side belongs to the near surface, and taken for the far one's it would ring; the other mistake only
    leaves a rim of the far side a little soft.
    """
    nearest = local_minimum(defocus, radius)
    return jnp.where(defocus - nearest > depth_gap, nearest, defocus)


@partial(jax.jit, static_argnames=("radius", "depth_gap"))
def erode_within_surface(
    defocus: Float[Array, "height width"], radius: int, depth_gap: float = LayerSettings.depth_gap
) -> Float[Array, "height width"]:
    """The map with the smallest size within `radius` pixels, where that is smaller by no more than the gap.

    Beside a strong edge the map may run from the edge's own size up to that of a bare surface behind it.
    Removing too much blur rings along the edge; removing too little leaves it slightly soft. Larger steps are
    fronts, and stay.
    """
    nearest = local_minimum(defocus, radius)
    return jnp.where(defocus - nearest <= depth_gap, nearest, defocus)


def layer_scales(
    defocus: Float[Array, "height width"], settings: FastSettings = FastSettings()
) -> Float[Array, " layers"]:
    """Evenly spaced defocus sizes, farthest first, over the map's range but for what may be left out."""
    planes = settings.layers
    ends = jnp.array([planes.left_out, 100 - planes.left_out])
    nearest, farthest = jnp.percentile(defocus, ends)
    return jnp.linspace(jnp.maximum(farthest, nearest + planes.least_range), nearest, planes.count)


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
