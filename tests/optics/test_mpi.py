"""Compositing against the over operator, one layer painted over another, and against direct convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from direct_convolution import direct_blur

from dpdefocus.optics.mpi import all_in_focus, composite, defocus_map, render, transmittance, visibility
from dpdefocus.optics.tiled_blur import kernel_spectra
from dpdefocus.optics.tiling import tiling_of


def random_mpi(layers=4, height=6, width=8):
    rng = np.random.default_rng(0)
    intensities, alphas = rng.uniform(size=(2, layers, height, width)).astype(np.float32)
    alphas[0] = 1
    return intensities, alphas


def painted(premultiplied, alphas):
    """Layers painted over one another, back to front."""
    seen = np.zeros(premultiplied.shape[1:])
    for layer, alpha in zip(premultiplied, alphas, strict=True):
        seen = layer + (1 - alpha) * seen
    return seen


def test_images_are_painted_back_to_front():
    intensities, alphas = random_mpi()
    scales = np.array([1.5, 1.0, 0.4, -0.2], np.float32)
    sharp = painted(intensities * alphas, alphas)
    np.testing.assert_allclose(all_in_focus(jnp.asarray(intensities), jnp.asarray(alphas)), sharp, atol=1e-6)
    sizes = painted(scales[:, None, None] * alphas, alphas)
    np.testing.assert_allclose(defocus_map(jnp.asarray(alphas), jnp.asarray(scales)), sizes, atol=1e-6)
    np.testing.assert_allclose(
        composite(jnp.asarray(intensities * alphas), jnp.asarray(alphas)), sharp, atol=1e-6
    )


def test_transmittance_shares_out_all_light():
    _, alphas = random_mpi()
    np.testing.assert_allclose(transmittance(jnp.asarray(alphas)).sum(0), 1, atol=1e-6)
    equal = 1 / jnp.arange(1.0, 6.0)[:, None]
    np.testing.assert_allclose(transmittance(equal), 0.2, atol=1e-6)


def test_visibility_gradient_by_finite_differences():
    """Also where a layer is opaque, which a quotient of products would divide by zero."""
    with jax.enable_x64(True):
        alphas = np.random.default_rng(1).uniform(size=(5, 3))
        alphas[0], alphas[2, 1], alphas[3, 1], alphas[4, 2] = 1, 1, 1, 0
        weights = np.random.default_rng(2).normal(size=alphas.shape)
        gradient = jax.grad(lambda a: (visibility(a) * weights).sum())(jnp.asarray(alphas))
        for index in np.ndindex(alphas.shape):
            change = np.zeros_like(alphas)
            change[index] = 1e-4
            ends = [
                (np.asarray(visibility(jnp.asarray(alphas + s * change))) * weights).sum() for s in (1, -1)
            ]
            assert float(gradient[index]) == pytest.approx((ends[0] - ends[1]) / 2e-4, abs=1e-8)


def test_render_is_painting_of_directly_blurred_layers():
    intensities, alphas = random_mpi(layers=3, height=14, width=13)
    kernels = np.random.default_rng(3).uniform(size=(3, 2, 2, 2, 5, 5)).astype(np.float32)
    kernels /= kernels.sum((-2, -1), keepdims=True)
    tiling = tiling_of(14, 13, kernels)
    spectra = kernel_spectra(jnp.asarray(kernels), tiling)
    rendered = render(jnp.asarray(intensities), jnp.asarray(alphas), spectra, tiling)
    expected = painted(direct_blur(intensities * alphas, kernels), direct_blur(alphas, kernels))
    np.testing.assert_allclose(rendered, expected, atol=2e-6)
