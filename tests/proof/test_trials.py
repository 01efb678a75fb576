"""Lesson 3's experiments: spectra against direct sums, minima of known curves, two layers against `mpi`'s
formula.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, skew

from dpdefocus import optics, proof
from dpdefocus.fast.wiener import hypothesis_energy
from dpdefocus.proof.claims import circular_convolution
from dpdefocus.support.errors import InputError


def test_kernel_spectra_are_centred_transforms():
    pupil = optics.half_discs()
    found = proof.kernel_spectra(pupil, [2.0, -2.0], 16)
    assert found[:, :, 0, 0] == pytest.approx(1)
    np.testing.assert_allclose(found[1], np.conj(found[0]), atol=1e-6)  # mirrored in front of focus
    kernel = np.fft.ifft2(found[0, 0]).real
    y = np.fft.fftfreq(16, 1 / 16)
    # A left half disc: its middle lies to the left.
    assert (kernel * y[:, None]).sum() == pytest.approx(0, abs=1e-5)
    assert (kernel * y).sum() < -0.5
    with pytest.raises(InputError, match="fit the field"):
        proof.kernel_spectra(pupil, [20.0], 16)


def test_kernels_of_many_sizes_are_those_of_each():
    """More than are computed at once, and no multiple of it; an even and an odd field."""
    pupil = optics.half_discs()
    sizes = np.linspace(0.5, 6.0, proof.SIZES_AT_ONCE + 3)
    for length, field in ((16, 15), (15, 15)):
        found = proof.kernels_in_field(pupil, sizes, length)
        assert found.shape == (len(sizes), 2, field, field)
        for at in (0, proof.SIZES_AT_ONCE, -1):
            np.testing.assert_allclose(found[at], pupil.kernels([sizes[at]], field)[0, 0, 0], atol=1e-7)


def test_sampled_views_follow_the_model():
    truth = proof.kernel_spectra(optics.half_discs(), [2.0], 16)[0]
    views = proof.sample_views(0, truth, 0.5, 4.0, 4000)
    power = (np.abs(views) ** 2).mean(0)
    np.testing.assert_allclose(power, np.abs(truth) ** 2 / 4 + 0.5, rtol=0.15)
    images = np.fft.ifft2(views)
    assert np.abs(images.imag).max() < 1e-5  # transforms of real images


def test_energies_are_those_of_wiener():
    rng = np.random.default_rng(0)
    observed, kernels = (rng.normal(size=(3, 2, 8, 8)) + 1j * rng.normal(size=(3, 2, 8, 8)) for _ in range(2))
    observed, kernels = observed.astype(np.complex64), kernels.astype(np.complex64)
    found = proof.energies(jnp.asarray(observed), jnp.asarray(kernels), 0.1)
    ratio = jnp.full((8, 8), 0.1)
    expected = [
        [hypothesis_energy(jnp.asarray(i), jnp.asarray(k), ratio).mean() for k in kernels] for i in observed
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_local_energies_average_to_the_whole():
    rng = np.random.default_rng(1)
    truth = proof.kernel_spectra(optics.half_discs(), [2.0, 1.0], 16)
    observed = jnp.asarray(proof.sample_views(2, truth[0], 0.1, 1.0, 3))
    local = proof.local_energies(observed, jnp.asarray(truth), 0.1, 2.0)
    whole = proof.energies(observed, jnp.asarray(truth), 0.1)
    np.testing.assert_allclose(local.mean(-1), whole, rtol=1e-4)
    # Noise in one half of the columns only: that is where the energy is.
    half = rng.normal(size=(1, 2, 16, 16)) * (np.arange(16) < 8)
    spectra = jnp.asarray(proof.unitary(half), jnp.complex64)
    profile = np.asarray(proof.local_energies(spectra, jnp.asarray(truth), 0.1, 0.5))[0, 0]
    assert profile[2:6].min() > 3 * profile[10:14].max()


def test_minimum_of_parabolas_and_at_the_ends():
    sizes = np.arange(0.0, 5.01, 0.1)
    lowest = np.array([1.234, 3.0, 4.56])
    np.testing.assert_allclose(proof.minimum(sizes, (sizes - lowest[:, None]) ** 2), lowest, atol=1e-12)
    assert proof.minimum(sizes, sizes) == 0.0
    assert proof.minimum(sizes, -sizes) == sizes[-1]


def test_first_order_shift_of_known_curves():
    sizes = np.arange(3.0, 5.0, 0.02)
    zero = np.zeros_like(sizes)
    curves = proof.Curves(2.0 * (sizes - 4) ** 2, 0.1 * sizes, zero, zero)
    assert proof.shift_of_first_order(sizes, curves, 4.0) == pytest.approx(-0.025)
    assert proof.minimum(sizes, curves.energy) == pytest.approx(3.975)


def test_bands_partition_the_frequencies():
    bands = proof.frequency_bands(16, 5)
    assert bands[0, 0] == 0 and bands[8, 8] == 4 and set(bands.ravel()) == set(range(5))
    values = np.random.default_rng(0).normal(size=(2, 16, 16))
    means = proof.band_means(values, bands)
    assert means[1, 3] == pytest.approx(values[1][bands == 3].mean())


def test_energy_distribution_of_noise_alone_is_a_chi_square():
    """Without scene and kernels the energy of m frequencies is that of 2 m normal numbers of both views."""
    nothing = np.zeros((2, 16, 16), np.complex64)
    bands = proof.frequency_bands(16, 4)
    cumulants = proof.energy_cumulants(nothing, nothing, 0.3, 7.0, bands)
    degrees = 2 * np.bincount(bands.ravel()) * 5
    for share in (1e-4, 0.5, 1 - 1e-4):
        found = proof.distribution_of_mean(cumulants, 5).ppf(share)
        np.testing.assert_allclose(found, 0.6 * chi2.ppf(share, degrees) / degrees, rtol=1e-6)


def test_energy_cumulants_are_those_of_samples():
    truth, kernels = proof.kernel_spectra(optics.half_discs(), [3.0, 1.5], 16)
    bands = proof.frequency_bands(16, 4)
    samples = proof.energy_by_band(proof.sample_views(3, truth, 0.1, 4.0, 8000), kernels, 0.4, bands)
    first, second, third = proof.energy_cumulants(truth, kernels, 0.1, 4.0, bands)
    np.testing.assert_allclose(samples.mean(0), first, rtol=0.02)
    np.testing.assert_allclose(samples.var(0), second, rtol=0.1)
    np.testing.assert_allclose(skew(samples), third / second**1.5, atol=0.12)


def test_two_layers_by_direct_convolution():
    rng = np.random.default_rng(3)
    far, near = rng.uniform(size=(2, 12, 12))
    matte = np.zeros((12, 12))
    matte[:, 4:8] = 1
    kernels = rng.uniform(size=(2, 2, 12, 12))
    kernels /= kernels.sum((2, 3), keepdims=True)
    found = proof.two_layers(far, near, matte, np.fft.fft2(kernels))
    for view in (0, 1):
        back, front = kernels[0, view], kernels[1, view]
        cover = circular_convolution(matte, front)
        expected = circular_convolution(far, back) * (1 - cover) + circular_convolution(near * matte, front)
        np.testing.assert_allclose(found[view], expected, atol=1e-10)


def test_photons_have_the_variance_of_their_light():
    views = np.full((2, 8, 8), 0.4)
    noise = proof.sample_photons(0, views, 1e-3, 1e-4, 2000) - proof.unitary(views)
    assert (np.abs(noise) ** 2).mean() == pytest.approx(1e-3 * 0.4 + 1e-4, rel=0.02)
