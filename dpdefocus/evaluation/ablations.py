"""Ablations: both methods with one part left out, to see what each part is good for (Table 2, Fig. 8).

`PUBLISHED` and `FAST` hold them as data: the five parts that the paper leaves out one at a time, and those
that the default preset relies on. A part is left out by other settings, or by another function in place of a
step of the pipeline (`fast.Steps`): an ablation and `solve` run the same functions. Compiled code serves from
one ablation to the next: weights are traced, and tiles keep their shape.

Axes: images [height, width]; layers back to front. Units: linear raw in [0, 1]; defocus in units of the
calibrated kernels. Scores are those of `metrics`, and ``size``, the mean defocus size less the true one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.data.capture import GroundTruth
from dpdefocus.evaluation.cases import FARTHEST, NEAREST, Case
from dpdefocus.evaluation.metrics import score
from dpdefocus.fast.deconvolution import tile_margin
from dpdefocus.fast.defocus import DefocusEstimate, estimate_defocus
from dpdefocus.fast.layers import layer_scales, layer_weights
from dpdefocus.fast.noise import NoiseModel
from dpdefocus.fast.settings import FastSettings
from dpdefocus.fast.solve import Steps, solve_fast
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.paper.solve import solve_published
from dpdefocus.support.errors import InputError
from dpdefocus.support.nested import adjust

# +1 where more is better. A map that noise has pulled to small blur has too low a size.
BETTER = {"psnr": 1, "ssim": 1, "mae": -1, "aiwe1": -1, "aiwe2": -1, "spearman": -1, "size": 1}


@dataclass(frozen=True)
class Ablation:
    """One part left out.

    Args:
        name: the part, short.
        does: what the part is there for.
        hurts: the score that should get worse without it, named beforehand. Where it does, and where it does
            not, is in the records of ``benchmarks/``.
        changes: (dotted name of a setting, value that switches the part off).
        steps: (name of a step in `fast.Steps`, function in its place).
    """

    name: str
    does: str = ""
    hurts: str = ""
    changes: tuple[tuple[str, Any], ...] = ()
    steps: tuple[tuple[str, Callable[..., Any]], ...] = ()


FULL = Ablation("full")


# --- steps of the pipeline as they are with a part left out ---


def estimate_without_interpolation(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    settings: FastSettings,
    name: str,
    noise: NoiseModel | None,
) -> DefocusEstimate:
    """`estimate_defocus`, its map rounded to the sizes that were tried."""
    found = estimate_defocus(views, kernels, settings, name, noise)
    tried = settings.energy
    step = (tried.farthest - tried.nearest) / (tried.hypotheses - 1)
    return found._replace(defocus=tried.nearest + step * jnp.round((found.defocus - tried.nearest) / step))


def all_scales_tried(
    defocus: Float[Array, "height width"], settings: FastSettings
) -> Float[Array, " layers"]:
    """Layers over all sizes that are tried, wherever the scene lies."""
    return jnp.linspace(settings.energy.farthest, settings.energy.nearest, settings.layers.count)


# A layer in focus counts as one of a tenth of the calibrated size, whose logarithm is finite.
IN_FOCUS = 0.1


def logarithmic_scales(
    defocus: Float[Array, "height width"], settings: FastSettings
) -> Float[Array, " layers"]:
    """Layers over the map's range, evenly spaced in the logarithm of their size."""
    ends = jnp.log(layer_scales(defocus, settings)[jnp.array([0, -1])] + IN_FOCUS)
    return jnp.exp(jnp.linspace(ends[0], ends[1], settings.layers.count)) - IN_FOCUS


def logarithmic_weights(
    sizes: Float[Array, "height width"], scales: Float[Array, " layers"]
) -> Float[Array, "layers height width"]:
    """`layer_weights` between layers of `logarithmic_scales`."""
    return layer_weights(jnp.log(jnp.maximum(sizes, 0) + IN_FOCUS), jnp.log(scales + IN_FOCUS))


def _unchanged(image: Array, *_: Any) -> Array:
    return image


def _views_as_they_are(views: Array, scales: Array, *_: Any) -> Array:
    return jnp.broadcast_to(views, (len(scales), *views.shape))


PUBLISHED = (
    Ablation(
        "intensity", "little variation in the sharp image and the layers (11)", "psnr", (("intensity", 0.0),)
    ),
    Ablation("alpha", "smooth layers with outlines at edges of the image (12)", "aiwe1", (("alpha", 0.0),)),
    Ablation("entropy", "each pixel belongs to few layers (13)", "aiwe1", (("entropy", 0.0),)),
    Ablation(
        "auxiliary", "each layer explains by itself what is seen of it (9)", "aiwe1", (("auxiliary", 0.0),)
    ),
    Ablation(
        "bias", "noise does not pull the estimate to small blur (5)", "size", (("noise_variance", 0.0),)
    ),
)


