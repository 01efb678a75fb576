"""Simulated chart photographs: what they show is what their truth says."""

import dataclasses

import numpy as np
import pytest

from dpdefocus import calibration, data
from dpdefocus.calibration.geometry import Geometry
from dpdefocus.optics.pupil import half_discs
from dpdefocus.support.errors import InputError

CROP, FRAME, SIZE = (110, 150), (130, 190), 15


@pytest.fixture(scope="module")
def kernels():
    pair = np.array(half_discs(2, 3).kernels([4.5], SIZE)[0], np.float32)
    pair[1, 2] = pair[1, 2, :, ::-1, ::-1]
    return pair


@pytest.fixture(scope="module")
def shots(kernels):
    return calibration.photograph_chart(kernels, CROP, frame=FRAME)


def test_views_are_the_sharp_chart_blurred_by_the_cells_own_kernel_within_noise(shots, kernels):
    clean = shots.chart / shots.vignetting
    half = SIZE // 2
    # The crop begins at (10, 20); its cells are 55 x 50 pixels. The last two points lie outside of it.
    for y, x, row, col in [
        (40, 45, 0, 0),
        (100, 160, 1, 2),
        (110, 100, 1, 1),
        (8, 9, 0, 0),
        (121, 181, 1, 2),
    ]:
        window = shots.sharp[y - half : y + half + 1, x - half : x + half + 1]
        for view in range(2):
            expected = (window * kernels[row, col, view, ::-1, ::-1]).sum()
            noise = np.sqrt((1.1e-6 * expected + 1.1e-4**2) / shots.vignetting[view, y, x] ** 2)
            assert clean[view, y, x] == pytest.approx(expected, abs=float(6 * noise + 1e-4))


def test_screens_bound_the_sharp_chart(shots):
    lit = shots.white / shots.vignetting
    disc, ground = shots.coverage == 1, shots.coverage == 0
    np.testing.assert_allclose(shots.sharp[disc], lit[:, disc].mean(0), rtol=0.02)
    assert shots.sharp[ground].max() < 0.01
    assert shots.sharp[ground].min() > 0
    assert np.ptp(lit[0]) > 0.05  # the backlight is not even


def test_noise_is_the_sensor_s_and_repeats_with_the_seed(shots, kernels):
    sheets = shots.sheets[:, 0, 40:90, 60:130]
    variance = sheets.var(axis=0, ddof=1).mean()
    assert variance == pytest.approx(1.1e-6 * sheets.mean() + 1.1e-4**2, rel=0.05)
    again = calibration.photograph_chart(kernels, CROP, frame=FRAME)
    np.testing.assert_array_equal(again.chart, shots.chart)
    other = calibration.photograph_chart(kernels, CROP, frame=FRAME, seed=1)
    assert np.abs(other.chart - shots.chart).max() > 0


def test_kernels_seen_from_a_shifted_geometry_are_shifted_back(shots):
    moved = Geometry(np.array([[1, 0, 1.0], [0, 1, -2.0], [0, 0, 1]]) @ shots.geometry.homography, FRAME)
    seen = calibration.kernels_seen_from(shots, moved)
    expected = np.roll(shots.kernels, (2, -1), axis=(-2, -1))
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    # What leaves the field does not come in again on the other side.
    far = Geometry(np.array([[1, 0, 0], [0, 1, 9.0], [0, 0, 1]]) @ shots.geometry.homography, FRAME)
    assert np.abs(calibration.kernels_seen_from(shots, far)[..., -3:, :]).max() < 1e-6
    same = calibration.kernels_seen_from(shots, shots.geometry)
    np.testing.assert_allclose(same, shots.kernels, atol=1e-6)


def test_files_are_named_pairs_that_read_back(shots, tmp_path):
    shots.write(tmp_path)
    for name, pair in [("chart", shots.chart), ("black", shots.black), ("sheet6", shots.sheets[5])]:
        for index, view in enumerate(data.VIEWS):
            raw = data.read_raw(tmp_path / f"{name}_{view}.png", "a view").astype(float)
            np.testing.assert_allclose((raw - 1024) / 16383, pair[index], atol=1e-4)
    with np.load(tmp_path / "truth.npz") as truth:
        np.testing.assert_array_equal(truth["kernels"], shots.kernels)


def test_bad_photographs_differ_from_good_ones_as_told(shots):
    bad = {kind: calibration.bad_photographs(shots, kind) for kind in calibration.BAD}
    np.testing.assert_array_equal(bad["blank"].chart, shots.white)
    ceiling = 1 - 1024 / 16383
    assert np.mean(bad["clipped"].white >= ceiling) > 0.3
    assert bad["dark"].white.mean() < 0.01
    assert np.abs(bad["other chart"].coverage.mean() / shots.coverage.mean() - 0.25) < 0.1
    right = slice(int(0.7 * FRAME[1]), None)
    assert bad["half out of view"].coverage[:, right].max() == 0
    flipped = bad["front of focus"].kernels
    np.testing.assert_array_equal(flipped, shots.kernels[..., ::-1, ::-1])
    with pytest.raises(InputError, match="kind: found 'none', expected one of blank"):
        calibration.bad_photographs(shots, "none")


def test_sizes_that_do_not_fit(shots, kernels):
    with pytest.raises(InputError, match=r"crop \(300, 150\) is larger than the frame"):
        calibration.photograph_chart(kernels, (300, 150), frame=FRAME)
    with pytest.raises(InputError, match="the geometry's frame is"):
        calibration.photograph_chart(kernels, CROP, geometry=dataclasses.replace(shots.geometry))


def test_photographs_by_a_named_camera_and_what_does_not_fit(tmp_path):
    small = calibration.simulate_photographs(small=True, bad="blank", seed=3)
    assert small.chart.shape == (2, 252, 336)
    np.testing.assert_array_equal(small.chart, small.white)
    for options, message in [
        ({"bad": "blurred"}, "bad: found 'blurred', expected one of blank, other chart"),
        ({"small": True, "data_dir": tmp_path}, "small: given together with data_dir"),
        ({"data_dir": tmp_path}, "calibration does not exist"),
    ]:
        with pytest.raises(InputError, match=message):
            calibration.simulate_photographs(**options)
