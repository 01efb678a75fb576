"""Calibration end to end on simulated photographs, and the step that each bad photograph fails at."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from dpdefocus import calibrate, chart_photo, data, files
from dpdefocus.detection import StepError
from dpdefocus.errors import InputError
from dpdefocus.kernel_fit import KernelFitSettings
from dpdefocus.lens import field_varying
from dpdefocus.overlap import centred
from dpdefocus.photographs import Photographs, read_photographs

GRID, SIZE, RADIUS = (2, 2), 17, 4.0
CROP, FRAME = (140, 160), (160, 184)
# The weights that the rule chooses here.
QUICK = KernelFitSettings(smoothness=(1e-2,), compactness=(1e-2,))


@pytest.fixture(scope="module")
def shots():
    pupil = field_varying(*GRID, samples=65)
    # Without the cells' common shifts: a geometry has no steps from cell to cell.
    kernels = np.maximum(centred(pupil.kernels([RADIUS], SIZE)[0]), 0)
    kernels = np.asarray(kernels / kernels.sum((-2, -1), keepdims=True), np.float32)
    return chart_photo.photograph_chart(kernels, CROP, frame=FRAME)


def photographs_of(shots):
    ceiling = 1 - shots.sensor.black_level / shots.sensor.white_level
    return Photographs(shots.chart, shots.white, shots.black, shots.sheets, ceiling)


def run(shots):
    return calibrate.calibrate(photographs_of(shots), shots.pattern, GRID, SIZE, CROP, settings=QUICK)


@pytest.fixture(scope="module")
def report(shots):
    return run(shots)


def test_kernels_and_their_centroids_and_the_vignetting_are_found(shots, report):
    found, true = report.calibration.kernels, chart_photo.kernels_seen_from(shots, report.found.geometry)
    error = np.linalg.norm(found - true, axis=(-2, -1)) / np.linalg.norm(true, axis=(-2, -1))
    assert error.mean() < 0.05
    offset = np.arange(SIZE) - SIZE // 2
    for axis in (-1, -2):
        moments = [(kernels.sum(axis) @ offset) for kernels in (found, true)]
        assert np.abs(moments[0] - moments[1]).max() < 0.1
    ratio = data.relative_vignetting(report.calibration.white)
    np.testing.assert_allclose(ratio, shots.vignetting[0] / shots.vignetting[1], rtol=0.005)


def test_report_says_how_good_it_is(shots, report):
    assert report.warnings == ()
    assert report.discs.min() >= calibrate.ENOUGH_DISCS
    assert report.reprojection.max() < 0.5
    assert report.kernel_residuals.max() < 0.04
    offset = np.arange(SIZE) - SIZE // 2
    true = shots.kernels.sum(-2) @ offset
    np.testing.assert_allclose(report.disparity[..., 0], true[..., 0] - true[..., 1], atol=0.1)
    summary = report.summary()
    assert "2 x 2 cells, kernels of 17 pixels" in summary and "warning" not in summary


def test_folder_is_what_the_solver_reads(report, shots, tmp_path):
    calibrate.save_report(report, tmp_path / "calibration")
    loaded = data.load_calibration(tmp_path / "calibration")
    np.testing.assert_array_equal(loaded.kernels, report.calibration.kernels)
    np.testing.assert_allclose(loaded.white, report.calibration.white, atol=1 / data.WHITE_LEVEL)
    for view, image in zip(data.VIEWS, shots.chart, strict=True):
        data.write_raw(tmp_path / f"{view}.png", image)
    capture, _ = data.load_capture(
        tmp_path / "left.png", tmp_path / "right.png", tmp_path / "calibration", crop=CROP
    )
    assert capture.views.shape == (2, *CROP)
    means = capture.views.mean((1, 2))
    assert means[0] == pytest.approx(means[1], rel=0.01)
    stored = json.loads((tmp_path / "calibration" / "report.json").read_text())
    assert stored["warnings"] == [] and np.shape(stored["disparity_px"]) == (*GRID, 2)
    assert cv2.imread(str(tmp_path / "calibration" / "found.png")).shape == (*FRAME, 3)
    sheet = cv2.imread(str(tmp_path / "calibration" / "kernels.png"), cv2.IMREAD_UNCHANGED)
    assert sheet.shape == (15 * 2 * (SIZE + 2), 15 * (4 * (SIZE + 2) + 4))  # enlarged 15 times


@pytest.mark.parametrize(
    ("kind", "step", "message"),
    [
        ("blank", "threshold", "no discs stand out"),
        ("other chart", "sharp chart", "of the light that the chart's discs would give"),
        ("half out of view", "order|coverage|components", ""),
        ("clipped", "exposure", "saturated"),
        ("dark", "exposure", "too dark"),
    ],
)
def test_bad_photographs_end_at_the_step_that_finds_out(shots, kind, step, message):
    with pytest.raises(StepError, match=f"^({step}): .*{message}") as caught:
        run(chart_photo.bad_photographs(shots, kind))
    assert caught.value.picture.ndim == 3


def test_clipped_sheets_fail_at_the_vignetting(shots):
    bright = np.minimum(3 * shots.sheets, 1).astype(np.float32)
    with pytest.raises(StepError, match="^vignetting: white sheet 1, left view: .* at the white level"):
        run(dataclasses.replace(shots, sheets=bright))


def test_a_view_of_another_brightness_is_warned_of():
    gains = np.ones((2, 3, 2))
    assert calibrate.gain_warnings(gains * 1.01) == []
    gains[1, 2, 0] = 0.9
    assert "10.0%" in calibrate.gain_warnings(gains)[0]


def test_warnings_of_focus_exposure_and_field(shots):
    behind = shots.kernels
    assert calibrate.kernel_warnings(behind) == []
    front = calibrate.kernel_warnings(np.ascontiguousarray(behind[..., ::-1, ::-1]))
    assert len(front) == 1 and front[0].startswith("focus is not behind the plane")
    assert "up and down" in calibrate.kernel_warnings(np.swapaxes(behind, -1, -2))[0]
    same = np.repeat(behind.mean(2, keepdims=True), 2, axis=2)
    assert "hardly differ" in calibrate.kernel_warnings(same)[0]
    tight = behind[..., 4:-4, 4:-4] / behind[..., 4:-4, 4:-4].sum((-2, -1), keepdims=True)
    assert any("reach the rim" in warning for warning in calibrate.kernel_warnings(tight))
    sharp = np.zeros_like(behind)
    sharp[..., SIZE // 2, SIZE // 2] = 1
    assert any("nearly in focus" in warning for warning in calibrate.kernel_warnings(sharp))


def test_sizes_that_do_not_fit():
    check = calibrate.checked_crop
    assert check(data.PIXEL4_FRAME, None, (6, 8), 61) == data.PIXEL4_CROP
    assert check((300, 400), None, (3, 4), 61) == (300, 400)
    for arguments, message in [
        ((FRAME, (999, 10), GRID, 17), r"crop: found \(999, 10\), expected .* up to \(160, 184\)"),
        ((FRAME, None, GRID, 16), "size: found 16, expected an odd number"),
        ((FRAME, None, (20, 20), 17), "grid: 20 x 20 cells over 160 x 184 pixels"),
    ]:
        with pytest.raises(InputError, match=message):
            check(*arguments)


def test_photographs_are_read_and_averaged_and_missing_ones_named(shots, tmp_path):
    shots.write(tmp_path)
    read = read_photographs(tmp_path)
    np.testing.assert_allclose(read.chart, shots.chart, atol=1e-4)
    assert read.sheets.shape == (6, 2, *FRAME)
    for view in data.VIEWS:  # a second shot of the chart: twice the first, but for the black level
        first = data.read_raw(tmp_path / f"chart_{view}.png", "a view")
        files.write_image(tmp_path / f"chart2_{view}.png", (first - 512).astype(np.uint16) * 2 // 1)
    raw = np.stack([data.read_raw(tmp_path / f"chart2_{view}.png", "a view") for view in data.VIEWS])
    mean = (read.chart + (raw - 1024.0) / 16383) / 2
    unclipped = mean < 0.4
    np.testing.assert_allclose(read_photographs(tmp_path).chart[unclipped], mean[unclipped], atol=1e-6)

    files.write_image(tmp_path / "black_right.png", np.full((20, 20), 1024, np.uint16))
    with pytest.raises(InputError, match=r"black_right.png is \(20, 20\) and .* \(160, 184\)"):
        read_photographs(tmp_path)
    (tmp_path / "white_right.png").unlink()
    with pytest.raises(InputError, match="white_right.png does not exist"):
        read_photographs(tmp_path)
    (tmp_path / "white_left.png").unlink()
    with pytest.raises(InputError, match="holds no white_left.png and white_right.png"):
        read_photographs(tmp_path)
    with pytest.raises(InputError, match="nowhere does not exist"):
        read_photographs(tmp_path / "nowhere")


def test_command_leaves_the_picture_of_what_failed(shots, tmp_path, capsys):
    chart_photo.bad_photographs(shots, "blank").write(tmp_path / "photographs")
    arguments = [str(tmp_path / "photographs"), "--chart", str(tmp_path / "photographs")]
    arguments += ["--grid", "2x2", "--size", "17", "--out", str(tmp_path / "calibration")]
    assert calibrate.main(arguments) == 2
    shown = capsys.readouterr().err
    assert "error: threshold: no discs stand out" in shown and "failed.png" in shown
    assert cv2.imread(str(tmp_path / "calibration" / "failed.png")).shape == (*FRAME, 3)
    assert not (tmp_path / "calibration" / "blur_kernels_left.npy").exists()
    with pytest.raises(SystemExit):
        calibrate.main([*arguments, "--grid", "6by8"])
    assert "expected two numbers, such as 6x8" in capsys.readouterr().err
