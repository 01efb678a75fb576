"""From one dual-pixel capture and its calibration to the all-in-focus image and the defocus map.

Data flows one way: views and kernels → energies of the defocus hypotheses (`wiener`) → one size for each
pixel (`labelling`) → layers (`layer_scales`, `alphas_of`) → views without what stands in front of each
(`occlusion`) → sharp image (`deblur`) → `results.Result`. The preset `paper` goes the published way instead
(`published`).

Axes: views [views, height, width], left first; layers back to front. Units: images linear raw in [0, 1];
defocus in units of the calibrated kernels.
"""

import time
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus import mpi, published
from dpdefocus.bias import MIDDLE_GREY, NoiseModel, estimate_noise
from dpdefocus.data import Calibration, Capture
from dpdefocus.deblur import deblur, layer_weights
from dpdefocus.errors import InputError
from dpdefocus.labelling import data_cost, edge_weights, label_marginals, sub_label
from dpdefocus.occlusion import DEPTH_GAP, uncovered
from dpdefocus.overlap import Overlap, centred
from dpdefocus.presets import FastSettings, preset_settings
from dpdefocus.results import Result
from dpdefocus.wiener import (
    crossed_images,
    kernel_deviation,
    kernel_reach,
    local_energy,
    noise_energy,
    relative_brightness,
)

EDGE_RANGE = 0.1  # of sizes, in units of the calibrated kernels, at which confidence falls to 1/e
REACH = 0.98  # share of a kernel within its reach
LEAST_RANGE = 0.1  # of layers' sizes: those of a scene of one depth still lie apart
LEAST_SIZE = 0.1  # of the published method's nearest layer


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
        solved, used = _solve_fast(capture, calibration, settings)
    else:
        solved, used = _solve_published(capture, calibration, settings, checkpoint)
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


# --- the fast way ---


class DefocusEstimate(NamedTuple):
    """Defocus of each pixel, where to trust it, and by what factor the views were reduced to find it."""

    defocus: Float[Array, "height width"]
    confidence: Float[Array, "height width"]
    reduction: int


def normalised(
    capture: Capture, calibration: Calibration
) -> tuple[float, Float[Array, "views height width"], Float[Array, "rows cols views kernel kernel"]]:
    """The factor that brings the views to middle grey, the views so scaled, and the kernels centred."""
    gain = MIDDLE_GREY / float(capture.views.mean())
    return gain, jnp.asarray(capture.views) * gain, centred(jnp.asarray(calibration.kernels))


def measured_noise(capture: Capture, settings: FastSettings, gain: float) -> NoiseModel | None:
    """The noise of the capture's views multiplied by `gain`, where the settings correct for it.

    Raises:
        InputError: it cannot be measured in this capture.
    """
    if not settings.noise_corrected:
        return None
    return estimate_noise(capture.views, capture.saturated).brightened(gain)


