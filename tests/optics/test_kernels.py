"""Kernels at every defocus size, against the golden cases' kernels and the properties of a thin lens."""

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.optics.kernels import scale_kernels
from dpdefocus.support.errors import InputError

SIZE = 41


def blob():
    """A skewed, smooth kernel well inside its field, as a 1 x 1 grid of two views."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE // 2
    left = np.exp(-((x - 2) ** 2 / 18 + y**2 / 40)) * (1 + np.tanh(x / 3))
    kernels = np.stack([left, left[:, ::-1]])
    return jnp.asarray((kernels / kernels.sum((1, 2), keepdims=True))[None, None], jnp.float32)


def moments(kernel):
    """Mean offset and standard deviation along x, in pixels."""
    x = np.arange(SIZE) - SIZE // 2
    across = np.asarray(kernel, np.float64).sum(0)
    mean = (across * x).sum()
    return mean, np.sqrt((across * (x - mean) ** 2).sum())


@pytest.mark.parametrize("case", ["a", "b"])
def test_golden_kernels(case, golden_folder, pixel4_folder):
    golden = np.load(golden_folder / f"loss_case_{case}.npz")
    views = [
        np.load(pixel4_folder / "calibration" / f"blur_kernels_{view}.npy") for view in ("left", "right")
    ]
    calibrated = np.stack(views, axis=1).reshape(6, 8, 2, 61, 61)
    # The cases are cut out of scenes: rows 2-3, columns 3-4 of the grid, and rows 0-1, columns 6-7.
    row, col = {"a": (2, 3), "b": (0, 6)}[case]
    cut = jnp.asarray(calibrated[row : row + 2, col : col + 2])
    scaled = scale_kernels(cut, jnp.asarray(golden["scales"]))
    np.testing.assert_allclose(scaled, golden["kernels"], atol=1e-6 * golden["kernels"].max())


def test_kernels_sum_to_one_at_any_size():
    scales = jnp.array([2.5, 1.0, 0.5, 0.3, 0.01, 0.0, -0.2, -1.7])
    np.testing.assert_allclose(scale_kernels(blob(), scales).sum((-2, -1)), 1, atol=1e-5)


def test_size_one_is_the_calibrated_kernel():
    np.testing.assert_allclose(scale_kernels(blob(), jnp.array([1.0]))[0], blob(), atol=1e-7)


def test_moments_grow_with_the_size():
    mean, deviation = moments(blob()[0, 0, 0])
    for scale, kernel in zip((0.7, 1.0, 1.2), scale_kernels(blob(), jnp.array([0.7, 1.0, 1.2])), strict=True):
        found_mean, found_deviation = moments(kernel[0, 0, 0])
        assert found_mean == pytest.approx(scale * mean, rel=0.01)
        assert found_deviation == pytest.approx(scale * deviation, rel=0.02)


def test_antialiasing_keeps_what_coarse_samples_would_miss():
    """Between half a pixel's steps lies a line one pixel wide, which bare sampling would lose."""
    line = np.zeros((1, 1, 1, SIZE, SIZE), np.float32)
    line[..., SIZE // 2, SIZE // 2 + 3] = 0.5  # lies halfway between the samples of the quarter size
    line[..., SIZE // 2, SIZE // 2 - 8] = 0.5
    shrunk = np.asarray(scale_kernels(jnp.asarray(line), jnp.array([0.25])))[0, 0, 0, 0]
    right = shrunk[:, SIZE // 2 :].sum()
    assert 0.3 < right < 0.7


def test_other_side_of_focus_turns_the_kernel_by_half():
    there, mirrored = scale_kernels(blob(), jnp.array([0.8, -0.8]))
    np.testing.assert_allclose(mirrored, there[..., ::-1, ::-1], atol=1e-7)


@pytest.mark.parametrize("sign", [1, -1])
def test_tends_to_a_delta_in_focus(sign):
    spread = [
        moments(kernel[0, 0, 0])[1] for kernel in scale_kernels(blob(), sign * jnp.array([0.2, 0.02, 1e-3]))
    ]
    assert spread[0] > spread[1] > spread[2]
    delta = np.zeros((SIZE, SIZE))
    delta[SIZE // 2, SIZE // 2] = 1
    for kernel in scale_kernels(blob(), jnp.array([0.0, sign * 1e-4])):
        np.testing.assert_allclose(kernel[0, 0, 0], delta, atol=1e-6)


def test_even_field_is_refused():
    with pytest.raises(InputError, match="40 pixels wide; it must be odd"):
        scale_kernels(blob()[..., 1:, 1:], jnp.array([1.0]))
