"""Captures solved: by name and by settings, both methods, what is saved, what is refused."""

import dataclasses
import os

import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from small_captures import demo, noisy  # noqa: F401 fixtures

import dpdefocus as dp
from dpdefocus import data, evaluation, fast, paper
from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.data.result import load_result, save_result
from dpdefocus.fast.settings import CLASSROOM
from dpdefocus.support.errors import InputError
from dpdefocus.support.nested import adjust, flatten


@pytest.fixture(scope="module")
def solved(demo):
    _, capture, calibration = demo
    return dp.solve(capture, calibration, "classroom")


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


def test_result_says_how_it_was_made_and_survives_the_disk(solved, tmp_path):
    assert solved.settings["preset"] == "classroom" and solved.settings["capture"] == "synthetic"
    assert solved.settings["layers"]["count"] == len(solved.scales) and solved.seconds > 0
    assert (np.diff(solved.scales) < 0).all()
    save_result(solved, tmp_path)
    again = load_result(tmp_path / "result.npz")
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


def test_same_capture_same_result(demo, solved):
    again = dp.solve(demo[1], demo[2], "classroom")
    np.testing.assert_array_equal(again.all_in_focus, solved.all_in_focus)
    np.testing.assert_array_equal(again.defocus_map, solved.defocus_map)


@pytest.mark.parametrize("preset", ["classroom", "paper", paper.HAND_SETTINGS["005"]], ids=str)
def test_swapped_views_are_named(demo, preset):
    """With the hand-set range of a Pixel 4 scene, too, before the long optimisation starts."""
    _, capture, calibration = demo
    swapped = dataclasses.replace(capture, views=capture.views[::-1].copy())
    with pytest.raises(InputError, match="left and right look swapped.*Exchange"):
        dp.solve(swapped, calibration, preset)


@pytest.mark.parametrize("preset", [None, 5, {"layers": 3}])
def test_what_is_no_preset_is_refused(demo, preset, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match="expected one of fast, .* or settings: FastSettings or Published"):
        dp.solve(demo[1], demo[2], preset)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy.hypotheses", 2),
        ("energy.farthest", 0.0),
        ("energy.window", 0.0),
        ("labelling.sweeps", ()),
        ("layers.count", 0),
        ("occlusion.block", 3),
        ("deconvolution.nearer", [1]),
    ],
)
def test_settings_that_cannot_be_used_are_told_when_they_are_made(name, value, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(InputError, match=rf"{name}: found .*, expected"):
        adjust(CLASSROOM, {name: value})


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


def few(settings, **changes):
    return dataclasses.replace(settings, iterations=2, layers=3, **changes)


def test_settings_are_taken_as_they_are_and_a_name_stands_for_its_settings(demo, solved):
    _, capture, calibration = demo
    again = dp.solve(capture, calibration, CLASSROOM)
    assert again.settings == solved.settings
    np.testing.assert_array_equal(again.all_in_focus, solved.all_in_focus)
    changed = adjust(CLASSROOM, {"deconvolution.sparsity": 0.0})  # a number, so nothing is compiled again
    own = dp.solve(capture, calibration, changed)
    assert own.settings["preset"] == "own settings" and own.settings["deconvolution"]["sparsity"] == 0
    np.testing.assert_array_equal(own.defocus_map, solved.defocus_map)
    assert np.abs(own.all_in_focus - solved.all_in_focus).mean() > 1e-4


def test_every_setting_is_saved_with_the_result(solved):
    """By name and value, whichever method: nothing that shapes a result lies outside."""
    flat = {}
    for name, value in solved.settings.items():
        flat |= {f"{name}.{n}": v for n, v in value.items()} if isinstance(value, dict) else {name: value}
    flat |= {f"deconvolution.splitting.{n}": v for n, v in flat.pop("deconvolution.splitting").items()}
    assert flat == flatten(CLASSROOM) | {"preset": "classroom", "capture": "synthetic"}


def test_paper_goes_the_published_way_with_the_settings_that_it_is_given(demo):
    """Hand settings are handed over. A capture that happens to bear a scene's name gets none of them."""
    _, capture, calibration = demo
    hand = paper.HAND_SETTINGS["005"]
    result = dp.solve(capture, calibration, few(hand))
    assert result.scales[0] == np.float32(hand.farthest) and result.scales[-1] == np.float32(hand.nearest)
    assert np.isfinite(result.all_in_focus).all() and result.settings["iterations"] == 2
    namesake = dataclasses.replace(capture, name="005")
    found = dp.solve(namesake, calibration, few(dp.PRESETS["paper"]))
    assert found.scales[0] != np.float32(hand.farthest) and found.settings["entropy"] == 30


def test_smoothness_weights_belong_to_the_frame(demo):
    """A frame of 252 lines has a quarter of the published ones' weights, unless its height is named."""
    _, capture, calibration = demo
    published = few(dp.PRESETS["paper"], nearest=0.2, farthest=1.4)
    scaled = dp.solve(capture, calibration, published).settings
    assert scaled["alpha"] == published.alpha / 4 and scaled["intensity"] == published.intensity / 4
    assert scaled["frame_height"] == 252 and scaled["data"] == published.data
    plain = dp.solve(capture, calibration, dataclasses.replace(published, frame_height=252)).settings
    assert plain["alpha"] == published.alpha and plain["intensity"] == published.intensity


@pytest.fixture(scope="module")
def noisy_solved(noisy):
    capture, calibration, _ = noisy
    return dp.solve(capture, calibration, "low_light")


def test_sizes_that_nothing_divides(noisy_solved):
    result = noisy_solved
    assert result.all_in_focus.shape == result.defocus_map.shape == result.confidence.shape == (247, 331)
    assert result.alphas.shape[1:] == (247, 331)


def test_low_light_records_the_noise_and_refuses_swapped_views(noisy, noisy_solved):
    """Both ways round are compared without what noise adds to either."""
    capture, calibration, _ = noisy
    light, noise = float(capture.views.mean()), noisy_solved.settings["measured_noise"]
    variance = noise["gain"] * light + noise["offset"]
    assert variance == pytest.approx(2e-3 * light + 4e-3**2, rel=0.15)
    swapped = dataclasses.replace(capture, views=capture.views[::-1].copy())
    with pytest.raises(InputError, match="left and right look swapped"):
        dp.solve(swapped, calibration, "low_light")


def test_scene_in_focus_gets_layers_for_the_published_way(demo):
    """Its sizes lie below the least that the published layers have."""
    simulated, _, calibration = demo
    sharp = np.asarray(simulated.all_in_focus, np.float32)
    capture = Capture(np.stack([sharp, sharp]), "in focus", np.zeros(sharp.shape, bool))
    result = dp.solve(capture, calibration, few(dp.PRESETS["paper"]))
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
