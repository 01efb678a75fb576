"""Ablations: nothing left out is the method itself, and each part is really left out."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from dpdefocus import evaluation, fast, optics, paper
from dpdefocus.data.capture import Calibration, GroundTruth
from dpdefocus.evaluation import ablations
from dpdefocus.evaluation.ablations import BETTER, FAST, FULL, PUBLISHED, Solved, solve_without
from dpdefocus.fast.settings import FastSettings
from dpdefocus.paper import optimise
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.support.errors import InputError
from dpdefocus.support.nested import adjust, flatten

SHORT = adjust(FastSettings(), {"energy.hypotheses": 7, "labelling.sweeps": (4,), "layers.count": 3})


def camera_of(*gain):
    """The camera of the synthetic set with the same kernel everywhere; of one shape, so compiled once."""
    return replace(evaluation.tiny_camera(*gain), pupil=optics.field_varying(1, 1, samples=33))


@pytest.fixture(scope="module")
def case():
    case = evaluation.synthetic("cards", 1, 48, 64, camera_of())
    # A calibration knows kernels up to a shift that both views share; here it is one pixel.
    return case._replace(calibration=Calibration(np.roll(case.calibration.kernels, 1, axis=-1)))


# --- the lists ---


@pytest.mark.parametrize(("parts", "settings"), [(FAST, FastSettings()), (PUBLISHED, PublishedSettings())])
def test_ablations_name_settings_scores_and_steps_that_exist(parts, settings):
    values, steps = flatten(settings), asdict(fast.Steps())
    assert len({part.name for part in parts}) == len(parts)
    for part in parts:
        assert part.hurts in BETTER and part.does
        assert bool(part.changes) != bool(part.steps)
        assert all(values[name] != value for name, value in part.changes), part.name
        assert all(steps[name] is not function for name, function in part.steps), part.name


def test_paper_s_five_parts_are_left_out():
    switched = {name: value for part in PUBLISHED for name, value in part.changes}
    assert switched == dict.fromkeys(("intensity", "alpha", "entropy", "auxiliary", "noise_variance"), 0.0)


# --- the methods ---


@pytest.fixture
def deblurred(monkeypatch):
    """What reaches the deconvolution in each solve: views, kernels, scales, weights, and so on."""
    calls = []

    def deblur(views, kernels, scales, weights, *others):
        calls.append((views, kernels, scales, weights, *others))
        return views.mean((0, 1)), weights

    equal = ablations.equal_tiles
    monkeypatch.setattr(ablations, "equal_tiles", lambda settings: replace(equal(settings), deblur=deblur))
    return calls


def part(name):
    return next(each for each in FAST if each.name == name)


def test_nothing_left_out_is_the_pipeline_with_equal_tiles(case):
    whole, _ = fast.solve_fast(case.capture, case.calibration, SHORT, ablations.equal_tiles(SHORT))
    full = solve_without(FULL, case, SHORT)
    np.testing.assert_array_equal(full.defocus_map, whole["defocus_map"])
    np.testing.assert_array_equal(full.all_in_focus, whole["all_in_focus"])
    own, _ = fast.solve_fast(case.capture, case.calibration, SHORT)
    np.testing.assert_array_equal(full.defocus_map, own["defocus_map"])
    # Wider margins around the tiles change little.
    assert np.abs(full.all_in_focus - own["all_in_focus"]).mean() < 5e-3


def test_each_step_left_out_changes_what_it_makes_and_nothing_before_it(case, deblurred):
    solve_without(FULL, case, SHORT)
    makes = {"centred kernels": 1, "range": 2, "even spacing": 2, "wide fronts": 3, "soft outlines": 3}
    makes |= {"restraint": 3, "filling": 0}
    assert set(makes) == {each.name for each in FAST if each.steps} - {"sizes between"}
    for name, argument in makes.items():
        solve_without(part(name), case, SHORT)
        full, without = deblurred[0], deblurred[-1]
        assert np.abs(without[argument] - full[argument]).max() > 1e-3, name
        others = {0, 1, 2, 3} - {argument} if argument in (0, 3) else set()
        for other in others - ({0} if argument == 3 else set()):
            np.testing.assert_array_equal(without[other], full[other])


def test_sizes_between_left_out_leaves_the_sizes_that_were_tried(case):
    found = solve_without(part("sizes between"), case, SHORT).defocus_map / 0.35
    np.testing.assert_allclose(found, np.round(found), atol=1e-5)


def test_filling_left_out_leaves_each_layer_the_captured_views(case, deblurred):
    solve_without(part("filling"), case, SHORT)
    _, views = fast.at_middle_grey(case.capture)
    np.testing.assert_array_equal(deblurred[0][0], np.broadcast_to(views, deblurred[0][0].shape))


def test_published_optimisation_makes_the_changes_and_is_compiled_once(case):
    settings = evaluation.small_settings(48, 3, 4)
    views, kernels = case.capture.views, case.calibration.kernels
    compiled = optimise._advance._cache_size()
    full = solve_without(FULL, case, settings)
    without = evaluation.Ablation("two", changes=(("alpha", 0.0), ("noise_variance", 0.0)))
    sharp, size = solve_without(without, case, settings)
    assert np.abs(full.defocus_map - size).max() > 1e-3
    changed = replace(settings, alpha=0.0, noise_variance=0.0)
    intensities, alphas, _ = paper.fit_published(views, kernels, changed.scales, changed)
    assert optimise._advance._cache_size() == compiled + 1
    np.testing.assert_array_equal(size, optics.defocus_map(alphas, changed.scales))
    shares = np.asarray(optics.transmittance(alphas))
    assert np.abs(sharp - (shares * np.asarray(intensities)).sum(0)).mean() < 0.05


# --- the synthetic set and its scores ---


def test_synthetic_captures_have_their_sizes_and_noise():
    quiet, noisy = camera_of(), camera_of(evaluation.PUBLISHED_GAIN)
    assert quiet.kernel_size == noisy.kernel_size and noisy.sensor.gain > 10 * quiet.sensor.gain
    case = evaluation.synthetic("cards", 0, 48, 64, noisy)
    known = case.truth.defocus_map[case.truth.mask]
    assert abs(known.max() - evaluation.FARTHEST) < 1e-3 and known.min() > evaluation.NEAREST - 1e-3
    with pytest.raises(InputError, match="kind: found 'card', expected one of cards, tabletop"):
        evaluation.synthetic("card", 0, 48, 64, noisy)


def test_size_is_the_mean_over_what_is_known():
    rng = np.random.default_rng(0)
    sharp = np.kron(rng.random((8, 8)), np.ones((6, 6))).astype(np.float32)
    size = rng.random((48, 48), np.float32)
    mask = np.zeros((48, 48), bool)
    mask[10:30] = True
    found = np.where(mask, size - np.float32(0.1), 9).astype(np.float32)
    solved = Solved(sharp * np.float32(0.99), found)
    scores = evaluation.scored(solved, GroundTruth(sharp, size, mask))
    assert set(scores) == set(BETTER)
    assert abs(scores["size"] + 0.1) < 1e-5 and scores["aiwe1"] < 1e-4
    other_unit = evaluation.scored(solved, GroundTruth(sharp, size, mask), same_unit=False)
    assert abs(other_unit["size"] - found[mask].mean()) < 1e-6


def test_effects_compare_each_capture_with_itself():
    full = [dict.fromkeys(BETTER, 20.0), dict.fromkeys(BETTER, 30.0)]
    without = [dict.fromkeys(BETTER, 19.0), dict.fromkeys(BETTER, 31.5)]
    found = evaluation.effects(full, without)
    np.testing.assert_allclose(found["psnr"], (-0.25, np.sqrt(2) * 1.25, 0.5))
    np.testing.assert_allclose(found["mae"], (0.25, np.sqrt(2) * 1.25, 0.5))
    assert evaluation.effects(full[:1], without[:1])["psnr"] == (1.0, 0.0, 1.0)
    with pytest.raises(InputError, match="found 2 and 1 captures"):
        evaluation.effects(full, without[:1])
