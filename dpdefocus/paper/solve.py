"""The published method from a capture to its result: optimisation, sharp image, map, finish.

Axes: layers [layers, height, width], back to front; images [height, width]. Units: linear raw in [0, 1];
defocus in units of the calibrated kernels.
"""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture
from dpdefocus.optics import mpi
from dpdefocus.paper.optimise import fit_published
from dpdefocus.paper.settings import FinishSettings, PublishedSettings


def solve_published(
    capture: Capture,
    calibration: Calibration,
    settings: PublishedSettings,
    checkpoint: str | Path | None = None,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The published solution, and the settings that it was obtained with.

    Args:
        capture: two views.
        calibration: the camera's kernels.
        settings: with ``nearest`` and ``farthest``; the smoothness weights are those of the capture's
            frame (`PublishedSettings.for_frame`).
        checkpoint: a file to keep the optimisation's state in and resume from.

    Raises:
        InputError: layers out of order, or a checkpoint of something else.
    """
    settings = settings.for_frame(capture.views.shape[1])
    scales = settings.scales
    intensities, alphas, history = fit_published(
        capture.views, calibration.kernels, scales, settings, checkpoint
    )
    gain = MIDDLE_GREY / float(capture.views.mean())
    sharp = bilateral_filter(mpi.all_in_focus(intensities, alphas), gain, settings.finish)
    visible = mpi.transmittance(alphas)
    solved = {
        "all_in_focus": jnp.clip(sharp, 0, 1),
        "defocus_map": mpi.defocus_map(alphas, scales),
        "confidence": (visible**2).sum(0),
        "scales": scales,
        "alphas": alphas,
        "intensities": intensities,
    }
    return solved, asdict(settings) | {"diverged_at": history.diverged_at}


def within_range(settings: PublishedSettings, nearest: float, farthest: float) -> PublishedSettings:
    """The settings with layers between two sizes that were found, within the bounds of `RangeSettings`.

    Settings that name their sizes stay as they are.
    """
    if settings.nearest is not None:
        return settings
    nearest = max(nearest, settings.range.least_size)
    return replace(settings, nearest=nearest, farthest=max(farthest, nearest + settings.range.least_range))


@partial(jax.jit, static_argnames="settings")
def bilateral_filter(
    image: Float[Array, "height width"],
    gain: Float[Array, ""] | float,
    settings: FinishSettings = FinishSettings(),
) -> Float[Array, "height width"]:
    """The finish of the published all-in-focus image, by the released program: a bilateral filter.

    Written here because OpenCV's cuts its window to a disc; the released program's is a square.

    ``gain`` is the paper's s, 0.5 over the mean of the views: the value's σ is meant for the image times s.
    """
    space, value, radius = settings.space, settings.value, settings.radius
    height, width = image.shape
    around = jnp.pad(image, radius, mode="edge")

    def add(number, sums):
        top, left = number // (2 * radius + 1), number % (2 * radius + 1)
        neighbour = jax.lax.dynamic_slice(around, (top, left), (height, width))
        distance = ((top - radius) ** 2 + (left - radius) ** 2) / space**2
        weight = jnp.exp(-0.5 * (distance + ((neighbour - image) * gain / value) ** 2))
        return sums[0] + weight * neighbour, sums[1] + weight

    zero = jnp.zeros_like(image)
    total, weights = jax.lax.fori_loop(0, (2 * radius + 1) ** 2, add, (zero, zero))
    return total / weights
