"""From photographs of a chart to a calibration folder: vignetting, geometry, sharp chart, kernels, report.

    python -m dpdefocus.calibrate photographs --chart chart --out calibration

The photographs are pairs of 16-bit views in one folder, named as `dpdefocus.photographs` says.

Axes   views = (left, right); photographs [views, height, width] of the whole frame; cells [rows, cols] of the
       kernels' grid over its central crop; kernels [rows, cols, views, kernel, kernel].
Units  linear raw, (raw - black level) / white level, noise below zero kept; lengths in pixels.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from dpdefocus import data
from dpdefocus.blur import tiling_of
from dpdefocus.chart import Chart, load_chart, render
from dpdefocus.detection import Discs, StepError, contrast_of, find_chart, picture_of
from dpdefocus.errors import InputError
from dpdefocus.files import replacing, writable_folder, write_image
from dpdefocus.geometry import Geometry
from dpdefocus.kernel_fit import KernelFitSettings, centroids, fit_kernels
from dpdefocus.photographs import Photographs, check_exposure, read_photographs
from dpdefocus.progress import progress
from dpdefocus.results import current_versions
from dpdefocus.vignetting import check_sheets, mean_sheet

# Discs in a cell of the grid: without the first its kernels have no edges in all directions, with the second
# they are well determined.
FEWEST_DISCS, ENOUGH_DISCS = 2, 4
# The white screen and the white sheets see the same vignetting; the ratio of the views may differ by this.
VIEW_RATIO = 0.03
# Light of the photographed chart against that of the sharp one: flare is less, another disc size is more.
LIGHT_TOLERANCE = 0.1
# Behind the focus plane the left view's kernels lie to the left of the right view's. Below this share of
# their width (standard deviation) there is too little of a difference to be sure of.
LEAST_DISPARITY = 0.1
# The kernels' fit tells the gain of each view; vignetting and exposure explain no more than this.
LARGEST_GAIN_ERROR = 0.03
# Kernels narrower than this (standard deviation, pixels) hardly have a shape to be scaled.
NARROWEST = 1.5
# Pixels at either end of a kernel that the fit leaves dark.
EMPTY_RIM = 1
FAILED = "failed.png"
# Pictures of all kernels are enlarged to about this width, pixels.
SHEET_WIDTH = 1200
# The outermost pixels of a kernel should hold no more light than this.
RIM, RIM_LIGHT = 2, 0.01


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration, and how far it can be trusted.

    Args:
        kernel_residuals: standard deviation of the fit's residual, relative to that of the sharp chart.
        reprojection: root mean square distance, in pixels, of the discs found from where the geometry puts
            them, in each cell; NaN without discs.
        disparity: centroid of the left kernel minus that of the right one, (x, y) in pixels.
        discs: how many were found in each cell.
        pitch: of the discs in the photograph, pixels, where they are closest together.
        warnings: what is not as it should be, but can be used.
    """

    calibration: data.Calibration
    found: Discs
    kernel_residuals: Float[np.ndarray, "rows cols 2"]
    reprojection: Float[np.ndarray, "rows cols"]
    disparity: Float[np.ndarray, "rows cols 2"]
    discs: Int[np.ndarray, "rows cols"]
    pitch: float
    warnings: tuple[str, ...]
    picture: UInt8[np.ndarray, "height width 3"]
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=current_versions)

    def summary(self) -> str:
        """A few lines for people."""
        kernels = self.calibration.kernels
        lines = [
            f"{kernels.shape[0]} x {kernels.shape[1]} cells, kernels of {kernels.shape[-1]} pixels",
            f"discs: {len(self.found.indices)} found, {self.pitch:.0f} pixels or more apart, "
            f"{self.found.spread:.2f} pixels from the geometry (rms)",
            f"kernels: residual {self.kernel_residuals.mean():.2%} of the chart's contrast (mean), "
            f"{self.kernel_residuals.max():.2%} (worst cell)",
            f"left - right: ({self.disparity[..., 0].mean():+.2f}, {self.disparity[..., 1].mean():+.2f}) "
            "pixels",
        ]
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])


