import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.overlap import Overlap, scaled_spectra
from dpdefocus.solve import reduce
from dpdefocus.wiener import (
    cross_residual,
    hypothesis_energy,
    kernel_deviation,
    kernel_reach,
    local_energy,
    noise_energy,
    noise_to_signal,
    residual_images,
    wiener_estimate,
)


def half_discs(size, radius):
    y, x = np.mgrid[:size, :size] - size // 2
    disc = (y**2 + x**2 <= radius**2).astype(np.float32)
    views = np.stack([disc * (x <= 0.5), disc * (x >= -0.5)])
    return views / views.sum((-2, -1), keepdims=True)


@pytest.fixture(scope="module")
def tile():
    rng = np.random.default_rng(0)
    shape = (12, 14)
    views = rng.random((2, *shape)).astype(np.float32)
    fy, fx = jnp.fft.fftfreq(shape[0]), jnp.fft.rfftfreq(shape[1])
    kernels = scaled_spectra(jnp.asarray(half_discs(9, 3)), jnp.float32(0.8), fy, fx)
    return views, jnp.fft.rfft2(views), kernels, noise_to_signal(fy, fx), shape


def test_estimate_is_the_least_squares_solution(tile):
    """Against a dense solve of min Σ_v ‖K^v c − I^v‖² + ‖√ratio F c‖² on a small periodic tile."""
    views, spectra, kernels, ratio, shape = tile
    estimate = jnp.fft.irfft2(wiener_estimate(spectra, kernels, ratio), s=shape)
    unit = np.eye(shape[0] * shape[1]).reshape(-1, *shape)

    def operator(response):
        columns = np.fft.irfft2(np.fft.rfft2(unit) * np.asarray(response, np.complex128), s=shape)
        return columns.reshape(len(unit), -1).T

    rows = np.concatenate([operator(kernels[0]), operator(kernels[1]), operator(np.sqrt(ratio))])
    right = np.concatenate([views[0].ravel(), views[1].ravel(), np.zeros(len(unit))])
    expected = np.linalg.lstsq(rows, right, rcond=None)[0].reshape(shape)
    np.testing.assert_allclose(estimate, expected, rtol=2e-3, atol=2e-3)


def test_energy_is_that_of_the_estimate(tile):
    _, spectra, kernels, ratio, _ = tile
    estimate = wiener_estimate(spectra, kernels, ratio)
    expected = (jnp.abs(kernels * estimate[None] - spectra) ** 2).sum(0) + ratio * jnp.abs(estimate) ** 2
    np.testing.assert_allclose(hypothesis_energy(spectra, kernels, ratio), expected, rtol=1e-3, atol=1e-3)


def test_energy_splits_into_the_cross_residual_and_the_prior(tile):
    _, spectra, kernels, ratio, _ = tile
    denominator = (jnp.abs(kernels) ** 2).sum(0) + ratio
    prior = ratio * (jnp.abs(spectra) ** 2).sum(0) / denominator
    crossed = jnp.abs(cross_residual(spectra, kernels, ratio)) ** 2
    np.testing.assert_allclose(
        hypothesis_energy(spectra, kernels, ratio), crossed + prior, rtol=1e-3, atol=1e-3
    )


def test_residual_vanishes_at_the_true_size_only():
    rng = np.random.default_rng(1)
    sharp = rng.random((48, 48)).astype(np.float32)
    kernels = half_discs(13, 5)
    fy, fx = jnp.fft.fftfreq(48), jnp.fft.rfftfreq(48)
    blurred = jnp.fft.irfft2(
        jnp.fft.rfft2(sharp)[None] * scaled_spectra(jnp.asarray(kernels), jnp.float32(0.7), fy, fx),
        s=(48, 48),
    )
    sizes = jnp.array([-0.7, 0.3, 0.5, 0.7, 0.9, 1.1])
    grid = jnp.asarray(np.broadcast_to(kernels, (2, 2, *kernels.shape)))
    residuals = np.asarray(residual_images(blurred, grid, sizes, Overlap(48, 48, 2, 2, 10)))
    energy = (residuals[:, 12:-12, 12:-12] ** 2).mean((1, 2))
    assert energy.argmin() == 3
    assert energy[3] < 0.02 * np.delete(energy, 3).min()


def test_window_is_a_mean_that_leaves_out_the_border():
    residuals = jnp.ones((1, 20, 30)).at[:, :3].set(10.0)
    energy = np.asarray(local_energy(residuals, 3, 1.5))
    np.testing.assert_allclose(energy[0, 5:-4], 1, atol=0.1)
    whole = np.asarray(local_energy(2 * jnp.ones((1, 20, 30)), 3, 1.5))
    np.testing.assert_allclose(whole, 4, rtol=1e-4)


def test_reach_and_deviation_of_a_disc():
    y, x = np.mgrid[:41, :41] - 20
    disc = (np.hypot(y, x) <= 10).astype(np.float32)
    kernels = jnp.asarray(np.broadcast_to(disc / disc.sum(), (1, 1, 2, 41, 41)))
    assert kernel_reach(kernels, 0.98) == pytest.approx(10, abs=0.3)
    assert kernel_deviation(kernels) == pytest.approx(5, abs=0.1)  # a disc's deviation is half its radius


@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_noise_energy_is_what_sampled_noise_leaves(reduction):
    """Noise drawn at full size, reduced as the solver reduces views: power of the residuals inside."""
    shape = (120 * reduction, 140 * reduction)
    noise = np.random.default_rng(5).standard_normal((2, *shape)).astype(np.float32)
    kernels = jnp.asarray(np.broadcast_to(half_discs(9, 3), (2, 2, 2, 9, 9)))
    overlap, scales = Overlap(120, 140, 2, 2, margin=12), jnp.array([0.0, 0.5, 1.5])

    @jax.jit
    def left_by(noise):
        residuals = residual_images(reduce(noise, reduction), kernels, scales, overlap, reduction)
        return (residuals[:, 12:-12, 12:-12] ** 2).mean((1, 2))

    expected = noise_energy(kernels, scales, overlap, reduction)
    # One kernel in all cells: tiles agree where they overlap, so that blending them takes no noise away.
    np.testing.assert_allclose(left_by(noise), expected, rtol=0.05)
