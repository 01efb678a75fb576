"""Solve a capture with a preset or with your own settings, by the method that these belong to.

Two methods stand side by side: `fast` (labelling, then deconvolution) and `paper` (the published
optimisation). A preset is data: a name for settings.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.data.result import Result
from dpdefocus.fast.defocus import estimate_defocus
from dpdefocus.fast.layers import layer_scales
from dpdefocus.fast.settings import CLASSROOM, FAST, LOW_LIGHT, FastSettings
from dpdefocus.fast.solve import at_middle_grey, solve_fast
from dpdefocus.optics.kernels import centre_kernels
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.paper.solve import solve_published, within_range
from dpdefocus.support.errors import InputError

Settings = FastSettings | PublishedSettings
Solution = tuple[dict[str, Array], dict[str, Any]]

# Name -> settings. None of them belongs to one scene.
PRESETS: dict[str, Settings] = {
    "fast": FAST,
    "classroom": CLASSROOM,
    "low_light": LOW_LIGHT,
    "paper": PublishedSettings(),
}


def preset_settings(name: str) -> Settings:
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
    preset: str | Settings = "fast",
    checkpoint: str | Path | None = None,
) -> Result:
    """Solve a capture.

    Args:
        capture: two views of a scene that lies at or behind the focus plane.
        calibration: the camera's kernels.
        preset: a name in `PRESETS`, or settings.
        checkpoint: a file to keep the state of a long optimisation in and resume from: `PublishedSettings`.

    Returns:
        The result, with all settings used, the solver's wall time (compilation included) and versions.

    Raises:
        InputError: unknown preset, a checkpoint for a method that keeps none, a grid of kernels finer than
            the image, views that look swapped, or noise that ``low_light`` cannot measure.
    """
    settings = preset_settings(preset) if isinstance(preset, str) else preset
    if type(settings) not in METHODS:
        raise InputError(
            f"preset: found {preset!r}, expected one of {', '.join(PRESETS)}, or settings: "
            f"{' or '.join(known.__name__ for known in METHODS)}"
        )
    method = METHODS[type(settings)]
    _check_grid(capture, calibration)
    if checkpoint is not None and not method.resumes:
        raise InputError("checkpoint: given, but this preset keeps none; expected preset 'paper'")
    began = time.perf_counter()
    solved, used = method.solve(capture, calibration, settings, checkpoint)
    seconds = time.perf_counter() - began
    names = [name for name, named in PRESETS.items() if named == settings]
    record = {"preset": names[0] if names else "own settings", "capture": capture.name} | used
    return Result(
        **{name: np.asarray(each) for name, each in solved.items()}, seconds=seconds, settings=record
    )


@dataclass(frozen=True)
class Method:
    """A way to solve a capture, and whether it can resume from a checkpoint."""

    solve: Callable[[Capture, Calibration, Any, str | Path | None], Solution]
    resumes: bool


def _fast(capture: Capture, calibration: Calibration, settings: FastSettings, _: None) -> Solution:
    return solve_fast(capture, calibration, settings)


def _published(
    capture: Capture,
    calibration: Calibration,
    settings: PublishedSettings,
    checkpoint: str | Path | None,
) -> Solution:
    """The published solution, after a look by the default preset.

    It refuses swapped views before hours are spent on them, and tells the layers' range where none is given.
    """
    _, views = at_middle_grey(capture)
    kernels = centre_kernels(jnp.asarray(calibration.kernels))
    found = layer_scales(estimate_defocus(views, kernels, FAST, capture.name).defocus, FAST)
    named = settings.nearest is not None
    settings = within_range(settings, float(found[-1]), float(found[0]))
    solved, used = solve_published(capture, calibration, settings, checkpoint)
    return solved, used | {"range_found_by": "own settings" if named else "preset fast"}


METHODS: dict[type, Method] = {
    FastSettings: Method(_fast, resumes=False),
    PublishedSettings: Method(_published, resumes=True),
}


def _check_grid(capture: Capture, calibration: Calibration) -> None:
    rows, cols, _, size, _ = calibration.kernels.shape
    height, width = capture.views.shape[1:]
    if min(height // rows, width // cols) < size // 2:
        raise InputError(
            f"views of {capture.name}: found {height} x {width} pixels for {rows} x {cols} kernels of "
            f"{size} x {size}; expected at least {rows * (size // 2)} x {cols * (size // 2)}. "
            "Is the calibration that of this camera?"
        )
