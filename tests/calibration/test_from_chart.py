"""Calibration end to end on simulated photographs, and the step that each bad photograph fails at."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from dpdefocus import calibration, data, support
from dpdefocus.calibration import from_chart as calibrate_room
from dpdefocus.calibration.failure import StepError
from dpdefocus.calibration.fit import KernelFitSettings
from dpdefocus.calibration.photographs import Photographs, read_photographs
from dpdefocus.optics.kernels import relative_errors
from dpdefocus.optics.pupil import field_varying
from dpdefocus.support.errors import InputError

GRID, SIZE, RADIUS = (2, 2), 17, 4.0
CROP, FRAME = (140, 160), (160, 184)
# The weights that the rule chooses here.
QUICK = KernelFitSettings(smoothness=(1e-2,), compactness=(1e-2,))


@pytest.fixture(scope="module")
def shots():
    kernels = np.array(field_varying(*GRID, samples=65).kernels([RADIUS], SIZE)[0])
    return calibration.photograph_chart(kernels, CROP, frame=FRAME)


def photographs_of(shots):
    ceiling = 1 - shots.sensor.black_level / shots.sensor.white_level
    return Photographs(shots.chart, shots.white, shots.black, shots.sheets, ceiling)


def run(shots):
    return calibration.calibrate(photographs_of(shots), shots.pattern, GRID, SIZE, CROP, settings=QUICK)


@pytest.fixture(scope="module")
def report(shots):
    return run(shots)


def test_kernels_and_their_centroids_and_the_vignetting_are_found(shots, report):
    found, true = report.calibration.kernels, calibration.kernels_seen_from(shots, report.found.geometry)
    assert relative_errors(found, true).mean() < 0.05
    offset = np.arange(SIZE) - SIZE // 2
    for axis in (-1, -2):
        moments = [(kernels.sum(axis) @ offset) for kernels in (found, true)]
        assert np.abs(moments[0] - moments[1]).max() < 0.1
    ratio = data.relative_vignetting(report.calibration.white)
    np.testing.assert_allclose(ratio, shots.vignetting[0] / shots.vignetting[1], rtol=0.005)


def test_report_says_how_good_it_is(shots, report):
    assert report.warnings == ()
    assert report.discs.min() >= calibration.ENOUGH_DISCS
    assert report.reprojection.max() < 0.5
    assert report.kernel_residuals.max() < 0.04
    offset = np.arange(SIZE) - SIZE // 2
    true = shots.kernels.sum(-2) @ offset
    np.testing.assert_allclose(report.disparity[..., 0], true[..., 0] - true[..., 1], atol=0.1)
    summary = report.summary()
    assert "2 x 2 cells, kernels of 17 pixels" in summary and "warning" not in summary


def test_folder_is_what_the_solver_reads(report, shots, tmp_path):
    calibration.save_report(report, tmp_path / "calibration")
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
        ("half out of view", "order", "found 0 sets of the chart's three markers"),
        ("clipped", "exposure", "saturated"),
        ("dark", "exposure", "too dark"),
    ],
)
def test_bad_photographs_end_at_the_step_that_finds_out(shots, kind, step, message):
    with pytest.raises(StepError, match=f"^({step}): .*{message}") as caught:
        run(calibration.bad_photographs(shots, kind))
    assert caught.value.picture.ndim == 3


def test_clipped_sheets_fail_at_the_vignetting_and_are_shown(shots):
    bright = np.minimum(3 * shots.sheets, 1).astype(np.float32)
    with pytest.raises(
        StepError, match="^vignetting: white sheet 1, left view: .* at the white level"
    ) as caught:
        run(dataclasses.replace(shots, sheets=bright))
    assert caught.value.picture.shape == (*FRAME, 3) and caught.value.picture.mean() > 128


def test_kernels_that_cannot_be_fitted_fail_at_their_step_with_the_discs_found(shots, monkeypatch):
    def refuse(*_):
        raise InputError("of cell (0, 0) only 3% of the pixels are known")

    monkeypatch.setattr(calibrate_room, "fit_kernels", refuse)
    with pytest.raises(StepError, match="^kernels: of cell") as caught:
        run(shots)
    green = (caught.value.picture == np.array(calibration.FOUND)).all(-1)
    assert green.sum() > 100


def test_a_view_too_dark_and_a_few_clipped_pixels_are_told(shots):
    """A handful of clipped pixels is left out of the fit; a screen at a twentieth of the range is dim."""
    hot = shots.white.copy()
    hot[0, 80, 90] = 1
    told = calibration.check_exposure(photographs_of(dataclasses.replace(shots, white=hot)), CROP)
    assert told == ["1 saturated pixels in the white photographs"]
    dim = dataclasses.replace(
        shots, chart=0.1 * shots.chart, white=0.1 * shots.white, black=0.1 * shots.black
    )
    told = calibration.check_exposure(photographs_of(dim), CROP)
    assert len(told) == 1 and told[0].startswith("rather dark: the white screen is 0.0")


def test_clipped_pixels_of_the_chart_are_left_out_of_the_fit(shots, report):
    hot = shots.chart.copy()
    hot[:, 40:42, 50:52] = 1
    ours = dataclasses.replace(photographs_of(shots), chart=hot)
    _, views, _ = calibration.sharp_chart(
        ours, report.calibration.white, report.found, shots.pattern, CROP, 8
    )
    top, left = ((whole - part) // 2 for whole, part in zip(FRAME, CROP, strict=True))
    holes = np.argwhere(np.isnan(views[0])) + [top, left]
    np.testing.assert_array_equal(holes, [[40, 50], [40, 51], [41, 50], [41, 51]])


def test_screens_and_sheets_at_two_focus_distances_are_told_apart(shots, report):
    """The lens shades the two views otherwise there: white on the left is a tenth brighter at one border."""
    slope = 1 + np.linspace(-0.1, 0.1, FRAME[1])
    sheets = np.stack([report.calibration.white[0] * slope, report.calibration.white[1]]).astype(np.float32)
    ours = photographs_of(shots)
    _, _, remarks = calibration.sharp_chart(
        ours, report.calibration.white, report.found, shots.pattern, CROP, 8
    )
    assert remarks == []
    _, _, remarks = calibration.sharp_chart(ours, sheets, report.found, shots.pattern, CROP, 8)
    assert len(remarks) == 1 and "take both at the same focus distance" in remarks[0]


def test_cells_need_discs(report):
    discs = np.full(GRID, 9)
    assert calibration.check_coverage(discs, report.found, CROP, report.picture) == []
    discs[0, 1] = 3
    told = calibration.check_coverage(discs, report.found, CROP, report.picture)
    assert told == ["too few discs in 1 of 4 cells: fewer than 4"]
    discs[1, 1] = 1
    with pytest.raises(StepError, match="^coverage: 1 of 4 cells see fewer than 2 discs"):
        calibration.check_coverage(discs, report.found, CROP, report.picture)


def test_discs_closer_together_than_kernels_are_wide_are_warned_of(shots, report):
    # By brute force: the discs as they were photographed, each with its nearest neighbour.
    discs = shots.geometry.to_image(shots.pattern.centres)
    apart = np.linalg.norm(discs[:, None] - discs[None], axis=2) + 1e9 * np.eye(len(discs))
    inside = calibration.cells_of(discs, FRAME, CROP, GRID) >= 0
    assert report.pitch == pytest.approx(apart[inside].min(), rel=0.03)
    assert calibration.pitch_warnings(15.0, SIZE) == []
    assert "down to 14 pixels apart and the kernels 17 wide" in calibration.pitch_warnings(14.4, SIZE)[0]


def test_a_view_of_another_brightness_is_warned_of():
    gains = np.ones((2, 3, 2))
    assert calibration.gain_warnings(gains * 1.01) == []
    gains[1, 2, 0] = 0.9
    assert "10.0%" in calibration.gain_warnings(gains)[0]


def test_warnings_of_focus_exposure_and_field(shots):
    def told(kernels):
        return calibration.kernel_warnings(kernels, calibration.disparity_of(kernels))

    behind = shots.kernels
    assert told(behind) == []
    front = told(np.ascontiguousarray(behind[..., ::-1, ::-1]))
    assert len(front) == 1 and front[0].startswith("the chart is not behind the plane in focus")
    assert "up and down" in told(np.swapaxes(behind, -1, -2))[0]
    assert "hardly differ" in told(np.repeat(behind.mean(2, keepdims=True), 2, axis=2))[0]
    tight = behind[..., 4:-4, 4:-4] / behind[..., 4:-4, 4:-4].sum((-2, -1), keepdims=True)
    assert any("reach the rim" in warning for warning in told(tight))
    sharp = np.zeros_like(behind)
    sharp[..., SIZE // 2, SIZE // 2] = 1
    assert any("nearly in focus" in warning for warning in told(sharp))


def test_sizes_that_do_not_fit():
    assert data.checked_crop(None, data.PIXEL4_FRAME, "") == data.PIXEL4_CROP
    assert data.checked_crop(None, (300, 400), "") == (300, 400)
    with pytest.raises(
        InputError, match=r"crop: found \(999, 10\), .* up to \(160, 184\), the photographs' size"
    ):
        data.checked_crop((999, 10), FRAME, "the photographs' size")
    with pytest.raises(InputError, match="size: found 16, expected an odd number"):
        calibration.check_grid(FRAME, GRID, 16)
    with pytest.raises(InputError, match="grid: 20 x 20 cells over 160 x 184 pixels"):
        calibration.check_grid(FRAME, (20, 20), 17)


def test_photographs_are_read_and_averaged_and_missing_ones_named(shots, tmp_path):
    shots.write(tmp_path)
    read = read_photographs(tmp_path)
    np.testing.assert_allclose(read.chart, shots.chart, atol=1e-4)
    assert read.sheets.shape == (6, 2, *FRAME)
    for view in data.VIEWS:  # a second shot of the chart: twice the first, but for the black level
        first = data.read_raw(tmp_path / f"chart_{view}.png", "a view")
        support.write_image(tmp_path / f"chart2_{view}.png", 2 * (first - 512).astype(np.uint16))
    raw = np.stack([data.read_raw(tmp_path / f"chart2_{view}.png", "a view") for view in data.VIEWS])
    mean = (read.chart + (raw - 1024.0) / 16383) / 2
    unclipped = mean < 0.4
    np.testing.assert_allclose(read_photographs(tmp_path).chart[unclipped], mean[unclipped], atol=1e-6)

    support.write_image(tmp_path / "black_right.png", np.full((20, 20), 1024, np.uint16))
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


def test_folder_leaves_the_picture_of_what_failed(shots, tmp_path):
    photographs, out = tmp_path / "photographs", tmp_path / "calibration"
    calibration.bad_photographs(shots, "blank").write(photographs)
    failed = out / "failed.png"
    with pytest.raises(InputError, match=f"threshold: no discs stand out.* is drawn in {failed}"):
        calibration.calibrate_folder(photographs, photographs, out, GRID, SIZE)
    assert cv2.imread(str(failed)).shape == (*FRAME, 3)
    assert not (out / "blur_kernels_left.npy").exists()
    # A run that fails for another reason, without a picture, leaves none of an earlier one.
    with pytest.raises(InputError, match="size: found 16"):
        calibration.calibrate_folder(photographs, photographs, out, GRID, 16)
    assert not failed.exists()


def test_nothing_is_written_when_photographs_are_missing(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        calibration.calibrate_folder(tmp_path / "nowhere", tmp_path, tmp_path / "calibration")
    assert not (tmp_path / "calibration").exists()
