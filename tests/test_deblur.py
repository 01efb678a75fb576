import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.deblur import FILLED, deblur, fill, layer_weights, total_variation_deconvolution, uncovered
from dpdefocus.overlap import scaled_spectra

SCALES = jnp.array([1.0, 0.8, 0.6, 0.4])


def gaussian_views(size, deviation, parallax):
    y, x = np.mgrid[:size, :size] - size // 2
    views = np.stack(
        [np.exp(-(y**2 + (x - side) ** 2) / (2 * deviation**2)) for side in (-parallax, parallax)]
    )
    return (views / views.sum((-2, -1), keepdims=True)).astype(np.float32)


def test_weights_sum_to_one_and_have_the_right_mean():
    defocus = jnp.asarray(np.random.default_rng(0).uniform(0.3, 1.1, (5, 6)), jnp.float32)
    weights = layer_weights(defocus, SCALES)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    mean = (weights * SCALES[:, None, None]).sum(0)
    np.testing.assert_allclose(mean, jnp.clip(defocus, 0.4, 1.0), atol=1e-5)


def test_fill_keeps_what_is_known_and_continues_it():
    x = np.linspace(0, 1, 40, dtype=np.float32)
    image = jnp.asarray(np.broadcast_to(x, (30, 40)))
    known = jnp.ones((30, 40)).at[8:20, 15:25].set(0)
    filled = np.asarray(fill(jnp.where(known > 0, image, 9.0), known))
    np.testing.assert_allclose(
        filled[np.asarray(known) == 1], np.asarray(image)[np.asarray(known) == 1], atol=1e-4
    )
    np.testing.assert_allclose(filled, image, atol=0.15)


def test_far_layers_lose_the_light_of_near_ones_only():
    defocus = jnp.full((60, 60), 1.0).at[:, :20].set(0.4)
    views = jnp.tile(jnp.where(defocus < 0.7, 1.0, 0.1), (2, 1, 1))
    without = np.asarray(uncovered(views, SCALES, layer_weights(defocus, SCALES), 5.0))
    np.testing.assert_allclose(without[0, :, :, 30:], 0.1, atol=1e-3)
    np.testing.assert_allclose(without[0, :, :, :15], FILLED * 0.1 + (1 - FILLED) * 1.0, atol=1e-3)
    np.testing.assert_allclose(without[3], views, atol=1e-5)


@pytest.mark.parametrize(("reach", "covered"), [(5.0, 24), (20.0, 24), (30.0, 28), (60.0, 32)])
def test_light_of_near_layers_reaches_half_their_kernels(reach, covered):
    """Near things left of column 20, of size 0.4: half their kernel's reach in whole blocks of 4 pixels."""
    defocus = jnp.full((41, 62), 1.0).at[:, :20].set(0.4)
    views = jnp.asarray(np.random.default_rng(0).random((2, 41, 62)), jnp.float32)
    without = np.asarray(uncovered(views, SCALES, layer_weights(defocus, SCALES), reach))
    changed = (np.abs(without[0] - views) > 1e-4).any((0, 1))
    assert changed[:covered].all() and not changed[covered:].any()


def test_deconvolution_lowers_its_objective_below_its_neighbours():
    """Below the objective of the blurred views and of perturbed solutions, not far above that of the truth.

    Four steps of splitting stop short of the minimum.
    """
    rng = np.random.default_rng(1)
    shape, variation = (32, 32), 3e-3
    sharp = np.zeros(shape, np.float32)
    sharp[8:20, 10:24] = 1
    fy, fx = jnp.fft.fftfreq(32), jnp.fft.rfftfreq(32)
    kernels = scaled_spectra(jnp.asarray(gaussian_views(15, 1.5, 1.0)), jnp.float32(1), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * kernels, s=shape)
    views += jnp.asarray(0.005 * rng.standard_normal((2, *shape)), jnp.float32)
    found = total_variation_deconvolution(jnp.fft.rfft2(views), kernels, shape, fy, fx, variation)

    def objective(image):
        residual = np.fft.irfft2(np.fft.rfft2(image) * np.asarray(kernels), s=shape) - np.asarray(views)
        dy, dx = np.roll(image, -1, 0) - image, np.roll(image, -1, 1) - image
        return 0.5 * (residual**2).sum() + variation * np.hypot(dy, dx).sum()

    at_solution = objective(np.asarray(found))
    assert at_solution < objective(np.asarray(views.mean(0)))
    assert at_solution < 1.25 * objective(sharp)
    for _ in range(5):
        assert at_solution < objective(np.asarray(found) + 0.02 * rng.standard_normal(shape))
    assert np.abs(np.asarray(found) - sharp).mean() < 0.6 * np.abs(np.asarray(views.mean(0)) - sharp).mean()


def test_one_plane_comes_back_sharp_without_seams():
    rng = np.random.default_rng(2)
    sharp = np.kron(rng.random((12, 16)), np.ones((6, 6))).astype(np.float32)
    kernels = gaussian_views(17, 1.2, 1.5)
    fy, fx = jnp.fft.fftfreq(72), jnp.fft.rfftfreq(96)
    response = scaled_spectra(jnp.asarray(kernels), jnp.float32(0.8), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * response, s=(72, 96))
    grid = jnp.asarray(np.broadcast_to(kernels, (2, 3, *kernels.shape)))
    weights = layer_weights(jnp.full((72, 96), 0.8), SCALES)
    found = np.asarray(deblur(views, grid, SCALES, weights, 6.0, 1e-4))
    inside = np.s_[10:-10, 10:-10]
    before = np.abs(np.asarray(views.mean(0)) - sharp)[inside].mean()
    after = np.abs(found - sharp)[inside]
    assert after.mean() < 0.5 * before
    at_seams = after[:, [14, 37, 61]].mean()  # the borders of the grid's cells are no worse than the rest
    assert at_seams < 2 * after.mean()


@pytest.mark.parametrize("grid", [(2, 3), (1, 1)])
def test_sizes_that_the_grid_does_not_divide(grid):
    kernels = gaussian_views(9, 1.2, 0.5)
    tiles = jnp.asarray(np.broadcast_to(kernels, (*grid, *kernels.shape)))
    views = jnp.full((2, 41, 53), 0.5)
    weights = layer_weights(jnp.full((41, 53), 0.6), SCALES)
    np.testing.assert_allclose(deblur(views, tiles, SCALES, weights, 3.0, 1e-3), 0.5, atol=1e-3)
