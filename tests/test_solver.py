import dataclasses
import os

import jax.numpy as jnp
import numpy as np
import pytest

import dpdefocus as dp
from dpdefocus import data, evaluation, fast, optics, paper, simulation
from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.data.result import load_result, save_result
from dpdefocus.fast.noise import NoiseModel
from dpdefocus.simulation.simulate import demo_capture
from dpdefocus.support.errors import InputError


@pytest.fixture(scope="module")
def demo():
    simulated = demo_capture(0)
    views = np.asarray(simulated.views, np.float32)
    capture = Capture(views, "synthetic", np.asarray(simulated.saturated))
    return simulated, capture, Calibration(np.asarray(simulated.kernels, np.float32))


@pytest.fixture(scope="module")
def solved(demo):
    _, capture, calibration = demo
    return dp.solve(capture, calibration, "classroom", seed=3)


def test_result_is_sharper_than_the_capture(demo, solved):
    simulated, capture, _ = demo
    truth = np.asarray(simulated.all_in_focus)
    before = np.square(capture.views.mean(0) - truth).mean()
    assert np.square(solved.all_in_focus - truth).mean() < 0.9 * before
    assert solved.all_in_focus.min() >= 0 and solved.all_in_focus.max() <= 1


def test_map_follows_the_truth(demo, solved):
    simulated, _, _ = demo
    truth = np.asarray(simulated.defocus_map)
    assert np.median(np.abs(solved.defocus_map - truth)) < 0.1
    assert np.corrcoef(solved.defocus_map.ravel(), truth.ravel())[0, 1] > 0.6


def test_confident_half_is_the_better_half(demo, solved):
    error = np.abs(solved.defocus_map - np.asarray(demo[0].defocus_map))
    sure = solved.confidence >= np.median(solved.confidence)
    assert error[sure].mean() < 0.75 * error[~sure].mean()


def test_confidence_falls_where_another_size_comes_close_and_beside_depth_edges():
    """Min-marginals of five labels: a lead of 9 everywhere but in one pixel, where label 3 costs 1 more."""
    marginals = np.full((5, 8, 60), 9.0, np.float32)
    marginals[1] = 0
    marginals[2] = 0.1  # the neighbour of the chosen label does not count
    marginals[3, 4, 30] = 1
    even = np.asarray(fast.confidence(jnp.asarray(marginals), jnp.full((8, 60), 0.5), 2.0))
    assert even[4, 30] == pytest.approx(1 / 2) and even[0, 0] == pytest.approx(9 / 10)
    assert (np.delete(even.ravel(), 4 * 60 + 30) == even[0, 0]).all()
    step = jnp.broadcast_to(jnp.where(jnp.arange(60) < 20, 0.5, 0.5 + fast.EDGE_RANGE), (8, 60))
    beside = np.asarray(fast.confidence(jnp.asarray(marginals), step, 2.0))[0]
    np.testing.assert_allclose(beside[12:28], 0.9 * np.exp(-1), rtol=1e-4)  # within four deviations
    np.testing.assert_allclose(beside[[0, 11, 28, 59]], 0.9, rtol=1e-4)


def test_alphas_composite_to_the_layers_weights():
    rng = np.random.default_rng(0)
    weights = rng.random((5, 4, 6)).astype(np.float32)
    weights[:, 0] = np.eye(5)[:, :1]  # a pixel that only the farthest layer shows
    weights /= weights.sum(0)
    alphas = fast.alphas_of(jnp.asarray(weights))
    assert (np.asarray(alphas[0]) == 1).all()
    np.testing.assert_allclose(optics.transmittance(alphas), weights, atol=1e-5)


def test_result_says_how_it_was_made_and_survives_the_disk(solved, tmp_path):
    assert solved.settings["preset"] == "classroom" and solved.settings["seed"] == 3
    assert solved.settings["layers"] == len(solved.scales) and solved.seconds > 0
    assert (np.diff(solved.scales) < 0).all()
    save_result(solved, tmp_path)
    again = load_result(tmp_path / "result.npz")
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


def test_same_capture_same_result(demo, solved):
    again = dp.solve(demo[1], demo[2], "classroom", seed=3)
    np.testing.assert_array_equal(again.all_in_focus, solved.all_in_focus)
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


