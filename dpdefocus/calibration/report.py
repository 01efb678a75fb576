"""The report of a calibration: kernels, their errors and warnings, as a folder of files."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from dpdefocus.calibration.detection import Discs
from dpdefocus.data import capture, loading, raw
from dpdefocus.data.result import current_versions
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.support.files import replacing, writable_folder, write_image

# Pictures of all kernels are enlarged to about this width, pixels.
SHEET_WIDTH = 1200


@dataclass(frozen=True)
class CalibrationReport:
    """A calibration, and how far it can be trusted.

    Args:
        kernel_residuals: standard deviation of the fit's residual, relative to that of the sharp chart.
        reprojection: root mean square distance, in pixels, between the discs found and the geometry, in each
            cell; NaN without discs.
        disparity: centroid of the left kernel minus that of the right one, (x, y) in pixels.
        discs: how many were found in each cell.
        pitch: smallest distance between neighbouring discs in the photograph, pixels.
        warnings: faults that do not prevent its use.
    """

    calibration: capture.Calibration
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
    """The kernels of each view laid out like their cells, each within one pixel of value `frame`."""
    framed = np.pad(kernels, [(0, 0)] * 3 + [(1, 1), (1, 1)], constant_values=frame)
    rows, cols, _, size, _ = framed.shape
    return framed.transpose(2, 0, 3, 1, 4).reshape(2, rows * size, cols * size)


def kernel_sheet(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
) -> UInt8[np.ndarray, "height width"]:
    """The whole grid as one picture, as in Fig. 4: left view, then right, on one grey scale."""
    views = mosaic(kernels / kernels.max(), 0.25)
    sheet = np.hstack([views[0], np.ones((views.shape[1], kernels.shape[-1] // 4)), views[1]])
    zoom = max(1, SHEET_WIDTH // sheet.shape[1])
    return np.round(255 * sheet.repeat(zoom, axis=0).repeat(zoom, axis=1)).astype(np.uint8)


def save_report(
    report: CalibrationReport,
    folder: str | Path,
    black_level: int = raw.BLACK_LEVEL,
    white_level: int = raw.WHITE_LEVEL,
) -> Path:
    """Write what `data.load_calibration` reads, and report.json, found.png and kernels.png."""
    folder = writable_folder(folder, "out")
    loading.save_calibration(report.calibration, folder, black_level, white_level)
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


def per_cell(cells, found, grid):
    """Number of discs, and root mean square of their residuals, in each cell [rows, cols]."""
    inside = cells >= 0
    count = np.bincount(cells[inside], minlength=grid[0] * grid[1])
    total = np.bincount(cells[inside], (found.residuals[inside] ** 2).sum(1), minlength=grid[0] * grid[1])
    with np.errstate(invalid="ignore"):
        rms = np.sqrt(total / count)
    return count.reshape(grid), rms.reshape(grid)


def _rounded(values: np.ndarray) -> list:
    return np.where(np.isfinite(values), np.round(values.astype(float), 4), None).tolist()
