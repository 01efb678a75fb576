"""The default solution on one page: from a capture to its sharp image, its defocus map and its layers."""

from dataclasses import asdict
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture
from dpdefocus.fast.deconvolution import deblur
from dpdefocus.fast.defocus import REACH, estimate_defocus
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


def at_middle_grey(
    capture: Capture, calibration: Calibration
) -> tuple[float, Float[Array, "views height width"], Float[Array, "rows cols views kernel kernel"]]:
    """The factor that brings the views to middle grey, the views so scaled, and the kernels centred."""
    gain = MIDDLE_GREY / float(capture.views.mean())
    return gain, jnp.asarray(capture.views) * gain, centre_kernels(jnp.asarray(calibration.kernels))


def measure_noise(capture: Capture, settings: FastSettings, gain: float) -> NoiseModel | None:
    """The noise of the capture's views multiplied by `gain`, where the settings correct for it.

    Raises:
        InputError: it cannot be measured in this capture.
    """
    if not settings.noise_corrected:
        return None
    return estimate_noise(capture.views, capture.saturated).brightened(gain)


def solve_fast(
    capture: Capture, calibration: Calibration, settings: FastSettings
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The solution, and the settings that it was obtained with, measured noise included."""
    gain, views, kernels = at_middle_grey(capture, calibration)
    noise = measure_noise(capture, settings, gain)
    estimate = estimate_defocus(views, kernels, settings, capture.name, noise)
    layers = layer_scales(estimate.defocus, settings.layers)
    reach = kernel_reach(kernels, REACH)
    sizes = erode_within_surface(dilate_fronts(estimate.defocus, 2 * estimate.reduction), int(reach))
    weights = feather_outlines(layer_weights(sizes, layers), settings.feather)
    behind = remove_occluders(views, layers, weights, reach)
    sharp, shares = deblur(behind, kernels, layers, weights, reach, settings.sparsity, settings.misfit)
    solved = {
        "all_in_focus": jnp.clip(sharp / gain, 0, 1),
        "defocus_map": estimate.defocus,
        "confidence": estimate.confidence,
        "scales": layers,
        "alphas": alphas_of(shares),
    }
    return solved, asdict(settings) | ({"noise": noise.brightened(1 / gain)._asdict()} if noise else {})