@pytest.mark.parametrize(("preset", "name"), [("classroom", "mine"), ("paper", "mine"), ("paper", "005")])
def test_swapped_views_are_named(demo, preset, name):
    """With the hand-set range of a Pixel 4 scene, too, before the long optimisation starts."""
    _, capture, calibration = demo
    swapped = dataclasses.replace(capture, views=capture.views[::-1].copy(), name=name)
    with pytest.raises(InputError, match="left and right look swapped.*Exchange"):
        dp.solve(swapped, calibration, preset)


def test_unknown_preset_is_refused(demo):
    with pytest.raises(InputError, match="'quick'.*fast, classroom, low_light, paper"):
        dp.solve(demo[1], demo[2], "quick")


def test_image_too_small_for_the_grid_is_refused(demo):
    _, capture, calibration = demo
    corner = Capture(capture.views[:, :30, :30].copy(), "corner", capture.saturated[:30, :30])
    with pytest.raises(InputError, match="corner.*found 30 x 30"):
        dp.solve(corner, calibration, "classroom")


def test_checkpoint_belongs_to_the_published_way(demo, tmp_path):
    with pytest.raises(InputError, match="checkpoint.*'paper'"):
        dp.solve(demo[1], demo[2], "classroom", checkpoint=tmp_path / "state.npz")


def test_paper_preset_goes_the_published_way(demo, monkeypatch):
    _, capture, calibration = demo
    few = dataclasses.replace(dp.PRESETS["paper"], iterations=2, layers=3)
    monkeypatch.setitem(dp.PRESETS, "paper", few)
    by_hand = dataclasses.replace(capture, name="005")
    result = dp.solve(by_hand, calibration, "paper")
    hand = paper.HAND_SETTINGS["005"]
    assert result.scales[0] == pytest.approx(hand.farthest) and result.scales[-1] == pytest.approx(
        hand.nearest
    )
    assert result.settings["alpha"] == hand.alpha and result.settings["iterations"] == 2
    assert np.isfinite(result.all_in_focus).all()


@pytest.mark.parametrize("gain", [0.94, 1.06])
def test_views_of_unlike_brightness_keep_their_depth(demo, gain):
    """What is left unexplained and the map's error: nearer to those of views as the calibration has them."""
    simulated, capture, calibration = demo
    brighter = capture.views * np.float32([gain, 1])[:, None, None]
    _, views, kernels = fast.at_middle_grey(dataclasses.replace(capture, views=brighter), calibration)
    left, error = {}, {}
    for deviation in (0.0, fast.FastSettings().brightness):
        settings = dataclasses.replace(dp.PRESETS["classroom"], brightness=deviation)
        left[deviation] = fast.hypothesis_energies(views, kernels, settings, None)[0].min(0).mean()
        found = fast.estimate_defocus(views, kernels, settings, "unlike", None).defocus
        error[deviation] = np.abs(found - np.asarray(simulated.defocus_map)).mean()
    ignored, fitted = left
    assert left[fitted] < 0.6 * left[ignored]
    assert error[fitted] < 0.8 * error[ignored]


def test_near_fronts_widen_only_where_they_hide():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 40, dtype=np.float32), (20, 40)))
    np.testing.assert_array_equal(fast.dilate_fronts(slope, 3), slope)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    widened = np.asarray(fast.dilate_fronts(step, 3))
    assert (widened[:, :23] == np.float32(0.4)).all() and (widened[:, 23:] == np.float32(1.2)).all()


def test_least_around_moves_by_a_little_only():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 41, dtype=np.float32), (20, 41)))
    np.testing.assert_allclose(fast.erode_within_surface(slope, 4)[:, 4:], slope[:, :-4], atol=1e-6)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    np.testing.assert_array_equal(fast.erode_within_surface(step, 4), step)


@pytest.fixture(scope="module")
def noisy():
    """Four depths with noise of variance 2e-3 I, and the truth of their map, of a size that neither the grid
    of kernels nor the reduction divides."""
    shot = simulation.four_depths(height=247, width=331, sensor=simulation.Sensor(gain=2e-3, read_noise=4e-3))
    return Capture(shot.views, "noisy", shot.saturated), Calibration(shot.kernels), shot.defocus_map


@pytest.fixture(scope="module")
def noisy_solved(noisy):
    capture, calibration, _ = noisy
    return dp.solve(capture, calibration, "low_light")


