"""Bias correction against its formula, frequency by frequency, and the golden cases."""

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.bias import bias_correction


def by_the_formula(kernels, mean, noise_variance, prior):
    """``B(d)`` in float64, the discrete Fourier transform written out as a matrix."""
    layers, rows, cols, views, size, _ = kernels.shape
    n = np.arange(size)
    dft = np.exp(-2j * np.pi * n[:, None] * n / size)
    corrections = []
    for layer in range(layers):
        shares = []
        for row, col in np.ndindex(rows, cols):
            power = sum(np.abs(dft @ kernels[layer, row, col, view] @ dft.T) ** 2 for view in range(views))
            shares.append(noise_variance * prior / (power + noise_variance * prior))
        corrections.append(noise_variance * np.mean(shares) * mean / 0.5)
    return np.array(corrections)


def test_formula():
    kernels = np.random.default_rng(0).uniform(size=(3, 2, 1, 2, 9, 9))
    kernels[1] **= 8  # few large values: a more compact kernel
    kernels /= kernels.sum((-2, -1), keepdims=True)
    found = bias_correction(jnp.asarray(kernels, jnp.float32), 0.3, 5e-5, 1e2)
    np.testing.assert_allclose(found, by_the_formula(kernels, 0.3, 5e-5, 1e2), rtol=1e-5)
    assert found[1] < found[0]


@pytest.mark.parametrize("case", ["a", "b"])
def test_golden_bias_correction(case, golden_folder):
    golden = np.load(golden_folder / f"loss_case_{case}.npz")
    mean = golden["observations"].mean()
    found = bias_correction(jnp.asarray(golden["kernels"]), jnp.asarray(mean), 5e-5, 1e2)
    np.testing.assert_allclose(found, golden["bias_correction"], rtol=2e-6)
