"""The classical methods on one simulated capture: better than nothing, and scored for what they make."""

import dataclasses

import numpy as np
import pytest

from dpdefocus import baselines, data, evaluation, simulation
from dpdefocus.baselines.methods import BASELINES, Estimate
from dpdefocus.baselines.smoothing import guided_filter
from dpdefocus.evaluation.published_table import TABLE_1
from dpdefocus.support.errors import InputError


@pytest.fixture(scope="module")
def case():
    return evaluation.synthetic("cards", 1, 144, 192, simulation.small_camera(2, 2))


@pytest.fixture(scope="module")
def estimates(case):
    return {name: each.estimate(case.capture, case.calibration) for name, each in BASELINES.items()}


@pytest.fixture(scope="module")
def scores(case, estimates):
    return {name: evaluation.scores(each, case.truth) for name, each in estimates.items()}


def test_every_method_finds_more_of_the_map_than_a_constant(scores):
    # Large bare surfaces and large blur on a small frame: no method of these is good here.
    for name in BASELINES:
        if name != "identity":
            assert scores[name]["aiwe2"] < 0.98 * scores["identity"]["aiwe2"], name
            assert scores[name]["spearman"] < 0.8, name
    assert scores["identity"]["spearman"] == 1


def test_deconvolution_gives_a_sharper_image_than_none(scores):
    assert scores["wiener"]["psnr"] > scores["identity"]["psnr"] + 0.5
    assert scores["wiener"]["ssim"] > scores["identity"]["ssim"]


def test_maps_are_in_units_of_the_calibrated_kernels():
    """A textured plane at 0.8 of the calibrated size: every method says 0.8, stereo only about.

    The shift at which two differently blurred views differ least is not quite their centroids' distance.
    """
    camera = simulation.small_camera(2, 2)
    a, b = camera.lens.coefficients
    margin = camera.kernel_size // 2
    texture = simulation.natural(np.random.default_rng(0), (144 + 2 * margin, 192 + 2 * margin), exponent=1.6)
    dioptres = np.full_like(texture, (0.8 * camera.calibration_radius - a) / b)
    scene = simulation.Scene(texture[None], np.ones_like(texture)[None], dioptres[None], margin)
    shot = simulation.photograph(scene, camera, 0)
    capture = data.Capture(shot.views, "plane", shot.saturated)
    for name, method in BASELINES.items():
        if name != "identity":
            found = method.estimate(capture, data.Calibration(shot.kernels)).defocus_map
            shifts_only = "centroids" in method.uses
            assert abs(np.median(found) - 0.8) < (0.15 if shifts_only else 0.05), name
            assert np.mean(np.abs(found - 0.8) < 0.2) > 0.8, name


def test_brightness_changes_nothing_but_the_brightness(case, estimates):
    half = dataclasses.replace(case.capture, views=0.5 * case.capture.views)
    for name in ("stereo", "wiener"):
        estimate = BASELINES[name].estimate(half, case.calibration)
        np.testing.assert_allclose(estimate.defocus_map, estimates[name].defocus_map, atol=1e-3)
    np.testing.assert_allclose(2 * estimate.all_in_focus, estimates["wiener"].all_in_focus, atol=5e-3)


def test_guided_filter_follows_the_sharp_image_or_else_the_photograph_at_any_exposure(case):
    rng = np.random.default_rng(0)
    noisy = case.truth.defocus_map + rng.normal(0, 0.2, case.truth.mask.shape).astype(np.float32)
    gain = 0.5 / case.capture.views.mean()
    settings = baselines.GUIDED_RADIUS, baselines.GUIDED_SOFTNESS
    for sharp, guide in (
        (case.truth.all_in_focus, case.truth.all_in_focus),
        (None, case.capture.views.mean(0)),
    ):
        after = baselines.guided(Estimate(sharp, noisy), case.capture)
        assert after.all_in_focus is sharp
        np.testing.assert_allclose(
            after.defocus_map, guided_filter(noisy, guide * gain, *settings), atol=1e-4
        )
    darker = dataclasses.replace(case.capture, views=0.5 * case.capture.views)
    again = baselines.guided(Estimate(None, noisy), darker)
    np.testing.assert_allclose(again.defocus_map, after.defocus_map, atol=1e-4)


def test_scores_are_those_of_what_there_is(case, estimates):
    whole = evaluation.score(*estimates["wiener"], case.truth)
    assert evaluation.scores(estimates["wiener"], case.truth) == whole
    parts = [
        evaluation.scores(estimates["wiener"]._replace(**{name: None}), case.truth)
        for name in ("defocus_map", "all_in_focus")
    ]
    assert not parts[0].keys() & parts[1].keys()
    assert parts[0] | parts[1] == whole
    with pytest.raises(InputError, match="neither"):
        evaluation.scores(Estimate(), case.truth)
    with pytest.raises(InputError, match=r"defocus_map: found shape \(3, 4\)"):
        evaluation.scores(Estimate(None, np.zeros((3, 4), np.float32)), case.truth)
    with pytest.raises(InputError, match="not finite"):
        evaluation.scores(Estimate(None, np.full(case.truth.mask.shape, np.nan, np.float32)), case.truth)


def test_every_family_of_the_papers_table_has_its_name_here():
    assert {"wiener", "symmetry", "stereo"} <= TABLE_1.keys() & BASELINES.keys()
