"""Which capture a lesson's parameters name."""

import numpy as np
import pytest

from dpdefocus import data, simulate
from dpdefocus.captures import open_capture
from dpdefocus.errors import InputError


def test_synthetic_capture_comes_with_its_truth_and_follows_the_seed():
    opened = open_capture(seed=3)
    shot = simulate.demo_capture(3)
    np.testing.assert_array_equal(opened.capture.views, shot.views)
    np.testing.assert_array_equal(opened.calibration.kernels, shot.kernels)
    np.testing.assert_array_equal(opened.truth.defocus_map, shot.defocus_map)


def test_own_capture_is_read_from_its_files(tmp_path):
    shot = simulate.demo_capture(0)
    shot.write(tmp_path)
    opened = open_capture(
        left=str(tmp_path / "left.png"),
        right=str(tmp_path / "right.png"),
        calibration_dir=str(tmp_path / "calibration"),
    )
    assert opened.truth is None
    np.testing.assert_allclose(opened.capture.views, shot.views, atol=2e-3)


def test_levels_of_ones_own_camera_are_those_given(tmp_path):
    shot = simulate.demo_capture(0)
    shot.write(tmp_path)
    files = {name: str(tmp_path / name) for name in ("left.png", "right.png", "calibration")}
    names = ("left", "right", "calibration_dir")
    given = dict(zip(names, files.values(), strict=True))
    darker = open_capture(**given, black_level=2048).capture.views[0]
    expected = np.maximum(open_capture(**given).capture.views[0] - 1024 / 16383, 0)
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
