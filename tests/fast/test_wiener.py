import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.fast.images import reduce
from dpdefocus.fast.wiener import (
    cross_blurred_views,
    cross_residual,
    hypothesis_energy,
    local_energy,
    noise_energy,
    noise_to_signal,
    relative_brightness,
    wiener_estimate,
)
from dpdefocus.optics.blended_tiles import Overlap
from dpdefocus.optics.kernels import kernel_deviation, kernel_reach, scaled_spectra


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
    left, right = np.moveaxis(cross_blurred_views(blurred, grid, sizes, Overlap(48, 48, 2, 2, 10)), 1, 0)
    residuals = left - right
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
        crossed = cross_blurred_views(reduce(noise, reduction), kernels, scales, overlap, reduction)
        residuals = crossed[:, 0] - crossed[:, 1]
        return (residuals[:, 12:-12, 12:-12] ** 2).mean((1, 2))

    expected = noise_energy(kernels, scales, overlap, reduction)
    # One kernel in all cells: tiles agree where they overlap, so that blending them takes no noise away.
    np.testing.assert_allclose(left_by(noise), expected, rtol=0.05)


@pytest.fixture(scope="module")
def crossed_textures():
    """Crossed views of a texture that is in focus in the left half and out of focus in the right half."""
    rng = np.random.default_rng(6)
    sharp = np.kron(rng.random((16, 32)), np.ones((4, 4))).astype(np.float32)
    sizes, blurred = jnp.array([0.2, 0.6, 1.0]), []
    kernels = jnp.asarray(half_discs(13, 5))
    fy, fx = jnp.fft.fftfreq(64), jnp.fft.rfftfreq(128)
    for size in sizes[::2]:
        response = scaled_spectra(kernels, size, fy, fx)
        blurred.append(jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * response, s=(64, 128)))
    views = jnp.concatenate([blurred[0][:, :, :64], blurred[1][:, :, 64:]], axis=2)
    grid = jnp.asarray(np.broadcast_to(kernels, (1, 1, *kernels.shape)))
    overlap = Overlap(64, 128, 1, 1, 16)

    def crossed(gain):
        gains = jnp.stack([gain, jnp.ones_like(gain)])
        return cross_blurred_views(views * gains, grid, sizes, overlap)

    return crossed


def test_relative_brightness_is_the_one_planted(crossed_textures):
    """One view 5 % brighter in the left half and 3 % darker in the right half; then equal ones."""
    planted = jnp.where(jnp.arange(128) < 64, 1.05, 0.97)[None] * jnp.ones((64, 1))
    found = np.asarray(relative_brightness(crossed_textures(planted), 8, 1.0, 0.03))
    np.testing.assert_allclose(found[16:-16, 16:40], 0.05, atol=0.01)
    np.testing.assert_allclose(found[16:-16, 88:-16], -0.03, atol=0.01)
    equal = np.asarray(relative_brightness(crossed_textures(jnp.ones((64, 128))), 8, 1.0, 0.03))
    assert np.abs(equal[16:-16, 16:-16]).max() < 0.005


def test_relative_brightness_is_no_more_than_its_prior_and_its_limit_allow(crossed_textures):
    brighter = crossed_textures(jnp.full((64, 128), 1.05))
    assert not np.asarray(relative_brightness(brighter, 8, 1.0, 0.0)).any()
    doubted = np.asarray(relative_brightness(brighter, 8, 1.0, 0.003))
    assert 0 < doubted[32, 32] < np.asarray(relative_brightness(brighter, 8, 1.0, 0.03))[32, 32]
    bright = crossed_textures(jnp.full((64, 128), 1.4))
    np.testing.assert_allclose(relative_brightness(bright, 8, 1.0, 1.0)[16:-16, 16:-16], 0.15, atol=1e-6)
    assert not np.asarray(relative_brightness(jnp.zeros((3, 2, 64, 128)), 8, 1.0, 0.03)).any()


def test_energy_of_views_of_unlike_brightness_is_least_at_the_right_size(crossed_textures):
    """Unlike brightness leaves at the right size what it leaves at every other one, until it is taken off."""
    crossed = crossed_textures(jnp.full((64, 128), 1.08))
    brighter = relative_brightness(crossed, 8, 1.0, 0.03)

    def contrast(residuals):
        energy = np.asarray(local_energy(residuals, 8, 1.0))[:, 16:-16, 16:48].mean((1, 2))
        return energy[1:].min() / energy[0]

    assert (
        contrast(crossed[:, 0] - (1 + brighter[None]) * crossed[:, 1])
        > 20
        > contrast(crossed[:, 0] - crossed[:, 1])
    )
