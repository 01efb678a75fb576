"""How well a calibration finds known kernels and vignetting, and what its errors cost a solve.

    python benchmarks/calibration.py                         a small frame, some minutes
    python benchmarks/calibration.py --full                  1344 x 1008 pixels, parametric kernels
    python benchmarks/calibration.py --full --data <folder> --solve --out benchmarks/calibration.json

The last takes the Pixel 4 set's kernels. Photographs of a tilted screen with an uneven backlight are
simulated, with the noise of the real captures; `--full` has the Pixel 4's frame, of which 1344 x 1008
pixels are calibrated. `--solve` also solves a simulated capture with the kernels found and with the true
ones. Prints JSON; `--out` keeps it, with the machine and the digest of the library's code.
"""

import argparse
import dataclasses
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import records

import dpdefocus as dp
from dpdefocus import calibration, data, evaluation, simulation
from dpdefocus.calibration.photographs import Photographs
from dpdefocus.data.result import current_versions
from dpdefocus.optics.kernels import centroids, relative_errors
from dpdefocus.optics.pupil import CalibratedPupil
from dpdefocus.support.errors import InputError

# Rooms behind the figures.
CODE = ("calibration.from_chart", "calibration.simulated_photographs", "solver", "evaluation.metrics")


def set_up(full: bool, data_dir: str) -> tuple[simulation.Camera, tuple[int, int], tuple[int, int]]:
    """Camera, (height, width) of its photographs, and of the part that is calibrated."""
    if not full:
        return simulation.small_camera(), (252, 336), (252, 336)
    camera = simulation.pixel4_camera()
    if data_dir:
        kernels = data.load_calibration(Path(data_dir) / "calibration").kernels
        pupil = CalibratedPupil(data.Calibration(kernels), camera.calibration_radius)
        camera = dataclasses.replace(camera, pupil=pupil)
    return camera, data.PIXEL4_FRAME, data.PIXEL4_CROP


def errors(shots: calibration.ChartPhotographs, report: calibration.CalibrationReport) -> dict:
    """Errors of the kernels (relative L2), of their centroids and disparity (pixels), and of the vignetting.

    Only the disparity, left centroid minus right one, is the camera's own. The centroids are compared with
    those of the true kernels as seen from the geometry that was found. `vignetting_ratio_error_max` is of
    left / right, which captures are corrected by; `vignetting_error_max` of each view on its own, at the same
    mean, holds the sheets' own fall-off too, which nothing in the photographs tells from the lens's.
    """
    found, true = report.calibration.kernels, calibration.kernels_seen_from(shots, report.found.geometry)
    relative = relative_errors(found, true)
    off = centroids(found) - centroids(true)
    distance = np.linalg.norm(off, axis=-1)
    disparity = np.linalg.norm(off[:, :, 0] - off[:, :, 1], axis=-1)
    white = report.calibration.white
    ratio = data.relative_vignetting(white) / (shots.vignetting[0] / shots.vignetting[1])
    each = (white / white.mean((1, 2), keepdims=True)) / (
        shots.vignetting / shots.vignetting.mean((1, 2), keepdims=True)
    )
    return {
        "kernel_error_mean": float(relative.mean()),
        "kernel_error_max": float(relative.max()),
        "centroid_error_mean_px": float(distance.mean()),
        "centroid_error_max_px": float(distance.max()),
        "centroid_share_within_a_tenth": float((distance < 0.1).mean()),
        "disparity_error_mean_px": float(disparity.mean()),
        "disparity_error_max_px": float(disparity.max()),
        "vignetting_ratio_error_max": float(np.abs(ratio - 1).max()),
        "vignetting_error_max": float(np.abs(each - 1).max()),
        "disc_residual_rms_px": report.found.spread,
        "disc_pitch_px": report.pitch,
    }


def solved(shots: calibration.ChartPhotographs, camera: simulation.Camera, found: data.Calibration) -> dict:
    """Scores of a solve of one simulated capture, with the true kernels and with those found."""
    height, width = shots.crop
    far, near = (simulation.dioptres_at_scale(camera, scale) for scale in (1.0, 0.1))
    scene = simulation.cards(0, height, width, camera.kernel_size // 2, far, near)
    shot = simulation.photograph(scene, camera, seed=0)
    capture = data.Capture(shot.views, "simulated", shot.saturated)
    truth = data.GroundTruth(shot.all_in_focus, shot.defocus_map, shot.valid)
    scores = {}
    for name, kernels in (("true", np.asarray(shots.kernels)), ("calibrated", found.kernels)):
        result = dp.solve(capture, data.Calibration(kernels), "fast")
        scores[name] = evaluation.score(result.all_in_focus, result.defocus_map, truth)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="1344 x 1008 pixels instead of 336 x 252")
    parser.add_argument("--data", default="", help="folder of the Pixel 4 set: its kernels, with --full")
    parser.add_argument("--solve", action="store_true", help="also solve a simulated capture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="", help="file to keep the record in, JSON")
    given = parser.parse_args()
    os.environ.setdefault("DPDEFOCUS_BATCH", "1")
    try:
        camera, frame, crop = set_up(given.full, given.data)
        kernels = np.asarray(camera.calibration_kernels, np.float32)
        shots = calibration.photograph_chart(
            kernels, crop, frame=frame, sensor=camera.sensor, seed=given.seed
        )
        ceiling = 1 - camera.sensor.black_level / camera.sensor.white_level
        photographs = Photographs(shots.chart, shots.white, shots.black, shots.sheets, ceiling)
        began, used = time.perf_counter(), time.process_time()
        report = calibration.calibrate(photographs, shots.pattern, kernels.shape[:2], kernels.shape[-1], crop)
        seconds = time.perf_counter() - began
        result = {
            "frame": frame,
            "crop": crop,
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
    result |= {
        "seed": given.seed,
        "kernels": "Pixel 4" if given.data else "parametric",
        "versions": current_versions(),
        "machine": records.machine(),
        "code": records.code_of(*CODE),
    }
    if given.out:
        records.save(Path(given.out), result)
    print(json.dumps(result, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
