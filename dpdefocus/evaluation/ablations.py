"""Ablations: both methods with one part left out, to see what each part is good for (paper, Table 2, Fig. 8).

`PUBLISHED` and `FAST` hold them as data: the five parts that the paper leaves out one at a time, and what the
default preset relies on. Most are settings; the others are steps of `solve` that `solve_fast` can skip, which
puts the same public functions together as `solve.solve` does. Compiled code serves from one to the next:
settings are traced, and tiles keep their shape.

Axes: images [height, width]; layers back to front. Units: linear raw in [0, 1]; defocus in units of the
calibrated kernels. Scores are those of `metrics`, and ``size``, the mean defocus size less the true one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture, GroundTruth
from dpdefocus.evaluation.cases import FARTHEST, NEAREST, Case
from dpdefocus.evaluation.metrics import score
from dpdefocus.fast.deconvolution import deblur
from dpdefocus.fast.defocus import REACH, estimate_defocus
from dpdefocus.fast.layers import (
    dilate_fronts,
    erode_within_surface,
    feather_outlines,
    layer_scales,
    layer_weights,
)
from dpdefocus.fast.occlusion import remove_occluders
from dpdefocus.fast.settings import FastSettings
from dpdefocus.fast.solve import at_middle_grey, measure_noise
from dpdefocus.optics import mpi
from dpdefocus.optics.kernels import kernel_reach
from dpdefocus.paper import optimise, solve
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.support.errors import InputError

# +1 where more is better. A map that noise has pulled to small blur has too low a size.
BETTER = {"psnr": 1, "ssim": 1, "mae": -1, "aiwe1": -1, "aiwe2": -1, "spearman": -1, "size": 1}


@dataclass(frozen=True)
class Ablation:
    """One part left out.

    Args:
        name: what is left out, short.
        does: what the part is there for.
        hurts: the score that should get worse without it, said beforehand. Where it does, and where it does
            not, is in the records of ``benchmarks/``.
        changes: settings -> values that switch it off.
        skips: a step of `solve_fast` to leave out instead.
    """

    name: str
    does: str = ""
    hurts: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    skips: str = ""


FULL = Ablation("full")
PUBLISHED = (
    Ablation(
        "intensity", "little variation in the sharp image and the layers (11)", "psnr", (("intensity", 0.0),)
    ),
    Ablation("alpha", "smooth layers with outlines at edges of the image (12)", "aiwe1", (("alpha", 0.0),)),
    Ablation("entropy", "each pixel belongs to few layers (13)", "aiwe1", (("entropy", 0.0),)),
    Ablation(
        "auxiliary", "each layer explains by itself what is seen of it (9)", "aiwe1", (("auxiliary", 0.0),)
    ),
    Ablation("bias", "the pull of noise to small blur is taken off (5)", "size", (("noise_variance", 0.0),)),
)
FAST = (
    Ablation(
        "neighbours", "pixels without texture learn from their neighbours", "aiwe1", (("smoothness", 0.0),)
    ),
    Ablation("edges", "depth may jump where the image does", "aiwe1", (("contrast", 1e6),)),
    Ablation("coarse to fine", "messages reach across bare surfaces", "aiwe1", (("sweeps", (12,)),)),
    Ablation(
        "window",
        "a pixel's energy is a mean over its surroundings, against noise",
        "aiwe1",
        (("window", 0.5),),
    ),
    Ablation(
        "noise floor",
        "energies below the noise of real captures decide nothing",
        "aiwe1",
        (("floor", 1e-12),),
    ),
    Ablation(
        "brightness",
        "the views' relative brightness is fitted, region by region",
        "aiwe1",
        (("brightness", 0.0),),
    ),
    Ablation("slack", "errors of the calibration decide nothing", "aiwe1", (("slack", 0.0),)),
    Ablation("cap", "a single pixel has a limited say", "aiwe1", (("cap", 1e6),)),
    Ablation("hypotheses", "sizes are tried in small steps", "aiwe1", (("hypotheses", 6),)),
    Ablation(
        "sizes between", "a parabola finds sizes between those tried", "spearman", skips="interpolation"
    ),
    Ablation("layers", "deconvolution knows many sizes", "psnr", (("layers", 2),)),
    Ablation("range", "layers lie where the scene does", "psnr", skips="range"),
    Ablation("even spacing", "layers lie evenly in size, not in its logarithm", "psnr", skips="spacing"),
    Ablation(
        "centred kernels",
        "kernels, measured up to a shift of both views, have their centre in the middle",
        "psnr",
        skips="centring",
    ),
    Ablation("filling", "covered layers are solved without the light before them", "psnr", skips="filling"),
    Ablation("wide fronts", "near surfaces keep the light of their outlines", "psnr", skips="widening"),
    Ablation(
        "restraint", "beside strong edges no more blur is undone than around", "ssim", skips="restraint"
    ),
    Ablation("soft outlines", "layers pass softly into each other", "psnr", skips="feathering"),
    Ablation(
        "misfit",
        "where a layer does not explain the views, less blur is undone",
        "psnr",
        (("misfit", 1e6),),
    ),
    Ablation("sparse gradients", "noise and ringing stay small, edges sharp", "ssim", (("sparsity", 0.0),)),
)
PUBLISHED_HEIGHT = 1008  # pixels of the frames that the published weights are made for
STEPS = {each.skips for each in FAST if each.skips}


class Solved(NamedTuple):
    """What is scored."""

    all_in_focus: Float[np.ndarray, "height width"]
    defocus_map: Float[np.ndarray, "height width"]


def solve_fast(capture: Capture, calibration: Calibration, settings: FastSettings, skips: str = "") -> Solved:
    """As `solve.solve` with these settings, but for a step in `STEPS` that may be skipped.

    The tiles' margins are those of the farthest size that is tried, not of the farthest that is found, so
    that their shape does not depend on the capture.
    """
    if skips and skips not in STEPS:
        raise InputError(f"skips: found {skips!r}, expected one of {', '.join(sorted(STEPS))}")
    gain, views, kernels = at_middle_grey(capture, calibration)
    kernels = jnp.asarray(calibration.kernels) if skips == "centring" else kernels
    noise = measure_noise(capture, settings, gain)
    defocus, _, reduction = estimate_defocus(views, kernels, settings, capture.name, noise)
    if skips == "interpolation":
        step = (settings.farthest - settings.nearest) / (settings.hypotheses - 1)
        defocus = settings.nearest + step * jnp.round((defocus - settings.nearest) / step)
    outlined = defocus if skips == "widening" else dilate_fronts(defocus, 2 * reduction)
    if skips != "restraint":
        outlined = erode_within_surface(outlined, int(kernel_reach(kernels, REACH)))
    layers, weights = _layers(defocus, outlined, settings, skips)
    if skips != "feathering":
        weights = feather_outlines(weights, settings.feather)
    sharp = _deblurred(views, kernels, layers, weights, settings, filled=skips != "filling")
    return Solved(np.asarray(jnp.clip(sharp / gain, 0, 1)), np.asarray(defocus))


def _layers(defocus, outlined, settings, skips):
    """Sizes of the layers, and each one's share of each pixel."""
    if skips == "range":
        layers = jnp.linspace(settings.farthest, settings.nearest, settings.layers)
    else:
        layers = layer_scales(defocus, settings.layers)
    if skips != "spacing":
        return layers, layer_weights(outlined, layers)
    # Even in the logarithm of a size; that of a sharp image counts as a tenth of the calibrated one.
    least = 0.1
    even = jnp.linspace(jnp.log(layers[0] + least), jnp.log(layers[-1] + least), settings.layers)
    return jnp.exp(even) - least, layer_weights(jnp.log(jnp.maximum(outlined, 0) + least), even)


