"""Kernel symmetry: differences against brute force, and a plane of known defocus recovered."""

import numpy as np
from blurred_plane import HEIGHT, KERNELS, OVERLAP, SIZES, WIDTH, plane
from scipy import ndimage, signal

from dpdefocus import baselines


def test_difference_is_that_of_views_blurred_once_more_by_the_other_kernel():
    # Smooth, since the kernels' spectra are cut at their own Nyquist frequency.
    views = ndimage.gaussian_filter(np.random.default_rng(1).random((2, HEIGHT, WIDTH)), (0, 1.6, 1.6))
    views = views.astype(np.float32)
    found = np.asarray(baselines.crossed_differences(views, KERNELS, SIZES[4:5], OVERLAP))[0]
    left, right = KERNELS[0, 0]
    expected = signal.convolve2d(views[0], right, "same") - signal.convolve2d(views[1], left, "same")
    inner = np.s_[7:-7, 7:-7]
    np.testing.assert_allclose(found[inner], expected[inner], atol=2e-5)


def test_plane_of_known_size_is_recovered():
    found = baselines.symmetric_sizes(plane()[1], KERNELS, SIZES, OVERLAP, 1, 6)
    assert np.abs(found - 0.7).max() < 0.05


def test_views_the_other_way_round_are_not_symmetric_at_any_size():
    def lowest(views):
        differences = np.asarray(baselines.crossed_differences(views, KERNELS, SIZES, OVERLAP))
        return (differences[:, 10:-10, 10:-10] ** 2).mean((1, 2)).min()

    assert lowest(plane()[1]) < 0.05 * lowest(plane()[1][::-1])
