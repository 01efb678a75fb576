"""Images with a margin for the 3 × 3 windows of the local variance."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def with_margin(images: Float[Array, "*n height width"]) -> Float[Array, "*n height_and_2 width_and_2"]:
    """The images, their edge pixels replicated once around them."""
    return jnp.pad(images, [(0, 0)] * (images.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