def calibrate(
    photographs: Photographs,
    chart: Chart,
    grid: tuple[int, int] = data.RELEASED_GRID,
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
    crop = data.checked_crop(crop, photographs.frame, "the photographs' size")
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
    """`calibrate` with arguments that fit, going on by one of the `steps` before each."""
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
    discs, reprojection = _per_cell(cells, found, grid)
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
        data.Calibration(kernels, vignetting),
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


def check_grid(crop: tuple[int, int], grid: tuple[int, int], size: int) -> None:
    """Raises InputError unless the crop holds the grid's cells, each as large as a kernel."""
    if size % 2 == 0 or size < 5:
        raise InputError(f"size: found {size}, expected an odd number of pixels, 5 or more")
    if min(grid) < 1 or any(part // count < size for part, count in zip(crop, grid, strict=True)):
        raise InputError(
            f"grid: {grid[0]} x {grid[1]} cells over {crop[0]} x {crop[1]} pixels; expected cells at least "
            f"as large as the kernels, {size} pixels. Take fewer cells or smaller kernels"
        )


def check_coverage(
    discs: Int[np.ndarray, "rows cols"], found: Discs, crop: tuple[int, int], picture: np.ndarray
) -> list[str]:
    """Whether each cell of the grid has the discs it needs; returns the cells that have few.

    Raises:
        StepError: cells without them.
    """
    empty, few = discs < FEWEST_DISCS, discs < ENOUGH_DISCS
    if empty.any():
        raise StepError(
            "coverage",
            f"{np.count_nonzero(empty)} of {discs.size} cells see fewer than {FEWEST_DISCS} discs (found "
            f"{len(found.indices)} discs in all). The chart must fill the {crop[1]} x {crop[0]} pixels that "
            "are calibrated: go nearer, point at its middle, or show more discs",
            picture,
        )
    if few.any():
        return [f"too few discs in {np.count_nonzero(few)} of {discs.size} cells: fewer than {ENOUGH_DISCS}"]
    return []


def narrowest_pitch(geometry: Geometry, chart: Chart, places: Float[np.ndarray, "places 2"]) -> float:
    """The least distance between neighbouring discs in the photograph at any of these places, pixels."""
    here = geometry.to_chart(places)
    steps = [geometry.to_image(here + step) - places for step in chart.pitch * np.eye(2)]
    return float(np.linalg.norm(steps, axis=-1).min())


def pitch_warnings(pitch: float, size: int) -> list[str]:
    """Whether the discs are far enough apart for kernels of that size; `chart` says why they must be."""
    if pitch >= size - 2 * EMPTY_RIM:
        return []
    return [
        f"discs are down to {pitch:.0f} pixels apart and the kernels {size} wide: faint light near the "
        "kernels' borders is not determined, and centroids may be off by some tenths of a pixel. Take a "
        "chart of larger pitch, go nearer, or take a smaller size"
    ]


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
    """The chart as it would be without blur, with a margin; the views on its brightness; and remarks.

        sharp = M L_white + (1 - M) L_black,   L = (left + right) / (W_l + W_r),

    with M the share of each pixel that discs cover, under the geometry found. Screens are smoothed: what
    blur leaves of their structure is noise. A view is brought to that brightness by the white screen it saw
    itself, `view L_white / white`, which the vignetting of the sheets must agree with. Clipped pixels of the
    views are NaN.
    """
    frame = photographs.frame
    top, left = ((whole - part) // 2 for whole, part in zip(frame, crop, strict=True))
    covered = render(chart, found.geometry.shifted(top, left, crop), margin)
    seen_white, seen_black = (
        np.stack([data.smooth_field(view) for view in pair])
        for pair in (photographs.white, photographs.black)
    )
    around = tuple(length + 2 * margin for length in crop)
    white, black = (
        data.centre(
            np.pad(seen.sum(0) / vignetting.sum(0), margin, mode="reflect", reflect_type="odd"), around
        )
        for seen in (seen_white, seen_black)
    )
    inner = data.centre(white, crop)
    seen_white = np.stack([data.centre(view, crop) for view in seen_white])
    unclipped = np.where(photographs.chart < photographs.ceiling, photographs.chart, np.nan)
    views = np.stack([data.centre(view, crop) for view in unclipped]) * (inner / seen_white)

    ratio = (seen_white[0] / seen_white[1]) / data.centre(vignetting[0] / vignetting[1], crop)
    remarks = []
    if np.abs(ratio - 1).max() > VIEW_RATIO:
        remarks.append(
            f"left / right of the white screen and of the white sheets differ by up to "
            f"{np.abs(ratio - 1).max():.1%}: take both at the same focus distance"
        )
    sharp = covered * white + (1 - covered) * black
    return sharp.astype(np.float32), views.astype(np.float32), remarks


def check_light(sharp: np.ndarray, views: np.ndarray, picture: np.ndarray) -> None:
    """Whether the blurred chart holds the light of the sharp one, as it must with kernels that sum to one.

    Raises:
        StepError: it does not: discs of another size, or values that are not linear.
    """
    share = float(np.nanmean(views) / data.centre(sharp, views.shape[1:]).mean())
    if abs(share - 1) > LIGHT_TOLERANCE:
        raise StepError(
            "sharp chart",
            f"the photographs hold {share:.0%} of the light that the chart's discs would give, expected "
            f"100 % within {LIGHT_TOLERANCE:.0%}. Give the chart.json of the chart that was photographed "
            "(radius over pitch), and files that are linear, without a tone curve",
            picture,
        )


def gain_warnings(gains: Float[np.ndarray, "rows cols 2"]) -> list[str]:
    """What a view's brightness, against that of the sharp chart, tells of the white and black photographs."""
    off = np.abs(gains - 1).max()
    if off <= LARGEST_GAIN_ERROR:
        return []
    return [
        f"the views are up to {off:.1%} brighter or darker than the white and black screens say: were all "
        "photographs taken with the same exposure and the same light?"
    ]


def disparity_of(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
) -> Float[np.ndarray, "rows cols 2"]:
    """Centroid of the left kernel minus that of the right one, (x, y) in pixels."""
    places = centroids(kernels)[..., ::-1]
    return places[:, :, 0] - places[:, :, 1]


def kernel_warnings(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"], disparity: Float[np.ndarray, "rows cols 2"]
) -> list[str]:
    """What the kernels tell of a wrong set-up: focus, swapped or turned views, too small a field."""
    warnings = []
    along, across = disparity.mean((0, 1))
    size = kernels.shape[-1]
    offset = np.arange(size) - size // 2
    mean = kernels.mean((0, 1, 2))
    mean_x = (mean * offset).sum()
    width = np.sqrt((mean * offset**2).sum() - mean_x**2)
    if abs(across) > abs(along) and abs(across) > LEAST_DISPARITY * width:
        warnings.append("the views differ up and down, not left and right: turn both views by 90 degrees")
    elif along > LEAST_DISPARITY * width:
        warnings.append(
            f"the chart is not behind the plane in focus: the left view's kernels lie {along:.1f} pixels to "
            "the right. Either the camera was focused beyond the chart, or left and right are swapped"
        )
    elif along > -LEAST_DISPARITY * width:
        warnings.append(
            f"the views hardly differ ({along:+.2f} pixels): is the chart behind the plane in focus?"
        )
    if width < NARROWEST:
        warnings.append(
            f"the chart is nearly in focus: kernels of {width:.1f} pixels; move it away, or focus nearer"
        )
    inner = slice(RIM + 1, -RIM - 1)
    outside = 1 - kernels[..., inner, inner].sum((-2, -1))
    if outside.max() > RIM_LIGHT:
        warnings.append(
            f"kernels reach the rim of their {size} pixels (up to {outside.max():.1%} of the light): take a "
            "larger size"
        )
    return warnings


def cells_of(
    points: Float[np.ndarray, "points 2"],
    frame: tuple[int, int],
    crop: tuple[int, int],
    grid: tuple[int, int],
) -> Int[np.ndarray, " points"]:
    """The cell, row by row, that each point of the frame lies in; -1 outside the crop."""
    tiling = tiling_of(*crop, np.empty((*grid, 2, 1, 1)))
    corner = np.array([(whole - part) // 2 for whole, part in zip(frame, crop, strict=True)])
    cell = [tiling.tile_height, tiling.tile_width]
    row, col = np.floor((points[:, ::-1] + 0.5 - corner) / cell).T.astype(int)
    inside = (row >= 0) & (row < grid[0]) & (col >= 0) & (col < grid[1])
    return np.where(inside, row * grid[1] + col, -1)


def mosaic(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"], frame: float
) -> Float32[np.ndarray, "2 height width"]:
    """The kernels of each view side by side as their cells are, each in a frame of a pixel of that value."""
    framed = np.pad(kernels, [(0, 0)] * 3 + [(1, 1), (1, 1)], constant_values=frame)
    rows, cols, _, size, _ = framed.shape
    return framed.transpose(2, 0, 3, 1, 4).reshape(2, rows * size, cols * size)


def kernel_sheet(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
) -> UInt8[np.ndarray, "height width"]:
    """The whole grid as one picture, as in Fig. 4: left view, then right, on one scale of grey."""
    views = mosaic(kernels / kernels.max(), 0.25)
    sheet = np.hstack([views[0], np.ones((views.shape[1], kernels.shape[-1] // 4)), views[1]])
    zoom = max(1, SHEET_WIDTH // sheet.shape[1])
    return np.round(255 * sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)).astype(np.uint8)


def save_report(
    report: CalibrationReport,
    folder: str | Path,
    black_level: int = data.BLACK_LEVEL,
    white_level: int = data.WHITE_LEVEL,
) -> Path:
    """Write what `data.load_calibration` reads, and report.json, found.png and kernels.png."""
    folder = writable_folder(folder, "out")
    data.save_calibration(report.calibration, folder, black_level, white_level)
    geometry = report.found.geometry
    content = {
        "warnings": list(report.warnings),
        "discs": report.discs.tolist(),
        "pitch_px": round(report.pitch, 2),
        "reprojection_px": _rounded(report.reprojection),
        "kernel_residuals": _rounded(report.kernel_residuals),
        "disparity_px": _rounded(report.disparity),
        "homography": geometry.homography.tolist(),
        "distortion": [float(value) for value in geometry.distortion],
        "settings": report.settings | {"black_level": black_level, "white_level": white_level},
        "versions": report.versions,
    }
    with replacing(folder, "report.json", "found.png", "kernels.png") as (text, found, kernels):
        text.write_text(json.dumps(content, indent=1) + "\n")
        write_image(found, report.picture)
        write_image(kernels, kernel_sheet(report.calibration.kernels))
    return folder


def _per_cell(cells, found, grid):
    """Number of discs, and root mean square of their residuals, in each cell [rows, cols]."""
    inside = cells >= 0
    count = np.bincount(cells[inside], minlength=grid[0] * grid[1])
    total = np.bincount(cells[inside], (found.residuals[inside] ** 2).sum(1), minlength=grid[0] * grid[1])
    with np.errstate(invalid="ignore"):
        rms = np.sqrt(total / count)
    return count.reshape(grid), rms.reshape(grid)


def _rounded(values: np.ndarray) -> list:
    return np.where(np.isfinite(values), np.round(values.astype(float), 4), None).tolist()


def _size(text: str) -> tuple[int, int]:
    """Two numbers such as 6x8."""
    found = re.fullmatch(r"(\d+)x(\d+)", text)
    if not found:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected two numbers, such as 6x8")
    return int(found[1]), int(found[2])


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when all went well, 2 when something given cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m dpdefocus.calibrate", description="A calibration folder from photographs of a chart."
    )
    parser.add_argument(
        "photographs", help="folder with chart_left.png, chart_right.png, white_..., black_..., sheet1_..."
    )
    parser.add_argument("--chart", required=True, help="chart.json by dpdefocus.chart, or its folder")
    parser.add_argument("--out", default="calibration", help="folder to write to (default: %(default)s)")
    parser.add_argument(
        "--grid", type=_size, default="6x8", help="rows x columns of kernels (default: %(default)s)"
    )
    parser.add_argument(
        "--size", type=int, default=61, help="of the kernels, odd, pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--crop", type=_size, help="height x width that the grid covers (default: all, or the Pixel 4's part)"
    )
    parser.add_argument("--distortion", action="store_true", help="fit radial lens distortion too")
    parser.add_argument("--black-level", type=int, default=data.BLACK_LEVEL, help="(default: %(default)s)")
    parser.add_argument("--white-level", type=int, default=data.WHITE_LEVEL, help="(default: %(default)s)")
    given = parser.parse_args(arguments)
    levels = given.black_level, given.white_level
    try:
        folder = writable_folder(given.out, "--out")
        (folder / FAILED).unlink(missing_ok=True)  # of an earlier run
        photographs = read_photographs(given.photographs, *levels)
        report = calibrate(
            photographs, load_chart(given.chart), given.grid, given.size, given.crop, given.distortion
        )
        save_report(report, folder, *levels)
    except StepError as error:
        print(f"error: {error}", file=sys.stderr)
        with replacing(folder, FAILED) as (picture,):
            write_image(picture, error.picture)
        print(f"What was found is drawn in {folder / FAILED}", file=sys.stderr)
        return 2
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(report.summary())
    print(f"Written to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
