"""Images reduced and enlarged, local means and minima: what the steps of the pipeline share.

Axes: images [..., height, width]; reduced ones [..., h, w].
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def gaussian_means(image: Float[Array, "height width"], deviation: float) -> Float[Array, "height width"]:
    """Gaussian means of the given standard deviation in pixels; beyond the image there is nothing."""
    radius = int(3 * deviation + 0.5)
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    gaussian = jnp.asarray(gaussian / gaussian.sum(), jnp.float32)

    def along(lines):
        return jax.vmap(lambda line: jnp.convolve(jnp.pad(line, radius), gaussian, mode="valid"))(lines)

    return along(along(image.T).T)


@partial(jax.jit, static_argnames="factor")
def reduce(views: Float[Array, "views height width"], factor: int) -> Float[Array, "views h w"]:
    """Views of a whole factor fewer pixels, low-pass filtered first; last rows repeat to a multiple of it."""
    height, width = views.shape[1:]
    even = jnp.pad(views, ((0, 0), (0, -height % factor), (0, -width % factor)), mode="edge")
    shape = (views.shape[0], even.shape[1] // factor, even.shape[2] // factor)
    return jax.image.resize(even, shape, "linear", antialias=True)


@partial(jax.jit, static_argnames=("size", "factor"))
def enlarge(small: Float[Array, "h w"], size: tuple[int, int], factor: int) -> Float[Array, "height width"]:
    """A map of reduced views at full size: bilinear, cut to the size that the views had before `reduce`."""
    whole = jax.image.resize(small, (small.shape[0] * factor, small.shape[1] * factor), "linear")
    return whole[: size[0], : size[1]]


def local_minimum(image: Float[Array, "height width"], radius: int) -> Float[Array, "height width"]:
    """Smallest value within a square of the given half width in pixels."""
    size = 2 * radius + 1
    along = jax.lax.reduce_window(image, jnp.inf, jax.lax.min, (size, 1), (1, 1), "SAME")
    return jax.lax.reduce_window(along, jnp.inf, jax.lax.min, (1, size), (1, 1), "SAME")


@partial(jax.jit, static_argnames="side")
def block_means(images: Float[Array, "*n height width"], side: int) -> Float[Array, "*n h w"]:
    """Means over blocks of pixels; the last row and column repeat to a multiple of a block's side."""
    height, width = images.shape[-2:]
    lead = [(0, 0)] * (images.ndim - 2)
    whole = jnp.pad(images, [*lead, (0, -height % side), (0, -width % side)], mode="edge")
    shape = (*images.shape[:-2], whole.shape[-2] // side, side, whole.shape[-1] // side, side)
    return whole.reshape(shape).mean((-3, -1))


def enlarge_blocks(
    blocks: Float[Array, "*n h w"], side: int, size: tuple[int, int]
) -> Float[Array, "*n height width"]:
    """Images of which `blocks` are the means (`block_means`): linear in between, cut to size.

    `side` is a block's, in pixels, and a power of two.
    """
    for axis in (-2, -1):
        for _ in range(side.bit_length() - 1):
            blocks = double_bilinear(blocks, axis)
    return blocks[..., : size[0], : size[1]]


def double_bilinear(image: Float[Array, "*n height width"], axis: int) -> Float[Array, "*n h w"]:
    """Twice the samples along an axis, linear between them, the ends repeated."""
    image = jnp.moveaxis(image, axis, -1)
    ends = jnp.concatenate([image[..., :1], image, image[..., -1:]], -1)
    nearer_before, nearer_after = (
        0.75 * image + 0.25 * ends[..., shift : shift + image.shape[-1]] for shift in (0, 2)
    )
    doubled = jnp.stack([nearer_before, nearer_after], -1).reshape(*image.shape[:-1], -1)
    return jnp.moveaxis(doubled, -1, axis)


@jax.jit
def double(image: Float[Array, "*n height width"]) -> Float[Array, "*n h w"]:
    """Each pixel twice along both axes."""
    return jnp.repeat(jnp.repeat(image, 2, axis=-2), 2, axis=-1)
