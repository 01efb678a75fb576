"""Losses against their formulas in plain NumPy, and their gradients by finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from edge_margin import with_margin
from scipy.ndimage import convolve

from dpdefocus import paper

G = np.outer([1, 2, 1], [1, 2, 1]) / 16


def variance(image):
    """``I² * g − (I * g)²``, the edge replicated."""
    return convolve(image**2, G, mode="nearest") - convolve(image, G, mode="nearest") ** 2


def robust(x2, bias=0.0):
    return np.sqrt((x2 - bias) / 0.1**2 + 1) - 1


def uniform(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


def test_local_variance_is_that_of_the_window():
    images = uniform(3, 7, 9)
    expected = [variance(image.astype(np.float64)) for image in images]
    np.testing.assert_allclose(paper.local_variance(with_margin(jnp.asarray(images))), expected, atol=1e-6)


def test_local_variance_gradient_by_finite_differences():
    with jax.enable_x64(True):
        images = np.random.default_rng(1).uniform(size=(2, 5, 4))
        weights = np.random.default_rng(2).normal(size=(2, 3, 2))
        weighted = jax.jit(jax.value_and_grad(lambda x: (paper.local_variance(x) * weights).sum()))
        _, gradient = weighted(images)
        for index in np.ndindex(images.shape):
            change = np.zeros_like(images)
            change[index] = 1e-5
            above, below = (float(weighted(images + sign * change)[0]) for sign in (1, -1))
            assert float(gradient[index]) == pytest.approx((above - below) / 2e-5, abs=1e-8)


def test_data_loss_is_zero_for_pure_bias():
    """A squared residual of just the expected bias costs nothing."""
    observed = jnp.asarray(uniform(2, 4, 5))
    bias = jnp.full((2, 4, 5), 4e-5)
    loss = paper.data_loss(observed + jnp.sqrt(bias), observed, bias)
    np.testing.assert_allclose(loss, 0, atol=1e-5)
    np.testing.assert_allclose(paper.data_loss(observed + 0.2, observed, bias), robust(0.04, 4e-5), rtol=1e-4)


def test_robust_slope_by_differences():
    with jax.enable_x64(True):
        squared, bias = np.array([0.0, 1e-4, 0.01, 0.5]), 5e-5
        slope = jax.grad(lambda each: paper.robust(each, bias).sum())(squared)
        expected = (robust(squared + 1e-7, bias) - robust(squared - 1e-7, bias)) / 2e-7
        np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_auxiliary_loss():
    blurred, shares, observed = uniform(3, 2, 4, 5), uniform(3, 2, 4, 5, seed=1), uniform(2, 4, 5, seed=2)
    bias = np.array([4e-5, 3e-5, 1e-5], np.float32)
    expected = (shares * robust((blurred - observed) ** 2, bias[:, None, None, None])).sum(0)
    given = [jnp.asarray(each) for each in (blurred, shares, observed, bias)]
    np.testing.assert_allclose(paper.auxiliary_loss(*given), expected, rtol=1e-5)
    to_shares = jax.grad(lambda each: paper.auxiliary_loss(given[0], each, *given[2:]).sum())(given[1])
    assert not to_shares.any()


def test_smoothness_losses():
    sharp, layers, shares, roots = (
        uniform(*shape, seed=seed) * 0.1
        for seed, shape in enumerate([(6, 7), (3, 6, 7), (3, 6, 7), (3, 6, 7)])
    )
    shares = shares / shares.sum(0)
    flat = np.exp(-sharp / (2 / 32**2))
    together = (shares * robust(layers)).sum(0)
    together_flat = np.exp(-(0.1**2) * ((together + 1) ** 2 - 1) / (2 / 32**2))
    intensity = (1 + flat) * robust(sharp) + (1 + together_flat) * together
    given = [jnp.asarray(each) for each in (sharp, layers, shares, roots)]
    np.testing.assert_allclose(paper.intensity_loss(given[0], given[1], given[2]), intensity, rtol=1e-4)
    alpha = (1 + flat) * (robust(layers) + robust(roots)).mean(0)
    np.testing.assert_allclose(paper.alpha_loss(given[1], given[3], given[0]), alpha, rtol=1e-4)


def test_entropy_of_one_layer_and_of_many():
    alone, even = jnp.zeros((4, 2, 2)).at[1].set(0.3), jnp.full((4, 2, 2), 0.3)
    np.testing.assert_allclose(paper.entropy(alone), 0, atol=1e-6)
    np.testing.assert_allclose(paper.entropy(even), np.log(4), rtol=1e-6)
    # The farthest layer's alpha, always one, is left out of the first part.
    roots = jnp.concatenate([jnp.ones((1, 2, 2)), alone])
    np.testing.assert_allclose(paper.entropy_loss(roots, jnp.ones((5, 2, 2))), np.log(5), rtol=1e-6)


def test_gradients_stay_finite_when_layers_vanish():
    def loss(shares):
        roots = paper.root(shares)
        return paper.entropy_loss(roots, roots).sum()

    assert np.isfinite(np.asarray(jax.grad(loss)(jnp.zeros((3, 2, 2))))).all()
    assert np.isfinite(np.asarray(jax.grad(loss)(jnp.zeros((3, 2, 2)).at[0].set(1.0)))).all()
