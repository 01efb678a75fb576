"""Single-plane maps of captures: energies and corrections against theory, what a correction does to a map."""

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import optics, paper, proof
from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.fast.settings import FAST
from dpdefocus.optics.blended_tiles import Overlap
from dpdefocus.optics.kernels import kernel_reach, scaled_spectra

LENGTH, TRUE, PRIOR = 160, 0.8, 100.0
SIZES = np.arange(0.1, 1.61, 0.1, dtype=np.float32)


@pytest.fixture(scope="module")
def kernels():
    return np.tile(np.asarray(optics.half_discs().kernels([5.0], 15))[0], (2, 2, 1, 1, 1))


def spectra(kernels, sizes):
    """Full transforms of one cell's kernels, [sizes, views, LENGTH, LENGTH]."""
    f = jnp.fft.fftfreq(LENGTH)
    return jnp.stack([scaled_spectra(jnp.asarray(kernels[0, 0]), jnp.asarray(size), f, f) for size in sizes])


def plane(kernels, variance, seed=0):
    """Views of a periodic plane at the true size, of a white texture as the prior expects it, with noise."""
    rng = np.random.default_rng(seed)
    texture = np.fft.fft2(rng.normal(size=(LENGTH, LENGTH)) / np.sqrt(PRIOR))
    views = np.fft.ifft2(texture * np.asarray(spectra(kernels, [TRUE])[0])).real
    return (views + rng.normal(size=views.shape) * np.sqrt(variance)).astype(np.float32)


def found(views, kernels, ratio):
    """Energies on the tiles that `plane_maps` takes, so that one compiled program serves all tests."""
    reach = kernel_reach(jnp.asarray(kernels), FAST.reach)
    overlap = Overlap(LENGTH, LENGTH, 2, 2, margin=int(np.ceil(2 * reach * SIZES[-1])))
    return proof.plane_energies(
        jnp.asarray(views), jnp.asarray(kernels), jnp.asarray(SIZES), ratio, overlap, int(np.ceil(reach)), 4.0
    )


def inner(images):
    return np.asarray(images)[..., 16:-16, 16:-16].mean((-2, -1))


@pytest.mark.parametrize("variance", [1e-4, 1e-3])
def test_energies_are_those_of_theory(kernels, variance):
    """Mean over the pixels against (37), and where it is least: uncorrected too low, less evidence right."""
    energies = found(plane(kernels, variance), kernels, variance * PRIOR)
    curves = proof.expected_curves(spectra(kernels, [TRUE])[0], spectra(kernels, SIZES), variance, PRIOR)
    np.testing.assert_allclose(inner(energies.energy), curves.energy, rtol=0.05)
    for which, taken in (("none", 0), ("(5)", energies.paper), ("evidence", energies.evidence)):
        place = proof.minimum(SIZES, inner(energies.energy) - variance * np.asarray(taken))
        assert place == pytest.approx(float(proof.minimum(SIZES, curves.corrected(which))), abs=0.04), which


def test_noise_alone_leaves_what_the_kernels_do_not_restore(kernels):
    noise = np.random.default_rng(1).normal(size=(4, 2, LENGTH, LENGTH)).astype(np.float32)
    every = spectra(kernels, SIZES)
    nothing = jnp.zeros_like(every[0])
    expected = [
        sum(each.mean() for each in paper.expected_energy_of_noise(nothing, kernel, jnp.ones(2), 0.0, 0.01))
        for kernel in every
    ]
    energies = np.mean([inner(found(each, kernels, 0.01).energy) for each in noise], 0)
    np.testing.assert_allclose(energies, expected, rtol=0.02)


def test_corrections_are_those_of_the_whole_field(kernels):
    ratio = 0.01
    energies = found(np.zeros((2, LENGTH, LENGTH), np.float32), kernels, ratio)
    power = (np.abs(np.asarray(spectra(kernels, SIZES))) ** 2).sum(1)
    np.testing.assert_allclose(energies.paper, (ratio / (power + ratio)).mean((1, 2)), rtol=0.03)
    np.testing.assert_allclose(
        energies.evidence, np.log((2 + ratio) / (power + ratio)).mean((1, 2)), rtol=0.03
    )


def test_a_correction_that_grows_can_only_move_a_map_up(kernels):
    variance = 1e-3
    views = plane(kernels, variance) + 0.5
    views /= views.max()
    capture = Capture(views, "plane", np.zeros(views.shape[1:], bool))
    maps = proof.plane_maps(capture, Calibration(kernels), variance, PRIOR, SIZES, 4.0)
    assert set(maps) == set(proof.CORRECTIONS)
    step = SIZES[1] - SIZES[0]
    for which in ("(5)", "evidence"):
        assert (maps[which] >= maps["none"] - step).all()  # the parabola may lie up to a step off
        assert maps[which].mean() > maps["none"].mean() + 0.02
    assert abs(maps["evidence"].mean() - TRUE) < abs(maps["none"].mean() - TRUE)


def test_photon_noise_has_the_variance_asked_for():
    """Two lights: in units of twice the mean, σ² at middle grey and in proportion to the light elsewhere."""
    light = np.where(np.arange(96) < 48, 0.1, 0.3) * np.ones((2, 96, 1), np.float32)
    noise = (proof.with_photon_noise(light.astype(np.float32), 1e-3, 0) - light) / (2 * 0.2)
    for half, grey in ((slice(0, 48), 0.25), (slice(48, 96), 0.75)):
        assert noise[:, :, half].var() == pytest.approx(1e-3 * grey / 0.5, rel=0.05)


def test_photon_noise_is_not_the_texture_of_a_scene_of_the_same_seed():
    light = np.full((2, 64, 64), 0.4, np.float32)
    noise = proof.with_photon_noise(light, 1e-3, 5)[0] - light[0]
    drawn = np.random.default_rng(5).standard_normal((64, 64))
    assert abs(np.corrcoef(noise.ravel(), drawn.ravel())[0, 1]) < 0.05