def test_sizes_that_nothing_divides(noisy_solved):
    result = noisy_solved
    assert result.all_in_focus.shape == result.defocus_map.shape == result.confidence.shape == (247, 331)
    assert result.alphas.shape[1:] == (247, 331)


def test_low_light_measures_the_noise_and_takes_it_off(noisy):
    capture, calibration, truth = noisy
    gain, views, kernels = fast.at_middle_grey(capture, calibration)
    errors = {}
    for preset in ("fast", "low_light"):
        settings = dp.PRESETS[preset]
        noise = fast.measure_noise(capture, settings, gain)
        found = fast.estimate_defocus(views, kernels, settings, "noisy", noise)
        errors[preset] = np.abs(found.defocus - truth).mean()
    assert errors["low_light"] < 0.85 * errors["fast"]


def test_low_light_records_the_noise_and_refuses_swapped_views(noisy, noisy_solved):
    """Both ways round are compared without what noise adds to either."""
    capture, calibration, _ = noisy
    light, noise = float(capture.views.mean()), noisy_solved.settings["noise"]
    variance = noise["gain"] * light + noise["offset"]
    assert variance == pytest.approx(2e-3 * light + 4e-3**2, rel=0.15)
    swapped = dataclasses.replace(capture, views=capture.views[::-1].copy())
    with pytest.raises(InputError, match="left and right look swapped"):
        dp.solve(swapped, calibration, "low_light")


def test_noise_is_taken_off_by_the_light_of_the_window(noisy):
    """A bright and a dark half: what is taken off changes at the edge as smoothly as the energy's window."""
    _, calibration, truth = noisy
    settings, kernels = dp.PRESETS["low_light"], optics.centre_kernels(jnp.asarray(calibration.kernels))
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


def test_scene_in_focus_gets_layers_for_the_published_way(demo, monkeypatch):
    """Its sizes lie below the least that the published layers have."""
    simulated, _, calibration = demo
    sharp = np.asarray(simulated.all_in_focus, np.float32)
    capture = Capture(np.stack([sharp, sharp]), "in focus", np.zeros(sharp.shape, bool))
    few = dataclasses.replace(dp.PRESETS["paper"], iterations=1, layers=3)
    monkeypatch.setitem(dp.PRESETS, "paper", few)
    result = dp.solve(capture, calibration, "paper")
    assert result.scales[0] - result.scales[-1] > 0.09


def test_low_light_needs_something_to_measure_the_noise_in(demo):
    _, capture, calibration = demo
    wall = 0.3 + 0.001 * np.random.default_rng(0).standard_normal(capture.views.shape).astype(np.float32)
    with pytest.raises(InputError, match="brightness runs from"):
        dp.solve(dataclasses.replace(capture, views=wall), calibration, "low_light")


@pytest.mark.skipif(
    "DPDEFOCUS_DATA" not in os.environ, reason="DPDEFOCUS_DATA is not set: no real scene here"
)
def test_real_scene_at_half_size():
    """Scene 016, half the pixels each way: better than the input by two decibels, and a map within 0.035."""
    folder = os.environ["DPDEFOCUS_DATA"]
    capture, calibration = data.load_pixel4(folder, "016")
    truth = data.load_ground_truth(folder, "016")
    blocks = lambda image: image.reshape(*image.shape[:-2], 504, 2, 672, 2).mean((-3, -1))  # noqa: E731
    half = np.asarray(fast.reduce(jnp.asarray(capture.views), 2))
    kernels = np.asarray(fast.reduce(jnp.asarray(calibration.kernels.reshape(-1, 61, 61)), 2))
    kernels = kernels.reshape(*calibration.kernels.shape[:3], 31, 31)
    kernels = kernels / kernels.sum((-2, -1), keepdims=True)
    result = dp.solve(
        Capture(half, "016 at half size", capture.saturated[::2, ::2]),
        Calibration(kernels.astype(np.float32)),
    )
    small = data.GroundTruth(blocks(truth.all_in_focus), truth.defocus_map[::2, ::2], truth.mask[::2, ::2])
    before = evaluation.score(half.mean(0), result.defocus_map, small)
    after = evaluation.score(result.all_in_focus, result.defocus_map, small)
    assert after["psnr"] > before["psnr"] + 2
    assert after["aiwe1"] < 0.035
