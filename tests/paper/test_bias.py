"""Bias corrections against their formulas, frequency by frequency, and the golden cases."""

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.fast.wiener import hypothesis_energy
from dpdefocus.paper.bias import (
    bias_correction,
    evidence_correction,
    expected_energy,
    expected_energy_of_noise,
    poisson_gaussian_correction,
)
from dpdefocus.proof.derivation import Frequency, eq37


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


def spectra(seed, size=6):
    kernels = np.random.default_rng(seed).uniform(size=(2, 2, size, size)) ** 6
    return np.fft.fft2(kernels / kernels.sum((2, 3), keepdims=True))


def test_expected_energy_is_37_and_its_form_for_other_noise():
    truth, hypothesis = spectra(0)
    prior = np.random.default_rng(1).uniform(50, 200, (6, 6))
    given = [jnp.asarray(k, jnp.complex64) for k in (truth, hypothesis)]
    found = expected_energy(*given, 1e-3, jnp.asarray(prior))
    # The proof's formula in double precision, which `derivation` checks against (26).
    exact = eq37(Frequency(tuple(hypothesis), tuple(truth), 0, (0, 0), 1e-3, prior)).real
    np.testing.assert_allclose(found.mismatch + found.noise, exact, rtol=2e-5)
    at_truth = expected_energy(given[0], given[0], 1e-3, 100.0)
    np.testing.assert_allclose(at_truth.mismatch, 0, atol=1e-9)
    np.testing.assert_allclose(at_truth.noise, 2e-3, rtol=1e-5)


def test_noise_of_one_view_enters_by_what_that_views_kernel_keeps():
    """Noise alone, in the right view alone: ``σ² (1 − |K^r|² / B)``, from the energy of a unit vector."""
    truth, hypothesis = (jnp.asarray(k, jnp.complex64) for k in spectra(2))
    terms = expected_energy_of_noise(truth, hypothesis, jnp.array([0.0, 3.0]), 0.0, 0.2)
    unit = jnp.stack([jnp.zeros((6, 6)), jnp.ones((6, 6))]).astype(jnp.complex64)
    exact = 3 * hypothesis_energy(unit, hypothesis, jnp.full((6, 6), 0.2))
    np.testing.assert_allclose(terms.noise, exact, rtol=1e-5)


def test_evidence_correction_against_the_logarithm_of_a_determinant():
    _, hypothesis = spectra(3)
    found = evidence_correction(jnp.asarray(hypothesis, jnp.complex64), 1e-2, 20.0)
    for y, x in np.ndindex(6, 6):
        k = hypothesis[:, y, x]
        log = np.linalg.slogdet(np.outer(k, k.conj()) / 20.0 + 1e-2 * np.eye(2))[1]
        no_blur = np.linalg.slogdet(np.ones((2, 2)) / 20.0 + 1e-2 * np.eye(2))[1]
        assert found[y, x] == pytest.approx(1e-2 * (no_blur - log), rel=1e-4, abs=1e-7)


def test_poisson_gaussian_correction_is_5_with_the_variance_at_hand():
    kernels = np.random.default_rng(4).uniform(size=(3, 2, 1, 2, 7, 7)).astype(np.float32)
    kernels = jnp.asarray(kernels / kernels.sum((-2, -1), keepdims=True))
    light = jnp.linspace(0.1, 0.9, 20).reshape(4, 5)
    found = poisson_gaussian_correction(kernels, light, 2e-4, 1e-5, 5e-3)
    assert found.shape == (3, 4, 5)
    variance = 2e-4 * float(light[1, 2]) + 1e-5
    exact = bias_correction(kernels, 0.5, variance, 5e-3 / variance)
    np.testing.assert_allclose(found[:, 1, 2], exact, rtol=1e-5)
