"""Two-observation Wiener: a plane's size and sharp image, and (27) as a dense matrix equation."""

import jax.numpy as jnp
import numpy as np
from blurred_plane import HEIGHT, KERNELS, OVERLAP, SIZES, WIDTH, plane

from dpdefocus import baselines
from dpdefocus.fast.wiener import noise_to_signal
from dpdefocus.optics.blended_tiles import Overlap


def test_wiener_recovers_the_planes_size_and_its_sharp_image():
    sharp, views = plane()
    found = baselines.best_sizes(views, KERNELS, SIZES, OVERLAP, 1, 6)
    # Within a step of the sizes tried: the prior's share in the differences pulls the estimate a little.
    assert np.abs(found[10:-10, 10:-10] - 0.7).max() < SIZES[1] - SIZES[0]
    image = baselines.selected(views, KERNELS, SIZES, found, OVERLAP)
    inner = np.s_[12:-12, 12:-12]
    before, after = (np.abs(each - sharp)[inner].mean() for each in (views.mean(0), image))
    assert after < 0.6 * before


def test_each_pixel_comes_from_the_deconvolutions_around_its_size():
    views = plane()[1]
    spectra = baselines.tile_spectra(views, OVERLAP)
    two = [np.asarray(baselines.deconvolved(spectra, KERNELS, size, OVERLAP)) for size in SIZES[2:4]]
    defocus = np.full((HEIGHT, WIDTH), SIZES[2], np.float32)
    defocus[:, WIDTH // 2 :] = 0.25 * SIZES[2] + 0.75 * SIZES[3]
    image = baselines.selected(views, KERNELS, SIZES, defocus, OVERLAP)
    half = WIDTH // 2
    np.testing.assert_allclose(image[:, :half], two[0][:, :half], atol=1e-5)
    np.testing.assert_allclose(image[:, half:], (0.25 * two[0] + 0.75 * two[1])[:, half:], atol=1e-5)


def test_reblurred_differences_against_a_dense_solution():
    """(27) on the whole tile as a matrix equation, but for the kernels' own Nyquist frequency."""
    small = Overlap(8, 8, 1, 1, margin=0)
    assert small.tile == (16, 16)
    views = np.random.default_rng(2).random((2, 8, 8)).astype(np.float32)
    found = np.asarray(baselines.reblurred_differences(views, KERNELS, np.float32([1.0]), small))[0]
    tiles = np.pad(views, ((0, 0), (4, 4), (4, 4)), mode="edge").astype(float)
    left, right = (cyclic(kernel, 16) for kernel in KERNELS[0, 0].astype(float))
    frequencies = jnp.fft.fftfreq(16)
    prior = cyclic_of_spectrum(np.asarray(noise_to_signal(frequencies, frequencies)))
    observed = [tile.ravel() for tile in tiles]
    system = left.T @ left + right.T @ right + prior
    sharp = np.linalg.solve(system, left.T @ observed[0] + right.T @ observed[1])
    expected = [
        (blur @ sharp - seen).reshape(16, 16)[4:12, 4:12]
        for blur, seen in zip((left, right), observed, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=2e-4)


def cyclic(kernel, length):
    """Matrix of the cyclic convolution with a centred kernel, on flattened images."""
    matrix = np.zeros((length, length, length, length))
    half = kernel.shape[0] // 2
    for y in range(length):
        for x in range(length):
            for dy in range(-half, half + 1):
                for dx in range(-half, half + 1):
                    matrix[y, x, (y - dy) % length, (x - dx) % length] += kernel[dy + half, dx + half]
    return matrix.reshape(length**2, length**2)


def cyclic_of_spectrum(spectrum):
    """Matrix of the filter with this (real, even) spectrum."""
    impulse = np.fft.ifft2(spectrum).real
    length = len(spectrum)
    index = np.arange(length)
    offset = (index[:, None] - index) % length
    return impulse[offset[:, None, :, None], offset[None, :, None, :]].reshape(length**2, length**2)