def _deblurred(views, kernels, layers, weights, settings, filled):
    # A layer that nothing shows in, at the farthest size, fixes the tiles' shape.
    scales = jnp.concatenate([jnp.array([settings.farthest]), layers])
    shares = jnp.concatenate([jnp.zeros_like(weights[:1]), weights])
    reach = kernel_reach(kernels, REACH)
    as_they_are = jnp.broadcast_to(views, (len(scales), *views.shape))
    behind = remove_occluders(views, scales, shares, reach) if filled else as_they_are
    return deblur(behind, kernels, scales, shares, reach, settings.sparsity, settings.misfit)[0]


def solve_published(
    capture: Capture, calibration: Calibration, settings: PublishedSettings, changes: Mapping[str, Any]
) -> Solved:
    """As the preset ``paper`` with `settings` between their own `nearest` and `farthest`, and some `changes`.

    The changes may be of weights and of the noise, which are traced: all ablations run the same compiled code
    (`published.Schedule` is all that the compiler is told).
    """
    changed = replace(settings, **changes)
    scales = changed.scales
    intensities, alphas, _ = optimise.fit_published(capture.views, calibration.kernels, scales, changed)
    gain = MIDDLE_GREY / float(capture.views.mean())
    sharp = solve.bilateral_filter(mpi.all_in_focus(intensities, alphas), gain)
    return Solved(np.asarray(jnp.clip(sharp, 0, 1)), np.asarray(mpi.defocus_map(alphas, scales)))


