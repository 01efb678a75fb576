"""The default solution on one page: from a capture to its sharp image, its defocus map and its layers.

Data flows one way: views and kernels → energies of the defocus hypotheses (`wiener`) → one size for each
pixel (`labelling`, `defocus`) → layers (`layers`) → views without what stands in front of each (`occlusion`)
→ sharp image (`deconvolution`).

Axes: views [views, height, width], left first; layers back to front. Units: images linear raw in [0, 1];
defocus in units of the calibrated kernels.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture
from dpdefocus.fast.deconvolution import deblur, tile_margin
from dpdefocus.fast.defocus import estimate_defocus
from dpdefocus.fast.layers import (
    alphas_of,
    dilate_fronts,
    erode_within_surface,
    feather_outlines,
    layer_scales,
    layer_weights,
)
from dpdefocus.fast.noise import NoiseModel, estimate_noise
from dpdefocus.fast.occlusion import remove_occluders
from dpdefocus.fast.settings import FastSettings
from dpdefocus.optics.kernels import centre_kernels, kernel_reach


@dataclass(frozen=True)
class Steps:
    """The pipeline's steps, in their order. An ablation replaces one by a function of the same form."""

    centre_kernels: Callable[..., Array] = centre_kernels
    estimate_defocus: Callable[..., Any] = estimate_defocus
    dilate_fronts: Callable[..., Array] = dilate_fronts
    erode_within_surface: Callable[..., Array] = erode_within_surface
    layer_scales: Callable[..., Array] = layer_scales
    layer_weights: Callable[..., Array] = layer_weights
    feather_outlines: Callable[..., Array] = feather_outlines
    remove_occluders: Callable[..., Array] = remove_occluders
    tile_margin: Callable[..., int] = tile_margin
    deblur: Callable[..., tuple[Array, Array]] = deblur


def at_middle_grey(capture: Capture) -> tuple[float, Float[Array, "views height width"]]:
    """The factor that brings the views' mean to middle grey, and the views so scaled."""
    gain = MIDDLE_GREY / float(capture.views.mean())
    return gain, jnp.asarray(capture.views) * gain


def measure_noise(capture: Capture, settings: FastSettings, gain: float) -> NoiseModel | None:
    """The noise of the capture's views multiplied by `gain`, where the settings correct for it.

    Raises:
        InputError: it cannot be measured in this capture.
    """
    if not settings.noise.corrected:
        return None
    return estimate_noise(capture.views, capture.saturated, settings.noise).brightened(gain)


def solve_fast(
    capture: Capture, calibration: Calibration, settings: FastSettings, steps: Steps = Steps()
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The solution, and the settings that it was obtained with, measured noise included.

    Raises:
        InputError: left and right look swapped, or noise cannot be measured where it has to be.
    """
    gain, views = at_middle_grey(capture)
    kernels = steps.centre_kernels(jnp.asarray(calibration.kernels))
    reach = kernel_reach(kernels, settings.reach)
    noise = measure_noise(capture, settings, gain)
    estimate = steps.estimate_defocus(views, kernels, settings, capture.name, noise)

    planes = settings.layers
    widened = steps.dilate_fronts(estimate.defocus, planes.dilation * estimate.reduction, planes.depth_gap)
    sizes = steps.erode_within_surface(widened, int(reach), planes.depth_gap)
    scales = steps.layer_scales(estimate.defocus, settings)
    weights = steps.feather_outlines(steps.layer_weights(sizes, scales), planes.feather)

    uncovered = steps.remove_occluders(views, scales, weights, reach, settings.occlusion, planes.depth_gap)
    margin = steps.tile_margin(reach, scales)
    sharp, shares = steps.deblur(
        uncovered, kernels, scales, weights, reach, margin, settings.deconvolution, settings.prior
    )
    solved = {
        "all_in_focus": jnp.clip(sharp / gain, 0, 1),
        "defocus_map": estimate.defocus,
        "confidence": estimate.confidence,
        "scales": scales,
        "alphas": alphas_of(shares),
    }
    return solved, asdict(settings) | (
        {"measured_noise": noise.brightened(1 / gain)._asdict()} if noise else {}
    )
