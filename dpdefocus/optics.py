"""Blur kernels at every defocus size: the calibrated kernels, resized.

Axes: kernels are ``[rows, cols, views, kernel, kernel]``: the grid over the image, the views (left,
right), and the kernel's own field in pixels, its centre in the middle. A scale is a defocus size in units
of the calibrated kernel: 1 is the kernel as calibrated, negative values lie on the other side of the
focus plane.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.errors import InputError


def scale_kernels(
    kernels: Float[Array, "rows cols views kernel kernel"], scales: Float[Array, " layers"]
) -> Float[Array, "layers rows cols views kernel kernel"]:
    """Kernels at the given defocus sizes, ``k_d(x) ∝ k_1(x / d)``, each summing to one in the same field.

    The blur of a plane at inverse depth 1/Z keeps its shape and changes its size, ``d = A + B/Z`` (paper,
    Sec. 3 and Fig. 11). What a magnified kernel has outside the field is cropped. A negative size turns the
    kernel by half a turn about its centre, which is what passing through focus does. Size zero is a delta.

    The calibrated kernel is sampled at ``x / d``: bilinearly where it is magnified or shrunk to no less than
    half, and through a Gaussian of σ = (1/|d| − 1)/2 calibrated pixels below that, which holds back the
    frequencies that the coarser samples cannot carry. The golden cases fix both rules (the first at sizes
    from 0.72, the second up to 0.46), but not where they change, here at a half. Once the whole field is
    less than a pixel wide, σ stops growing, so that the kernel tends to a delta.
    """
    if kernels.shape[-1] % 2 == 0:
        raise InputError(
            f"kernels: the kernel field is {kernels.shape[-1]} pixels wide; "
            "it must be odd, to have a centre pixel"
        )
    resample = _resampling(scales, kernels.shape[-1])
    resized = jnp.einsum("nyu,rcvuw,nxw->nrcvyx", resample, kernels, resample)
    return resized / resized.sum((-2, -1), keepdims=True)


def _resampling(scales: Float[Array, " layers"], size: int) -> Float[Array, "layers size size"]:
    """Weights of the calibrated samples (last axis) in each sample of the resized kernel, along one axis."""
    offset = jnp.arange(size) - size // 2
    in_focus = scales == 0
    scale = jnp.where(in_focus, 1.0, scales)[:, None, None]
    position = offset[None, :, None] / scale
    distance = jnp.abs(position - offset[None, None, :])

    triangle = jnp.maximum(1 - distance, 0)
    # Within half a pixel outside its field the kernel continues its rim; further out it is zero.
    total = triangle.sum(-1, keepdims=True)
    inside = jnp.abs(position) <= size / 2
    bilinear = jnp.where(inside, triangle / jnp.where(inside, total, 1.0), 0.0)

    shrink = jnp.minimum(jnp.abs(scale), 0.5)
    sigma = 0.5 * (1 / shrink - 1) * jnp.minimum(1.0, size * shrink)
    gaussian = jnp.exp(-0.5 * (distance / sigma) ** 2)

    weights = jnp.where(jnp.abs(scale) < 0.5, gaussian, bilinear)
    delta = (offset[:, None] == 0) & (offset[None, :] == 0)
    return jnp.where(in_focus[:, None, None], delta, weights)