def estimate_defocus(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
    name: str,
    noise: NoiseModel | None = None,
) -> DefocusEstimate:
    """The defocus map of views at middle grey; `name` is the capture's, for errors.

    `noise` is that of the views, from `measured_noise`; without it nothing is taken off.

    Raises:
        InputError: left and right look swapped.
    """
    energies, reduced, scales = hypothesis_energies(views, kernels, settings, noise)
    _check_sides(views, kernels, energies, settings, name, noise)
    costs = data_cost(energies, settings.floor, settings.slack, settings.cap)
    up, left = edge_weights(reduced.mean(0), settings.contrast)
    marginals = label_marginals(costs, up, left, settings.smoothness, settings.limit, settings.sweeps)
    small = scales[0] + sub_label(marginals) * (scales[1] - scales[0])
    size = views.shape[1:]
    trust = confidence(marginals, small, settings.window)
    return DefocusEstimate(enlarge(small, size), enlarge(trust, size), -(-size[0] // small.shape[0]))


def _solve_fast(
    capture: Capture, calibration: Calibration, settings: FastSettings
) -> tuple[dict[str, Array], dict[str, Any]]:
    """The solution, and the settings that it was obtained with, measured noise included."""
    gain, views, kernels = normalised(capture, calibration)
    noise = measured_noise(capture, settings, gain)
    estimate = estimate_defocus(views, kernels, settings, capture.name, noise)
    layers = layer_scales(estimate.defocus, settings.layers)
    reach = kernel_reach(kernels, REACH)
    sizes = least_around(fronts_widened(estimate.defocus, 2 * estimate.reduction), int(reach))
    weights = feathered(layer_weights(sizes, layers), settings.feather)
    behind = uncovered(views, layers, weights, reach)
    sharp, shares = deblur(behind, kernels, layers, weights, reach, settings.sparsity, settings.misfit)
    solved = {
        "all_in_focus": jnp.clip(sharp / gain, 0, 1),
        "defocus_map": estimate.defocus,
        "confidence": estimate.confidence,
        "scales": layers,
        "alphas": alphas_of(shares),
    }
    return solved, asdict(settings) | ({"noise": noise.brightened(1 / gain)._asdict()} if noise else {})


def hypothesis_energies(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
    noise: NoiseModel | None = None,
) -> tuple[Float[Array, "hypotheses h w"], Float[Array, "views h w"], Float[Array, " hypotheses"]]:
    """Windowed energy of each defocus hypothesis on reduced views, those views, and the sizes tried.

    By what share one view is brighter than the other in a region explains no depth, and is taken out first
    (`relative_brightness`). Where the views' `noise` is given, what it is expected to add is taken off
    (lesson 3). Small kernels let more of it into the residual than large ones do, so that noise left in
    favours too much blur.
    """
    reduction, overlap, reach = _reduced_tiles(views, kernels, settings)
    reduced = reduce(views, reduction)
    scales = jnp.linspace(settings.nearest, settings.farthest, settings.hypotheses)
    crossed = crossed_images(reduced, kernels, scales, overlap, reduction)
    brighter = relative_brightness(crossed, reach, settings.window, settings.brightness)
    energies = local_energy(crossed[:, 0] - (1 + brighter[None]) * crossed[:, 1], reach, settings.window)
    if noise is not None:
        variance = noise.gain * reduced.mean(0) + noise.offset
        # The light that the energy's own window sees: beside an edge a pixel's own would be another's.
        variance = local_energy(jnp.sqrt(jnp.maximum(variance, 0))[None], reach, settings.window)
        added = noise_energy(kernels, scales, overlap, reduction)
        energies = jnp.maximum(energies - added[:, None, None] * variance, 0)
    return energies, reduced, scales


def _reduced_tiles(views, kernels, settings) -> tuple[int, Overlap, int]:
    """By what factor the views are reduced, the tiles of the reduced views, and the kernels' reach there."""
    reduction = reduction_factor(kernels, settings)
    reach = kernel_reach(kernels, REACH) / reduction
    size = (-(-length // reduction) for length in views.shape[1:])
    overlap = Overlap(*size, *kernels.shape[:2], margin=int(np.ceil(2 * reach * settings.farthest)))
    return reduction, overlap, int(np.ceil(reach))


def reduction_factor(kernels: Float[Array, "rows cols views kernel kernel"], settings: FastSettings) -> int:
    """By what factor the views are reduced to find sizes: blur has left nothing in them that is finer."""
    return max(1, round(kernel_deviation(kernels) / settings.blur_per_pixel))


@partial(jax.jit, static_argnames="factor")
def reduce(views: Float[Array, "views height width"], factor: int) -> Float[Array, "views h w"]:
    """Views of a whole factor fewer pixels, low-pass filtered first; last rows repeat to a multiple of it."""
    height, width = views.shape[1:]
    even = jnp.pad(views, ((0, 0), (0, -height % factor), (0, -width % factor)), mode="edge")
    shape = (views.shape[0], even.shape[1] // factor, even.shape[2] // factor)
    return jax.image.resize(even, shape, "linear", antialias=True)


@partial(jax.jit, static_argnames="size")
def enlarge(small: Float[Array, "h w"], size: tuple[int, int]) -> Float[Array, "height width"]:
    """The inverse of `reduce` for maps: bilinear, cut to the image's size."""
    factor = -(-size[0] // small.shape[0])
    whole = jax.image.resize(small, (small.shape[0] * factor, small.shape[1] * factor), "linear")
    return whole[: size[0], : size[1]]


def fronts_widened(defocus: Float[Array, "height width"], radius: int) -> Float[Array, "height width"]:
    """The map with its near surfaces widened by some pixels where they stand in front of others.

    An outline is found to a pixel or two of the reduced views. Light that a blurred outline throws on the
    far side belongs to the near surface, and taken for the far one's it would ring; the other mistake only
    leaves a rim of the far side a little soft.
    """
    nearest = _least(defocus, radius)
    return jnp.where(defocus - nearest > DEPTH_GAP, nearest, defocus)


def least_around(defocus: Float[Array, "height width"], radius: int) -> Float[Array, "height width"]:
    """The map with the smallest size within some pixels, where that is smaller by a little.

    Beside a strong edge the map may run from the edge's own size up to that of a bare surface behind it.
    To undo more blur than an edge has rings along it, to undo less leaves it a little soft. Larger steps are
    fronts, and stay.
    """
    nearest = _least(defocus, radius)
    return jnp.where(defocus - nearest <= DEPTH_GAP, nearest, defocus)


def _least(image, radius):
    size = 2 * radius + 1
    along = jax.lax.reduce_window(image, jnp.inf, jax.lax.min, (size, 1), (1, 1), "SAME")
    return jax.lax.reduce_window(along, jnp.inf, jax.lax.min, (1, size), (1, 1), "SAME")


def layer_scales(defocus: Float[Array, "height width"], layers: int) -> Float[Array, " layers"]:
    """Evenly spaced defocus sizes, farthest first, over the map's range but for 0.5 % at each end."""
    nearest, farthest = jnp.percentile(defocus, jnp.array([0.5, 99.5]))
    return jnp.linspace(jnp.maximum(farthest, nearest + LEAST_RANGE), nearest, layers)


def published_range(layers: Float[Array | np.ndarray, " layers"]) -> tuple[float, float]:
    """Nearest and farthest size for the published method's layers, from those of `layer_scales`.

    None of its layers is quite sharp, and they lie apart.
    """
    nearest = max(float(layers[-1]), LEAST_SIZE)
    return nearest, max(float(layers[0]), nearest + LEAST_RANGE)


@partial(jax.jit, static_argnames="deviation")
def feathered(
    weights: Float[Array, "layers height width"], deviation: float
) -> Float[Array, "layers height width"]:
    """Layer weights with soft outlines: a Gaussian blur of the given standard deviation in pixels."""
    radius = int(3 * deviation + 0.5)
    gaussian = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    gaussian = jnp.asarray(gaussian / gaussian.sum(), weights.dtype)
    pad = ((0, 0), (radius, radius), (radius, radius))
    blurred = jnp.pad(weights, pad, mode="edge")
    blurred = sum(g * blurred[:, n : n + weights.shape[1]] for n, g in enumerate(gaussian))
    return sum(g * blurred[:, :, n : n + weights.shape[2]] for n, g in enumerate(gaussian))


@jax.jit
def alphas_of(weights: Float[Array, "layers height width"]) -> Float[Array, "layers height width"]:
    """Alphas whose transmittances are the weights: ``α_i = t_i / (1 − Σ_{j>i} t_j)``, and ``α_1 = 1``."""
    nearer = jnp.cumsum(weights[::-1], axis=0)[::-1] - weights
    behind = 1 - nearer
    alphas = jnp.where(behind > 1e-6, weights / jnp.maximum(behind, 1e-6), 0)
    return jnp.clip(alphas, 0, 1).at[0].set(1)


@partial(jax.jit, static_argnames="window")
def confidence(
    marginals: Float[Array, "labels height width"], sizes: Float[Array, "height width"], window: float
) -> Float[Array, "height width"]:
    """Where the map can be trusted, in [0, 1]: no other size comes close, and no depth edge does either.

    The lead x of the chosen size, the smallest min-marginal at least two labels away less the smallest of
    all, gives ``x / (1 + x)``. The energies are means over a window, in which surfaces on both sides of an
    outline mix; so that is multiplied by ``exp(−r / EDGE_RANGE)``, r the range of `sizes` within four
    deviations of the `window`. The second factor decides most of the order: textured surfaces have the
    largest leads, and that a size is found to a tenth of a label does not make it right.
    """
    label = jnp.arange(marginals.shape[0])[:, None, None]
    others = jnp.where(jnp.abs(label - marginals.argmin(0)[None]) >= 2, marginals, jnp.inf).min(0)
    lead = others - marginals.min(0)
    smallest, largest = _least(sizes, int(4 * window)), -_least(-sizes, int(4 * window))
    return lead / (1 + lead) * jnp.exp((smallest - largest) / EDGE_RANGE)


def _check_sides(views, kernels, energies, settings, name, noise) -> None:
    """Refuse views that agree better with the kernels the other way round."""
    swapped, _, _ = hypothesis_energies(views[::-1], kernels, settings, noise)
    here, there = float(energies.min(0).mean()), float(swapped.min(0).mean())
    if there < 0.5 * here:
        raise InputError(
            f"views of {name}: left and right look swapped: the other way round, the best hypothesis leaves "
            f"{there:.2g} unexplained instead of {here:.2g}. Expected the left half-aperture's view first, "
            "of a scene at or behind the focus plane. Exchange the two files"
        )


# --- the published way ---


def _solve_published(capture, calibration, settings, checkpoint):
    """The published optimisation, over the range set by hand, or else the one that `fast` finds."""
    # The map is found in either case: it refuses swapped views before hours are spent on them.
    gain, views, kernels = normalised(capture, calibration)
    found = estimate_defocus(views, kernels, FastSettings(), capture.name).defocus
    nearest, farthest = published_range(layer_scales(found, settings.layers))
    settings = replace(settings, nearest=nearest, farthest=farthest)
    if capture.name in published.HAND_SETTINGS:
        by_hand = asdict(published.HAND_SETTINGS[capture.name])
        by_scene = {each: by_hand[each] for each in ("nearest", "farthest", "alpha", "entropy")}
        settings = replace(settings, **by_scene)
    scales = settings.scales
    intensities, alphas, history = published.fit_published(
        capture.views, calibration.kernels, scales, settings, checkpoint
    )
    sharp = published.bilateral_filter(mpi.all_in_focus(intensities, alphas), gain)
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
