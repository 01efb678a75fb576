"""Which capture a lesson's parameters name."""

from types import SimpleNamespace

import numpy as np
import pytest

from dpdefocus import data, simulation
from dpdefocus.captures import open_capture
from dpdefocus.simulation import simulate as simulate_room
from dpdefocus.support.errors import InputError


def demo_capture(seed):
    """In place of the simulated capture: what of one is looked at here, every seed another."""
    images = np.random.default_rng(seed).uniform(0.1, 0.6, (4, 60, 80)).astype(np.float32)
    kernels = np.random.default_rng(seed).random((2, 3, 2, 5, 5), np.float32)
    return SimpleNamespace(
        views=images[:2],
        raw=images[:2],
        vignetting=np.ones_like(images[:2]),
        all_in_focus=images[2],
        defocus_map=images[3],
        valid=images[2] > 0.2,
        saturated=images[3] > 0.5,
        kernels=kernels / kernels.sum((-2, -1), keepdims=True),
        camera=simulation.small_camera(),
    )


@pytest.fixture
def written(tmp_path):
    """A capture, and the arguments that name its files."""
    shot = demo_capture(0)
    simulation.Simulated.write(shot, tmp_path)
    files = {"left": "left.png", "right": "right.png", "calibration_dir": "calibration"}
    return shot, {name: str(tmp_path / file) for name, file in files.items()}


def test_synthetic_capture_comes_with_its_truth_and_follows_the_seed(monkeypatch):
    monkeypatch.setattr(simulate_room, "demo_capture", demo_capture)
    shot, opened = demo_capture(3), open_capture(seed=3)
    np.testing.assert_array_equal(opened.capture.views, shot.views)
    np.testing.assert_array_equal(opened.capture.saturated, shot.saturated)
    np.testing.assert_array_equal(opened.calibration.kernels, shot.kernels)
    for found, true in zip(opened.truth, (shot.all_in_focus, shot.defocus_map, shot.valid), strict=True):
        np.testing.assert_array_equal(found, true)


def test_own_capture_is_read_from_its_files(written):
    shot, files = written
    opened = open_capture(**files)
    assert opened.truth is None
    np.testing.assert_allclose(opened.capture.views, shot.views, atol=2e-3)


def test_levels_of_ones_own_camera_are_those_given(written):
    _, files = written
    darker = open_capture(**files, black_level=2048).capture.views[0]
    expected = np.maximum(open_capture(**files).capture.views[0] - 1024 / 16383, 0)
    np.testing.assert_allclose(darker, expected, atol=1e-6)


def test_scene_of_the_pixel_4_set_by_name_or_number(pixel4_folder):
    opened = open_capture(str(pixel4_folder), 1)
    assert opened.capture.name == "001"
    assert opened.capture.views.shape == (2, *data.PIXEL4_CROP)
    assert opened.truth.mask.mean() > 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"left": "a.png"}, "right, calibration_dir: not given"),
        ({"left": "a", "right": "b", "calibration_dir": "c", "scene": "001"}, "not both"),
        ({"scene": "001"}, "data_dir: not given; .* scene '001'"),
        ({"data_dir": "somewhere"}, "scene: found 'synthetic', expected the number"),
        ({"data_dir": "nowhere", "scene": "001"}, "data_dir: the folder nowhere does not exist"),
    ],
)
def test_arguments_that_name_no_capture_are_told(arguments, message):
    with pytest.raises(InputError, match=message):
        open_capture(**arguments)
