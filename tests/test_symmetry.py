"""Kernel symmetry: differences against brute force, and a plane of known defocus recovered."""

from functools import cache

import jax.numpy as jnp
import numpy as np
from scipy import ndimage, signal

from dpdefocus import symmetry
from dpdefocus.optics import scale_kernels
from dpdefocus.overlap import Overlap

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


def test_difference_is_that_of_views_blurred_once_more_by_the_other_kernel():
    # Smooth, since the kernels' spectra are cut at their own Nyquist frequency.
    views = ndimage.gaussian_filter(np.random.default_rng(1).random((2, HEIGHT, WIDTH)), (0, 1.6, 1.6))
    views = views.astype(np.float32)
    found = np.asarray(symmetry.crossed_differences(views, KERNELS, SIZES[4:5], OVERLAP))[0]
    left, right = KERNELS[0, 0]
    expected = signal.convolve2d(views[0], right, "same") - signal.convolve2d(views[1], left, "same")
    inner = np.s_[7:-7, 7:-7]
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-5)


def test_plane_of_known_size_is_recovered():
    found = symmetry.symmetric_sizes(plane()[1], KERNELS, SIZES, OVERLAP, 1, 6)
    assert np.abs(found - 0.7).max() < 0.05


def test_views_the_other_way_round_are_not_symmetric_at_any_size():
    def lowest(views):
        differences = np.asarray(symmetry.crossed_differences(views, KERNELS, SIZES, OVERLAP))
        return (differences[:, 10:-10, 10:-10] ** 2).mean((1, 2)).min()

    assert lowest(plane()[1]) < 0.05 * lowest(plane()[1][::-1])
