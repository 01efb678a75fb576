"""From photographs of a chart to a calibration folder: vignetting, geometry, sharp chart, kernels, report.

    dpdefocus calibrate photographs --chart chart --out calibration

The photographs are pairs of 16-bit views in one folder, named as `photographs` says.

Axes   views = (left, right); photographs [views, height, width] of the whole frame; cells [rows, cols] of the
       kernels' grid over its central crop; kernels [rows, cols, views, kernel, kernel].
Units  linear raw, (raw - black level) / white level, noise below zero kept; lengths in pixels.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32

from dpdefocus.calibration.chart import Chart, load_chart, render_chart
from dpdefocus.calibration.checks import (
    VIEW_RATIO,
    check_coverage,
    check_grid,
    check_light,
    gain_warnings,
    kernel_warnings,
    narrowest_pitch,
    pitch_warnings,
)
from dpdefocus.calibration.detection import Discs, contrast_of, find_chart
from dpdefocus.calibration.failure import StepError, picture_of
from dpdefocus.calibration.fit import KernelFitSettings, fit_kernels
from dpdefocus.calibration.photographs import Photographs, check_exposure, read_photographs
from dpdefocus.calibration.report import CalibrationReport, cells_of, per_cell, save_report
from dpdefocus.calibration.vignetting import check_sheets, mean_sheet
from dpdefocus.data import capture, loading, raw
from dpdefocus.optics.kernels import centroids
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder, write_image
from dpdefocus.support.progress_bar import progress

FAILED = "failed.png"


def calibrate(
    photographs: Photographs,
    chart: Chart,
    grid: tuple[int, int] = capture.RELEASED_GRID,
    size: int = 61,
    crop: tuple[int, int] | None = None,
    distortion: bool = False,
    settings: KernelFitSettings = KernelFitSettings(),
) -> CalibrationReport:
    """Calibrate the kernels and the vignetting of a dual-pixel camera.

    Args:
        chart: what the screen showed.
        grid: rows and columns of cells, each with its own pair of kernels.
        size: of the kernels, odd, pixels.
        crop: (height, width) that the grid covers, from the centre of the frame. By default as in
            `data.load_capture`: the released part of a Pixel 4's frame, the whole of any other.
        distortion: see `detection.find_chart`.
        settings: of the kernels' fit.

    Raises:
        StepError: a step failed; its picture shows what was found.
        InputError: arguments that do not fit.
    """
    crop = loading.checked_crop(crop, photographs.frame, "the photographs' size")
    check_grid(crop, grid, size)
    with progress(["exposure", "vignetting", "chart", "sharp chart"], "calibration") as steps:
        return _calibrated(iter(steps), photographs, chart, grid, size, crop, distortion, settings)


def _calibrated(
    steps: Iterator[str],
    photographs: Photographs,
    chart: Chart,
    grid: tuple[int, int],
    size: int,
    crop: tuple[int, int],
    distortion: bool,
    settings: KernelFitSettings,
) -> CalibrationReport:
    """`calibrate` with checked arguments; advances the progress bar `steps` before each step."""
    next(steps)
    warnings = check_exposure(photographs, crop)
    next(steps)
    warnings += check_sheets(photographs.sheets, photographs.ceiling)
    vignetting = mean_sheet(photographs.sheets)

    next(steps)
    contrast = contrast_of(photographs.chart, photographs.white, photographs.black)
    found = find_chart(contrast, chart, distortion)
    picture = picture_of(contrast, found.centroids, found.geometry.to_image(chart.centres))
    cells = cells_of(found.centroids, photographs.frame, crop, grid)
    discs, reprojection = per_cell(cells, found, grid)
    warnings += check_coverage(discs, found, crop, picture)
    pitch = narrowest_pitch(found.geometry, chart, found.centroids[cells >= 0])
    warnings += pitch_warnings(pitch, size)

    next(steps)
    sharp, views, remarks = sharp_chart(photographs, vignetting, found, chart, crop, margin=size // 2)
    warnings += remarks
    list(steps)
    check_light(sharp, views, picture)
    try:
        fit = fit_kernels(sharp, views, grid, size, settings)
    except InputError as error:
        raise StepError("kernels", str(error), picture) from error
    kernels = fit.kernels.astype(np.float32)
    disparity = disparity_of(kernels)
    return CalibrationReport(
        capture.Calibration(kernels, vignetting),
        found,
        fit.residuals / sharp.std(),
        reprojection,
        disparity,
        discs,
        pitch,
        tuple(warnings + gain_warnings(fit.gains) + kernel_warnings(kernels, disparity)),
        picture,
        {"grid": list(grid), "size": size, "crop": list(crop), "distortion": distortion}
        | {"weights": fit.weights._asdict(), "iterations": fit.iterations, "gap": fit.gap},
    )


def sharp_chart(
    photographs: Photographs,
    vignetting: Float32[np.ndarray, "2 height width"],
    found: Discs,
    chart: Chart,
    crop: tuple[int, int],
    margin: int,
) -> tuple[
    Float32[np.ndarray, "sharp_height sharp_width"],
    Float32[np.ndarray, "2 crop_height crop_width"],
    list[str],
]:
    """The chart without blur, with a margin; the views at its brightness; and warnings.

        sharp = M L_white + (1 - M) L_black,   L = (left + right) / (W_l + W_r),

    with M the fraction of each pixel that discs cover, under the geometry found. Screens are smoothed: blur
    leaves only noise of their fine structure. Each view is scaled to that brightness by its own photograph of
    the white screen, `view L_white / white`, with which the vignetting of the sheets must agree. Clipped
    pixels of the views are NaN.
    """
    frame = photographs.frame
    top, left = ((whole - part) // 2 for whole, part in zip(frame, crop, strict=True))
    covered = render_chart(chart, found.geometry.shifted(top, left, crop), margin)
    seen_white, seen_black = (
        np.stack([loading.smooth_field(view) for view in pair])
        for pair in (photographs.white, photographs.black)
    )
    around = tuple(length + 2 * margin for length in crop)
    white, black = (
        loading.centre(
            np.pad(seen.sum(0) / vignetting.sum(0), margin, mode="reflect", reflect_type="odd"), around
        )
        for seen in (seen_white, seen_black)
    )
    inner = loading.centre(white, crop)
    seen_white = np.stack([loading.centre(view, crop) for view in seen_white])
    unclipped = np.where(photographs.chart < photographs.ceiling, photographs.chart, np.nan)
    views = np.stack([loading.centre(view, crop) for view in unclipped]) * (inner / seen_white)

    ratio = (seen_white[0] / seen_white[1]) / loading.centre(vignetting[0] / vignetting[1], crop)
    remarks = []
    if np.abs(ratio - 1).max() > VIEW_RATIO:
        remarks.append(
            f"left / right of the white screen and of the white sheets differ by up to "
            f"{np.abs(ratio - 1).max():.1%}: take both at the same focus distance"
        )
    sharp = covered * white + (1 - covered) * black
    return sharp.astype(np.float32), views.astype(np.float32), remarks


def disparity_of(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
) -> Float[np.ndarray, "rows cols 2"]:
    """Centroid of the left kernel minus that of the right one, (x, y) in pixels."""
    places = centroids(kernels)[..., ::-1]
    return places[:, :, 0] - places[:, :, 1]


def calibrate_folder(
    photographs: str | Path,
    chart: str | Path,
    out: str | Path = "calibration",
    grid: tuple[int, int] = capture.RELEASED_GRID,
    size: int = 61,
    crop: tuple[int, int] | None = None,
    distortion: bool = False,
    black_level: int = raw.BLACK_LEVEL,
    white_level: int = raw.WHITE_LEVEL,
) -> CalibrationReport:
    """`calibrate` from a folder of photographs and the chart's file; saves the report in the folder ``out``.

    Raises:
        InputError: a file or an argument that does not fit, or a step that failed: then ``failed.png`` in
            ``out`` shows what was found until there.
    """
    shots, shown = read_photographs(photographs, black_level, white_level), load_chart(chart)
    folder = writable_folder(out, "out")
    (folder / FAILED).unlink(missing_ok=True)  # of an earlier run
    try:
        report = calibrate(shots, shown, grid, size, crop, distortion)
    except StepError as error:
        with replacing(folder, FAILED) as (picture,):
            write_image(picture, error.picture)
        raise InputError(f"{error}. What was found is drawn in {folder / FAILED}") from error
    save_report(report, folder, black_level, white_level)
    return report