def small_settings(height: int, layers: int, iterations: int) -> PublishedSettings:
    """The published constants for a synthetic capture of few pixels, between `NEAREST` and `FARTHEST`.

    The smoothness losses are means over the pixels of what lies along edges and outlines. These take a share
    of the pixels that grows as frames shrink, and the weights of both shrink with the height of the frame.
    """
    share = height / PUBLISHED_HEIGHT
    whole = PublishedSettings(nearest=NEAREST, farthest=FARTHEST, layers=layers, iterations=iterations)
    return replace(whole, intensity=share * whole.intensity, alpha=share * whole.alpha)


def solve_without(part: Ablation, case: Case, settings: FastSettings | PublishedSettings) -> Solved:
    """A capture solved with one part left out of the method the settings belong to; `FULL`: with none."""
    changes = dict(part.changes)
    if isinstance(settings, FastSettings):
        return solve_fast(case.capture, case.calibration, replace(settings, **changes), part.skips)
    return solve_published(case.capture, case.calibration, settings, changes)


def scored(solved: Solved, truth: GroundTruth, same_unit: bool = True) -> dict[str, float]:
    """The six scores of `metrics`, and the mean size: less the truth's, if that is in the `same_unit`."""
    scores = score(*solved, truth)
    size = solved.defocus_map[truth.mask].mean()
    size = size - truth.defocus_map[truth.mask].mean() if same_unit else size
    return {name: float(scores[name]) for name in BETTER if name != "size"} | {"size": float(size)}


class Effect(NamedTuple):
    """What leaving a part out does to one score, over captures: mean, spread, and in how many it is worse.

    `worse` is the mean change for the worse, captures compared each with itself; `spread` its standard
    deviation over the captures; `share` the share of captures in which it is for the worse.
    """

    worse: float
    spread: float
    share: float


def effects(full: Sequence[Mapping[str, float]], without: Sequence[Mapping[str, float]]) -> dict[str, Effect]:
    """The effect on each score, of the same captures in the same order with the part and without it."""
    if len(full) != len(without) or not full:
        raise InputError(f"effects: found {len(full)} and {len(without)} captures; expected the same ones")
    table = {}
    for name, better in BETTER.items():
        change = np.array([better * (a[name] - b[name]) for a, b in zip(full, without, strict=True)])
        spread = change.std(ddof=1) if len(change) > 1 else 0.0
        table[name] = Effect(float(change.mean()), float(spread), float((change > 0).mean()))
    return table
