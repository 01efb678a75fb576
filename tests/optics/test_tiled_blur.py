"""Tiled Fourier blur against direct convolution, and its adjoint by inner products."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from direct_convolution import direct_blur

from dpdefocus.optics.tiled_blur import blur, kernel_spectra, mpi_tiles
from dpdefocus.optics.tiling import Tiling, good_fft_length, pad, pad_adjoint, tiles, tiling_of, windows
from dpdefocus.support.errors import InputError

# Divided by the grid; not divided; tiles smaller than a halo, one of them with a single pixel of the image.
SHAPES = [(24, 30, 2, 3), (23, 31, 2, 3), (9, 7, 3, 3)]


def problem(height, width, rows, cols, layers=3, size=7):
    rng = np.random.default_rng(height)
    images = rng.normal(size=(layers, height, width)).astype(np.float32)
    kernels = rng.uniform(size=(layers, rows, cols, 2, size, size)).astype(np.float32)
    kernels /= kernels.sum((-2, -1), keepdims=True)
    tiling = tiling_of(height, width, kernels)
    return images, kernels, tiling, jax.jit(kernel_spectra, static_argnums=1)(kernels, tiling)


@cache
def both_ways(shape):
    """Images and kernels, weights of blurred images; the images blurred, the weights gathered back."""
    images, kernels, tiling, spectra = problem(*shape)
    weights = np.random.default_rng(1).normal(size=(len(images), 2, *images.shape[1:])).astype(np.float32)

    @jax.jit
    def there_and_back(images, weights):
        blurred, transpose = jax.vjp(lambda x: blur(x, spectra, tiling), images)
        return blurred, transpose(weights)[0]

    return images, kernels, weights, *map(np.asarray, there_and_back(images, weights))


@pytest.mark.parametrize("shape", SHAPES)
def test_blur_is_direct_convolution(shape):
    images, kernels, _, blurred, _ = both_ways(shape)
    np.testing.assert_allclose(blurred, direct_blur(images, kernels), atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_blur_adjoint_by_inner_products(shape):
    images, _, weights, blurred, gathered = (np.asarray(each, np.float64) for each in both_ways(shape))
    forward, backward = np.vdot(weights, blurred), np.vdot(gathered, images)
    assert forward == pytest.approx(backward, rel=1e-5)


def test_mpi_tiles_are_the_sharp_ones_and_the_three_blurs():
    images, kernels, tiling, spectra = problem(24, 30, 2, 3)
    intensities, alphas = jnp.abs(jnp.asarray(images)), jnp.asarray(images) ** 2
    first = jnp.array(2)

    @jax.jit
    def tiled(*images):
        return mpi_tiles(
            *(windows(pad(each, tiling), first, 2, tiling) for each in images), spectra, first, tiling
        )

    sharp, *blurred = tiled(intensities, alphas)
    for found, image in zip(sharp, (intensities, alphas), strict=True):
        around = np.pad(image, [(0, 0), (1, 1), (1, 1)], mode="edge")
        np.testing.assert_array_equal(found[:, 0], around[:, :14, 20:])
        np.testing.assert_array_equal(found[:, 1], around[:, 12:, :12])
    images = dict(premultiplied=intensities * alphas, alphas=alphas, intensities=intensities)
    for name, image in images.items():
        expected = direct_blur(np.asarray(image), kernels)
        for view, found in enumerate(getattr(each, name) for each in blurred):
            np.testing.assert_allclose(found[:, 0], expected[:, view, :12, 20:], atol=2e-6)
            np.testing.assert_allclose(found[:, 1], expected[:, view, 12:, :10], atol=2e-6)


def test_mpi_tiles_adjoint_by_inner_products():
    """The blur of ``c α`` is bilinear: its derivative is tested along a direction, by the definition."""
    images, _, tiling, spectra = problem(24, 30, 2, 3)
    first = jnp.array(2)
    rng = np.random.default_rng(2)
    window = len(images), 2, tiling.window_height, tiling.window_width
    point, direction = rng.normal(size=(2, 2, *window)).astype(np.float32)

    @jax.jit
    def tiled(*given):
        return mpi_tiles(*given, spectra, first, tiling)

    (c, alpha), (dc, dalpha) = point, direction
    of_c, of_alpha, of_both = tiled(dc, alpha), tiled(c, dalpha), tiled(dc, dalpha)
    change = [of_both[0]] + [
        both._replace(premultiplied=by_c.premultiplied + by_alpha.premultiplied)
        for by_c, by_alpha, both in zip(of_c[1:], of_alpha[1:], of_both[1:], strict=True)
    ]
    weights = jax.tree.map(lambda each: jnp.asarray(rng.normal(size=each.shape), jnp.float32), tuple(change))
    gathered = jax.jit(lambda point, weights: jax.vjp(tiled, *point)[1](weights))(point, weights)
    leaves = zip(jax.tree.leaves(weights), jax.tree.leaves(change), strict=True)
    forward = sum(float((w * d).sum()) for w, d in leaves)
    backward = sum(float((g * d).sum()) for g, d in zip(gathered, direction, strict=True))
    assert forward == pytest.approx(backward, rel=1e-4)


def test_pad_adjoint_by_inner_products():
    images, _, tiling, _ = problem(23, 31, 2, 3)
    padded = np.asarray(pad(jnp.asarray(images), tiling))
    weights = np.random.default_rng(3).normal(size=padded.shape).astype(np.float32)
    gathered = np.asarray(jax.jit(pad_adjoint, static_argnums=1)(weights, tiling))
    assert np.vdot(weights, padded) == pytest.approx(np.vdot(gathered, images), rel=1e-4)


def test_tiles_cover_the_image_in_order():
    tiling = Tiling(10, 9, 2, 3, 5)
    image = jnp.arange(90.0).reshape(1, 10, 9)
    cut = np.asarray(tiles(pad(image, tiling), jnp.array(0), 6, tiling))[0]
    np.testing.assert_array_equal(cut.reshape(2, 3, 5, 3).transpose(0, 2, 1, 3).reshape(10, 9), image[0])


@pytest.mark.parametrize("least, length", [(1, 1), (7, 8), (228, 240), (241, 243)])
def test_good_fft_lengths(least, length):
    assert good_fft_length(least) == length


def test_bad_tilings_are_refused():
    with pytest.raises(InputError, match="odd width"):
        Tiling(8, 8, 2, 2, 4)
    with pytest.raises(InputError, match="neither may be empty"):
        Tiling(8, 8, 0, 2, 5)
