import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from dpdefocus.optics.blended_tiles import Overlap, blend, blending_weights, cut, frequencies, mirrored
from dpdefocus.optics.kernels import centre_kernels, scaled_spectra

# Compiled as the library's callers compile them, each step with what comes after it.
cut_and_blended = jax.jit(
    lambda image, overlap: blend(cut(image, overlap), overlap), static_argnames="overlap"
)


def gaussian_kernel(size, deviation, shift=(0.0, 0.0)):
    y, x = np.mgrid[:size, :size] - size // 2
    kernel = np.exp(-((y - shift[0]) ** 2 + (x - shift[1]) ** 2) / (2 * deviation**2))
    return (kernel / kernel.sum()).astype(np.float32)


@pytest.mark.parametrize("shape", [(24, 32), (23, 31)])
def test_blending_tiles_gives_the_image_back(shape):
    overlap = Overlap(*shape, 3, 4, 3)
    image = jnp.asarray(np.random.default_rng(0).random(shape, np.float32))
    np.testing.assert_allclose(cut_and_blended(image, overlap), image, atol=1e-6)


def test_hats_sum_to_one_everywhere():
    weights = blending_weights(4, 6)
    total = np.zeros(5 * 6)
    for cell, weight in enumerate(weights):
        total[cell * 6 : cell * 6 + 12] += weight
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_tiles_end_at_their_mean():
    overlap = Overlap(24, 32, 2, 2, 6)
    image = np.random.default_rng(1).random((24, 32), np.float32)
    tiles = np.asarray(jax.jit(cut, static_argnums=1)(image, overlap))
    corner = tiles[..., 0, 0]
    assert np.abs(corner - tiles[..., -1, -1]).max() < 0.02 * tiles.std()


@pytest.mark.parametrize("scale", [1.0, 0.5, -1.0])
def test_scaled_spectra_of_a_gaussian_are_those_of_the_scaled_gaussian(scale):
    deviation, shift = 3.0, (0.7, -1.2)
    kernels = jnp.asarray(gaussian_kernel(41, deviation, shift))[None]
    fy, fx = jnp.fft.fftfreq(20), jnp.fft.rfftfreq(24)
    found = scaled_spectra(kernels, jnp.float32(scale), fy, fx)[0]
    square = np.asarray(fy)[:, None] ** 2 + np.asarray(fx) ** 2
    phase = shift[0] * np.asarray(fy)[:, None] + shift[1] * np.asarray(fx)
    expected = np.exp(-2 * (np.pi * scale * deviation) ** 2 * square - 2j * np.pi * scale * phase)
    np.testing.assert_allclose(found, expected, atol=2e-5)


@pytest.mark.parametrize("width", [8, 9])
def test_half_a_spectrum_stands_for_the_whole(width):
    image = np.random.default_rng(4).normal(size=(6, width))
    half = np.abs(np.fft.rfft2(image)) ** 2
    assert (half * mirrored(width)).sum() == pytest.approx((np.abs(np.fft.fft2(image)) ** 2).sum(), rel=1e-12)
    assert mirrored(width).sum() == width


def test_size_zero_is_a_delta():
    kernels = jnp.asarray(gaussian_kernel(9, 2.0))[None]
    found = scaled_spectra(kernels, jnp.float32(0), jnp.fft.fftfreq(8), jnp.fft.rfftfreq(8))
    np.testing.assert_allclose(found, 1, atol=1e-6)


def test_filtering_with_one_kernel_is_convolution():
    kernel = gaussian_kernel(9, 1.5, (0.4, 0.8))
    image = np.random.default_rng(2).random((36, 48)).astype(np.float32)
    overlap = Overlap(36, 48, 3, 4, 12)

    @jax.jit
    def filtered(image, kernel):
        spectrum = scaled_spectra(kernel[None], jnp.float32(1), *frequencies(overlap))[0]
        tiles = jnp.fft.irfft2(jnp.fft.rfft2(cut(image, overlap)) * spectrum[None, None], s=overlap.tile)
        return blend(tiles, overlap)

    expected = scipy.signal.convolve2d(np.pad(image, 4, mode="edge"), kernel, mode="valid")
    np.testing.assert_allclose(filtered(image, kernel), expected, atol=2e-3)


def test_kernels_change_without_seams():
    """A grid of different gains on a constant image gives the bilinear interpolation of the gains."""
    overlap = Overlap(40, 40, 2, 2, 4)
    gains = jnp.array([[1.0, 2.0], [3.0, 4.0]])
    brightened = jax.jit(lambda image: blend(cut(image, overlap) * gains[..., None, None], overlap))
    image = np.asarray(brightened(jnp.ones((40, 40))))
    assert image[0, 0] == pytest.approx(1) and image[-1, -1] == pytest.approx(4)
    assert np.abs(np.diff(image, axis=1)).max() < 1.1 / 20
    assert image[20:, 20:].mean() > image[:20, :20].mean()


def test_centring_takes_the_common_shift_and_leaves_the_parallax():
    left, right = gaussian_kernel(31, 2.5, (1.0, -1.5)), gaussian_kernel(31, 2.5, (1.0, 2.5))
    kernels = np.asarray(centre_kernels(jnp.asarray(np.stack([left, right]))))
    offset = np.arange(31) - 15
    x = (kernels * offset).sum((-2, -1))
    y = (kernels * offset[:, None]).sum((-2, -1))
    np.testing.assert_allclose(x, [-2, 2], atol=2e-3)
    np.testing.assert_allclose(y, 0, atol=2e-3)
    np.testing.assert_allclose(kernels.sum((-2, -1)), 1, atol=1e-5)


def test_tiles_have_the_adjoint_that_jax_derives():
    overlap = Overlap(12, 16, 2, 2, 3)
    rng = np.random.default_rng(3)
    image = jnp.asarray(rng.random((12, 16), np.float32))
    tiles = jnp.asarray(rng.random((2, 2, *overlap.tile), np.float32))

    @jax.jit
    def both_ways(image, tiles):
        there, back = jax.vjp(lambda image: cut(image, overlap), image)
        return there, back(tiles)[0]

    there, back = both_ways(image, tiles)
    assert np.vdot(there, tiles) == pytest.approx(np.vdot(image, back), rel=1e-4)