def _setting(name: str, does: str, hurts: str, setting: str, value: Any) -> Ablation:
    return Ablation(name, does, hurts, changes=((setting, value),))


def _step(name: str, does: str, hurts: str, **steps: Callable[..., Any]) -> Ablation:
    return Ablation(name, does, hurts, steps=tuple(steps.items()))


FAST = (
    _setting(
        "neighbours",
        "pixels without texture learn from their neighbours",
        "aiwe1",
        "labelling.smoothness",
        0.0,
    ),
    _setting("edges", "depth may jump where the image does", "aiwe1", "labelling.contrast", 1e6),
    _setting("coarse to fine", "messages reach across bare surfaces", "aiwe1", "labelling.sweeps", (12,)),
    _setting(
        "window",
        "a pixel's energy is a mean over its surroundings, against noise",
        "aiwe1",
        "energy.window",
        0.5,
    ),
    _setting(
        "noise floor",
        "energies below the noise of real captures decide nothing",
        "aiwe1",
        "labelling.noise_floor",
        1e-12,
    ),
    _setting(
        "brightness",
        "the views' relative brightness is fitted, region by region",
        "aiwe1",
        "brightness.deviation",
        0.0,
    ),
    _setting(
        "slack", "errors of the calibration decide nothing", "aiwe1", "labelling.calibration_error", 0.0
    ),
    _setting("cap", "the influence of a single pixel is limited", "aiwe1", "labelling.largest_cost", 1e6),
    _setting("hypotheses", "sizes are tried in small steps", "aiwe1", "energy.hypotheses", 6),
    _step(
        "sizes between",
        "a parabola finds sizes between those tried",
        "spearman",
        estimate_defocus=estimate_without_interpolation,
    ),
    _setting("layers", "deconvolution knows many sizes", "psnr", "layers.count", 2),
    _step("range", "layers lie where the scene does", "psnr", layer_scales=all_scales_tried),
    _step(
        "even spacing",
        "layers lie evenly in size, not in its logarithm",
        "psnr",
        layer_scales=logarithmic_scales,
        layer_weights=logarithmic_weights,
    ),
    _step(
        "centred kernels",
        "kernels, measured up to a shift of both views, have their centre in the middle",
        "psnr",
        centre_kernels=_unchanged,
    ),
    _step(
        "filling",
        "covered layers are solved without the light before them",
        "psnr",
        remove_occluders=_views_as_they_are,
    ),
    _step("wide fronts", "near surfaces keep the light of their outlines", "psnr", dilate_fronts=_unchanged),
    _step(
        "restraint",
        "beside strong edges no more blur is removed than around",
        "ssim",
        erode_within_surface=_unchanged,
    ),
    _step("soft outlines", "layers pass softly into each other", "psnr", feather_outlines=_unchanged),
    _setting(
        "misfit",
        "where a layer does not explain the views, less blur is removed",
        "psnr",
        "deconvolution.residual_tolerance",
        1e6,
    ),
    _setting(
        "sparse gradients", "noise and ringing stay small, edges sharp", "ssim", "deconvolution.sparsity", 0.0
    ),
)


class Solved(NamedTuple):
    """What is scored."""

    all_in_focus: Float[np.ndarray, "height width"]
    defocus_map: Float[np.ndarray, "height width"]


def small_settings(height: int, layers: int, iterations: int) -> PublishedSettings:
    """The published constants for a simulated capture of few pixels, between `NEAREST` and `FARTHEST`."""
    whole = PublishedSettings(nearest=NEAREST, farthest=FARTHEST, layers=layers, iterations=iterations)
    return whole.for_frame(height)


def solve_without(part: Ablation, case: Case, settings: FastSettings | PublishedSettings) -> Solved:
    """A capture solved with one part left out of the method the settings belong to; `FULL`: with none."""
    settings = adjust(settings, dict(part.changes))
    if isinstance(settings, FastSettings):
        steps = replace(equal_tiles(settings), **dict(part.steps))
        solved, _ = solve_fast(case.capture, case.calibration, settings, steps)
    else:
        solved, _ = solve_published(case.capture, case.calibration, settings)
    return Solved(np.asarray(solved["all_in_focus"]), np.asarray(solved["defocus_map"]))


def equal_tiles(settings: FastSettings) -> Steps:
    """The pipeline with tiles whose shape does not depend on the capture, so that it is compiled once.

    Their margins are those of the largest size that is tried, not of the largest that is found.
    """
    largest = jnp.array([settings.energy.farthest])
    return Steps(tile_margin=lambda reach, scales: tile_margin(reach, largest))


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
