import dataclasses
import os

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import data, metrics, mpi, presets, published, simulate, solve
from dpdefocus.data import Calibration, Capture
from dpdefocus.errors import InputError
from dpdefocus.results import load_result, save_result
from dpdefocus.simulate import demo_capture


@pytest.fixture(scope="module")
def demo():
    simulated = demo_capture(0)
    views = np.asarray(simulated.views, np.float32)
    capture = Capture(views, "synthetic", np.asarray(simulated.saturated))
    return simulated, capture, Calibration(np.asarray(simulated.kernels, np.float32))


@pytest.fixture(scope="module")
def solved(demo):
    _, capture, calibration = demo
    return solve.solve(capture, calibration, "classroom", seed=3)


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


def test_alphas_composite_to_the_layers_weights():
    rng = np.random.default_rng(0)
    weights = rng.random((5, 4, 6)).astype(np.float32)
    weights[:, 0] = np.eye(5)[:, :1]  # a pixel that only the farthest layer shows
    weights /= weights.sum(0)
    alphas = solve.alphas_of(jnp.asarray(weights))
    assert (np.asarray(alphas[0]) == 1).all()
    np.testing.assert_allclose(mpi.transmittance(alphas), weights, atol=1e-5)


def test_result_says_how_it_was_made_and_survives_the_disk(solved, tmp_path):
    assert solved.settings["preset"] == "classroom" and solved.settings["seed"] == 3
    assert solved.settings["layers"] == len(solved.scales) and solved.seconds > 0
    assert (np.diff(solved.scales) < 0).all()
    save_result(solved, tmp_path)
    again = load_result(tmp_path / "result.npz")
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


def test_same_capture_same_result(demo, solved):
    again = solve.solve(demo[1], demo[2], "classroom", seed=3)
    np.testing.assert_array_equal(again.all_in_focus, solved.all_in_focus)
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


@pytest.mark.parametrize(("preset", "name"), [("classroom", "mine"), ("paper", "mine"), ("paper", "005")])
def test_swapped_views_are_named(demo, preset, name):
    """With the hand-set range of a Pixel 4 scene, too, before the long optimisation starts."""
    _, capture, calibration = demo
    swapped = dataclasses.replace(capture, views=capture.views[::-1].copy(), name=name)
    with pytest.raises(InputError, match="left and right look swapped.*Exchange"):
        solve.solve(swapped, calibration, preset)


def test_unknown_preset_is_refused(demo):
    with pytest.raises(InputError, match="'quick'.*fast, classroom, low_light, paper"):
        solve.solve(demo[1], demo[2], "quick")


def test_image_too_small_for_the_grid_is_refused(demo):
    _, capture, calibration = demo
    corner = Capture(capture.views[:, :30, :30].copy(), "corner", capture.saturated[:30, :30])
    with pytest.raises(InputError, match="corner.*found 30 x 30"):
        solve.solve(corner, calibration, "classroom")


def test_checkpoint_belongs_to_the_published_way(demo, tmp_path):
    with pytest.raises(InputError, match="checkpoint.*'paper'"):
        solve.solve(demo[1], demo[2], "classroom", checkpoint=tmp_path / "state.npz")


def test_sizes_that_nothing_divides(demo):
    _, capture, calibration = demo
    odd = Capture(capture.views[:, :247, :331].copy(), "odd", capture.saturated[:247, :331])
    result = solve.solve(odd, calibration, "classroom")
    assert result.all_in_focus.shape == result.defocus_map.shape == result.confidence.shape == (247, 331)
    assert result.alphas.shape[1:] == (247, 331)


def test_paper_preset_goes_the_published_way(demo, monkeypatch):
    _, capture, calibration = demo
    few = dataclasses.replace(presets.PRESETS["paper"], iterations=2, layers=3)
    monkeypatch.setitem(presets.PRESETS, "paper", few)
    by_hand = dataclasses.replace(capture, name="005")
    result = solve.solve(by_hand, calibration, "paper")
    hand = published.HAND_SETTINGS["005"]
    assert result.scales[0] == pytest.approx(hand.farthest) and result.scales[-1] == pytest.approx(
        hand.nearest
    )
    assert result.settings["alpha"] == hand.alpha and result.settings["iterations"] == 2
    assert np.isfinite(result.all_in_focus).all()


def test_near_fronts_widen_only_where_they_hide():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 40, dtype=np.float32), (20, 40)))
    np.testing.assert_array_equal(solve.fronts_widened(slope, 3), slope)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    widened = np.asarray(solve.fronts_widened(step, 3))
    assert (widened[:, :23] == np.float32(0.4)).all() and (widened[:, 23:] == np.float32(1.2)).all()


def test_least_around_moves_by_a_little_only():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 41, dtype=np.float32), (20, 41)))
    np.testing.assert_allclose(solve.least_around(slope, 4)[:, 4:], slope[:, :-4], atol=1e-6)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    np.testing.assert_array_equal(solve.least_around(step, 4), step)


def test_low_light_measures_the_noise_and_takes_it_off():
    """A noise of 30 photo-electrons at middle grey: four depths are found better than without."""
    shot = simulate.four_depths(sensor=simulate.Sensor(gain=2e-3, read_noise=4e-3))
    capture = Capture(shot.views, "noisy", shot.saturated)
    errors = {}
    for preset in ("fast", "low_light"):
        gain, views, kernels = solve._normalised(capture, Calibration(shot.kernels))
        settings = presets.PRESETS[preset]
        found = solve.estimate_defocus(views, kernels, settings, "noisy", shot.saturated)
        errors[preset] = np.abs(found.defocus - shot.defocus_map).mean()
    assert errors["low_light"] < 0.85 * errors["fast"]


def test_low_light_needs_something_to_measure_the_noise_in(demo):
    _, capture, calibration = demo
    wall = 0.3 + 0.001 * np.random.default_rng(0).standard_normal(capture.views.shape).astype(np.float32)
    with pytest.raises(InputError, match="brightness runs from"):
        solve.solve(dataclasses.replace(capture, views=wall), calibration, "low_light")


@pytest.mark.skipif(
    "DPDEFOCUS_DATA" not in os.environ, reason="DPDEFOCUS_DATA is not set: no real scene here"
)
def test_real_scene_at_half_size():
    """Scene 016, half the pixels along each axis: better than the input by two decibels, and a map within 0.035."""
    folder = os.environ["DPDEFOCUS_DATA"]
    capture, calibration = data.load_pixel4(folder, "016")
    truth = data.load_ground_truth(folder, "016")
    blocks = lambda image: image.reshape(*image.shape[:-2], 504, 2, 672, 2).mean((-3, -1))  # noqa: E731
    half = np.asarray(solve.reduce(jnp.asarray(capture.views), 2))
    kernels = np.asarray(solve.reduce(jnp.asarray(calibration.kernels.reshape(-1, 61, 61)), 2))
    kernels = kernels.reshape(*calibration.kernels.shape[:3], 31, 31)
    kernels = kernels / kernels.sum((-2, -1), keepdims=True)
    result = solve.solve(
        Capture(half, "016 at half size", capture.saturated[::2, ::2]),
        Calibration(kernels.astype(np.float32)),
    )
    small = data.GroundTruth(blocks(truth.all_in_focus), truth.defocus_map[::2, ::2], truth.mask[::2, ::2])
    before = metrics.score(half.mean(0), result.defocus_map, small)
    after = metrics.score(result.all_in_focus, result.defocus_map, small)
    assert after["psnr"] > before["psnr"] + 2
    assert after["aiwe1"] < 0.035
