"""The presets, as data: every constant of the two ways to solve a capture, with its unit.

Nothing here belongs to one scene. `PublishedSettings`, the constants of the paper, lives beside its
optimisation in `published`; the ranges that its authors set by hand for each scene are
`published.HAND_SETTINGS`.
"""

import time
from pathlib import Path

import numpy as np

from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.data.result import Result
from dpdefocus.fast.settings import FastSettings
from dpdefocus.fast.solve import solve_fast
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.paper.solve import solve_published
from dpdefocus.support.errors import InputError

PRESETS: dict[str, FastSettings | PublishedSettings] = {
    "fast": FastSettings(),
    "classroom": FastSettings(hypotheses=15, sweeps=(15, 8), layers=8),
    "low_light": FastSettings(noise_corrected=True),
    "paper": PublishedSettings(nearest=0.1, farthest=1.6),
}


def preset_settings(name: str) -> FastSettings | PublishedSettings:
    """The settings of a preset.

    Raises:
        InputError: there is none of that name.
    """
    if name not in PRESETS:
        raise InputError(f"preset: found {name!r}, expected one of {', '.join(PRESETS)}")
    return PRESETS[name]


def solve(
    capture: Capture,
    calibration: Calibration,
    preset: str = "fast",
    seed: int = 0,
    checkpoint: str | Path | None = None,
) -> Result:
    """Solve a capture.

    Args:
        capture: two views of a scene that lies at or behind the focus plane.
        calibration: the camera's kernels.
        preset: a name in `presets.PRESETS`.
        seed: saved with the result; no preset draws random numbers today.
        checkpoint: preset ``paper`` only: a file to keep the optimisation's state in and resume from.

    Returns:
        The result, with the settings used, the solver's wall time (compilation included) and versions.

    Raises:
        InputError: unknown preset, checkpoint with another preset, a grid of kernels finer than the image,
            views that look swapped, or noise that ``low_light`` cannot measure.
    """
    settings = preset_settings(preset)
    _check(capture, calibration, preset, checkpoint)
    began = time.perf_counter()
    if isinstance(settings, FastSettings):
        solved, used = solve_fast(capture, calibration, settings)
    else:
        solved, used = solve_published(capture, calibration, settings, checkpoint)
    seconds = time.perf_counter() - began
    record = {"preset": preset, "capture": capture.name, "seed": seed} | used
    return Result(
        **{name: np.asarray(each) for name, each in solved.items()}, seconds=seconds, settings=record
    )


def _check(capture: Capture, calibration: Calibration, preset: str, checkpoint: str | Path | None) -> None:
    rows, cols, _, size, _ = calibration.kernels.shape
    height, width = capture.views.shape[1:]
    if min(height // rows, width // cols) < size // 2:
        raise InputError(
            f"views of {capture.name}: found {height} x {width} pixels for {rows} x {cols} kernels of "
            f"{size} x {size}; expected at least {rows * (size // 2)} x {cols * (size // 2)}. "
            "Is the calibration that of this camera?"
        )
    if checkpoint is not None and preset != "paper":
        raise InputError(f"checkpoint: preset {preset!r} keeps none; expected preset 'paper'")
