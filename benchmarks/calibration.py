"""How well a calibration finds known kernels and vignetting, and what its errors cost a solve.

    python benchmarks/calibration.py                         a small frame, some minutes
    python benchmarks/calibration.py --full                  1344 x 1008 pixels, parametric kernels
    python benchmarks/calibration.py --full --data <folder>  the same with the Pixel 4 set's kernels

Photographs of a tilted screen with an uneven backlight are simulated, with the noise of the real captures;
`--solve` also solves a simulated capture with the kernels found and with the true ones. Prints JSON.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from dpdefocus import calibrate, chart_photo, data, metrics, scenes, simulate, solve
from dpdefocus.errors import InputError
from dpdefocus.kernel_fit import centroids
from dpdefocus.lens import CalibratedPupil
from dpdefocus.photographs import Photographs
from dpdefocus.results import current_versions


def set_up(full: bool, data_dir: str) -> tuple[simulate.Camera, tuple[int, int]]:
    """Camera, and (height, width) of its photographs."""
    if not full:
        return simulate.small_camera(), (252, 336)
    camera = simulate.pixel4_camera()
    if data_dir:
        kernels = data.load_calibration(Path(data_dir) / "calibration").kernels
        pupil = CalibratedPupil(data.Calibration(kernels), camera.calibration_radius)
        camera = dataclasses.replace(camera, pupil=pupil)
    return camera, data.PIXEL4_CROP


def errors(shots: chart_photo.ChartPhotographs, report: calibrate.CalibrationReport) -> dict:
    """Relative L2 error of the kernels, of their centroids and disparity (pixels), and of the vignetting."""
    found, true = report.calibration.kernels, chart_photo.kernels_seen_from(shots, report.found.geometry)
    relative = np.linalg.norm(found - true, axis=(-2, -1)) / np.linalg.norm(true, axis=(-2, -1))
    off = centroids(found) - centroids(true)
    distance = np.linalg.norm(off, axis=-1)
    disparity = np.linalg.norm(off[:, :, 0] - off[:, :, 1], axis=-1)
    ratio = data.relative_vignetting(report.calibration.white)
    vignetting = np.abs(ratio / (shots.vignetting[0] / shots.vignetting[1]) - 1)
    return {
        "kernel_error_mean": float(relative.mean()),
        "kernel_error_max": float(relative.max()),
        "centroid_error_mean_px": float(distance.mean()),
        "centroid_error_max_px": float(distance.max()),
        "disparity_error_mean_px": float(disparity.mean()),
        "disparity_error_max_px": float(disparity.max()),
        "vignetting_error_max": float(vignetting.max()),
        "disc_residual_rms_px": report.found.spread,
    }


def solved(shots: chart_photo.ChartPhotographs, camera: simulate.Camera, found: data.Calibration) -> dict:
    """Scores of a solve of one simulated capture, with the true kernels and with those found."""
    height, width = shots.crop
    far, near = (simulate.dioptres_at_scale(camera, scale) for scale in (1.0, 0.1))
    scene = scenes.cards(0, height, width, camera.kernel_size // 2, far, near)
    shot = simulate.photograph(scene, camera, seed=0)
    capture = data.Capture(shot.views, "simulated", shot.saturated)
    truth = data.GroundTruth(shot.all_in_focus, shot.defocus_map, shot.valid)
    scores = {}
    for name, kernels in (("true", np.asarray(shots.kernels)), ("calibrated", found.kernels)):
        result = solve.solve(capture, data.Calibration(kernels), "fast")
        scores[name] = metrics.score(result.all_in_focus, result.defocus_map, truth)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="1344 x 1008 pixels instead of 336 x 252")
    parser.add_argument("--data", default="", help="folder of the Pixel 4 set: its kernels, with --full")
    parser.add_argument("--solve", action="store_true", help="also solve a simulated capture")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    os.environ.setdefault("DPDEFOCUS_BATCH", "1")
    try:
        camera, frame = set_up(given.full, given.data)
        kernels = np.asarray(camera.calibration_kernels, np.float32)
        shots = chart_photo.photograph_chart(kernels, frame, sensor=camera.sensor, seed=given.seed)
        ceiling = 1 - camera.sensor.black_level / camera.sensor.white_level
        photographs = Photographs(shots.chart, shots.white, shots.black, shots.sheets, ceiling)
        began, used = time.perf_counter(), time.process_time()
        report = calibrate.calibrate(photographs, shots.pattern, kernels.shape[:2], kernels.shape[-1], frame)
        seconds = time.perf_counter() - began
        result = {
            "frame": frame,
            "grid": kernels.shape[:2],
            "kernel": kernels.shape[-1],
            "seconds": seconds,
            "cpu_seconds": time.process_time() - used,
            **errors(shots, report),
            "settings": report.settings,
            "warnings": report.warnings,
        }
        if given.solve:
            result["solve"] = solved(shots, camera, report.calibration)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result | {"versions": current_versions()}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
