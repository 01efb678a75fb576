"""The defocus map: confidence, noise taken off, views of unlike brightness."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from small_captures import demo, noisy  # noqa: F401 fixtures

from dpdefocus import fast, optics
from dpdefocus.fast.noise import NoiseModel
from dpdefocus.fast.settings import CLASSROOM, FAST, LOW_LIGHT
from dpdefocus.support.nested import adjust


def test_confidence_falls_where_another_size_comes_close_and_beside_depth_edges():
    """Min-marginals of five labels: a lead of 9 everywhere but in one pixel, where label 3 costs 1 more."""
    marginals = np.full((5, 8, 60), 9.0, np.float32)
    marginals[1] = 0
    marginals[2] = 0.1  # the neighbour of the chosen label does not count
    marginals[3, 4, 30] = 1
    even = np.asarray(fast.confidence(jnp.asarray(marginals), jnp.full((8, 60), 0.5), 2.0))
    assert even[4, 30] == pytest.approx(1 / 2) and even[0, 0] == pytest.approx(9 / 10)
    assert (np.delete(even.ravel(), 4 * 60 + 30) == even[0, 0]).all()
    step = jnp.broadcast_to(
        jnp.where(jnp.arange(60) < 20, 0.5, 0.5 + fast.ConfidenceSettings().edge_range), (8, 60)
    )
    beside = np.asarray(fast.confidence(jnp.asarray(marginals), step, 2.0))[0]
    np.testing.assert_allclose(beside[12:28], 0.9 * np.exp(-1), rtol=1e-4)  # within four deviations
    np.testing.assert_allclose(beside[[0, 11, 28, 59]], 0.9, rtol=1e-4)


def test_noise_is_taken_off_by_the_light_of_the_window(noisy):
    """A bright and a dark half: what is taken off changes at the edge as smoothly as the energy's window."""
    _, calibration, truth = noisy
    settings, kernels = LOW_LIGHT, optics.centre_kernels(jnp.asarray(calibration.kernels))
    light = np.where(np.arange(truth.shape[1]) < truth.shape[1] // 2, 0.1, 0.9) * np.ones(truth.shape)
    noise = np.random.default_rng(0).standard_normal((2, *truth.shape)) * np.sqrt(1e-2 * light)
    views = jnp.asarray(light + noise, jnp.float32)
    # Of the little that is taken off, none meets the floor at zero.
    before, after = (
        fast.hypothesis_energies(views, kernels, settings, model)[0]
        for model in (None, NoiseModel(1e-4, 0.0))
    )
    taken = np.asarray(before - after)[0]
    across = taken.mean(0)
    dark, bright = across[20], across[-20]
    assert bright / dark == pytest.approx(9, rel=0.1)
    assert np.diff(across).max() < 0.3 * (bright - dark)


def test_low_light_measures_the_noise_and_takes_it_off(noisy):
    capture, calibration, truth = noisy
    gain, views = fast.at_middle_grey(capture)
    kernels = optics.centre_kernels(jnp.asarray(calibration.kernels))
    errors = {}
    for settings in (FAST, LOW_LIGHT):
        noise = fast.measure_noise(capture, settings, gain)
        found = fast.estimate_defocus(views, kernels, settings, "noisy", noise)
        errors[settings] = np.abs(found.defocus - truth).mean()
    assert errors[LOW_LIGHT] < 0.85 * errors[FAST]


@pytest.mark.parametrize("gain", [0.94, 1.06])
def test_views_of_unlike_brightness_keep_their_depth(demo, gain):
    """What is left unexplained and the map's error: nearer to those of views as the calibration has them."""
    simulated, capture, calibration = demo
    brighter = capture.views * np.float32([gain, 1])[:, None, None]
    _, views = fast.at_middle_grey(dataclasses.replace(capture, views=brighter))
    kernels = optics.centre_kernels(jnp.asarray(calibration.kernels))
    left, error = {}, {}
    for deviation in (0.0, CLASSROOM.brightness.deviation):
        settings = adjust(CLASSROOM, {"brightness.deviation": deviation})
        left[deviation] = fast.hypothesis_energies(views, kernels, settings, None)[0].min(0).mean()
        found = fast.estimate_defocus(views, kernels, settings, "unlike", None).defocus
        error[deviation] = np.abs(found - np.asarray(simulated.defocus_map)).mean()
    ignored, fitted = left
    assert left[fitted] < 0.6 * left[ignored]
    assert error[fitted] < 0.8 * error[ignored]
