"""A plane of one size, blurred by convolution in space."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from scipy import ndimage, signal

from dpdefocus.optics.blended_tiles import Overlap
from dpdefocus.optics.kernels import scale_kernels

HEIGHT, WIDTH, KERNEL = 72, 96, 13


SIZES = np.linspace(0.2, 1.4, 7, dtype=np.float32)


def half_discs():
    """A left and a right kernel that are not mirror images of each other."""
    y, x = np.mgrid[-6:7, -6:7].astype(float)
    disc = np.clip(5.5 - np.hypot(y, x), 0, 1)
    kernels = np.stack([disc * np.clip(0.6 - 0.1 * x, 0, 1), disc * np.clip(0.5 + 0.15 * x, 0, 1)])
    return np.float32(kernels / kernels.sum((1, 2), keepdims=True))


KERNELS = half_discs()[None, None]


@cache
def plane():
    """A flat scene at size 0.7, sharp and as both views; blurred by a convolution in space."""
    rng = np.random.default_rng(0)
    sharp = ndimage.gaussian_filter(rng.random((HEIGHT + KERNEL - 1, WIDTH + KERNEL - 1)), 1.6)
    sharp = (sharp - sharp.mean()) * 4 + 0.5
    scaled = np.asarray(scale_kernels(jnp.asarray(KERNELS), jnp.array([0.7])))[0, 0, 0]
    views = np.stack([signal.convolve2d(sharp, kernel, "valid") for kernel in scaled]).astype(np.float32)
    return sharp[6:-6, 6:-6], views


OVERLAP = Overlap(HEIGHT, WIDTH, 1, 1, margin=20)
