"""The classical methods of the paper's comparison, each from its own paper's idea, under one set of settings.

`BASELINES` names them. Each makes of a capture and its calibration an `Estimate`: a sharp image, a
defocus map, or both. They try the sizes that the default preset tries, on views reduced as far as it
reduces them, so that they differ in method alone. None of their settings belongs to a scene.

Axes: images [height, width]; views [views, height, width], left first. Units: sharp images linear raw in
[0, 1]; maps in units of the calibrated kernels; lengths of this module in pixels of the reduced views.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32

from dpdefocus.baselines import aggregation, stereo, symmetry
from dpdefocus.baselines.smoothing import guided_filter
from dpdefocus.baselines.wiener import best_sizes, selected
from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture
from dpdefocus.fast.defocus import reduction_factor
from dpdefocus.fast.images import enlarge, reduce
from dpdefocus.fast.settings import FAST
from dpdefocus.fast.solve import at_middle_grey
from dpdefocus.optics.blended_tiles import Overlap
from dpdefocus.optics.kernels import centre_kernels, kernel_reach

Image = Float32[np.ndarray, "height width"]
GUIDED_RADIUS = 16  # pixels
GUIDED_SOFTNESS = 1e-3  # variance of an image whose mean is 0.5


class Estimate(NamedTuple):
    """What a method makes of a capture; None for what it does not."""

    all_in_focus: Image | None = None
    defocus_map: Image | None = None


@dataclass(frozen=True)
class Baseline:
    """A method of the comparison: its name and source, what it takes from the calibration, itself."""

    title: str
    citation: str
    uses: str
    estimate: Callable[[Capture, Calibration], Estimate]


class Prepared(NamedTuple):
    """What all methods start from: views at middle grey, whole and reduced, and centred kernels."""

    gain: float
    views: Float[np.ndarray, "views height width"]
    small: Float[np.ndarray, "views h w"]
    reduction: int
    kernels: Float[np.ndarray, "rows cols views kernel kernel"]
    reach: float
    sizes: Float[np.ndarray, " sizes"]

    @property
    def border(self) -> int:
        """Reduced pixels at the image's edge into which light from outside plays."""
        return int(np.ceil(self.reach / self.reduction))

    def overlap(self, views: Float[np.ndarray, "views h w"], reduction: int) -> Overlap:
        """Tiles for views of this reduction, with margins for the largest size."""
        margin = np.ceil(2 * self.reach / reduction * self.sizes[-1])
        return Overlap(*views.shape[1:], *self.kernels.shape[:2], margin=int(margin))

    def whole(self, small: Float[np.ndarray, "h w"]) -> Image:
        """A map of the reduced views in the size of the views."""
        return np.asarray(enlarge(jnp.asarray(small, jnp.float32), self.views.shape[1:], self.reduction))


def prepare(capture: Capture, calibration: Calibration) -> Prepared:
    """Views and kernels as the default preset has them, and the sizes that it tries."""
    gain, views = at_middle_grey(capture)
    kernels = centre_kernels(jnp.asarray(calibration.kernels))
    reduction = reduction_factor(kernels, FAST)
    small = np.asarray(reduce(views, reduction))
    tried = FAST.energy
    sizes = np.linspace(tried.nearest, tried.farthest, tried.hypotheses, dtype=np.float32)
    reach = kernel_reach(kernels, FAST.reach)
    return Prepared(gain, np.asarray(views), small, reduction, np.asarray(kernels), reach, sizes)


def identity(capture: Capture, calibration: Calibration) -> Estimate:
    """Nothing done: the mean of the views, and a constant map."""
    return Estimate(capture.views.mean(0), np.ones(capture.views.shape[1:], np.float32))


def wiener_selection(capture: Capture, calibration: Calibration) -> Estimate:
    """`wiener`: sizes from the reduced views, the sharp image from the whole ones."""
    scene = prepare(capture, calibration)
    small = best_sizes(
        scene.small,
        scene.kernels,
        scene.sizes,
        scene.overlap(scene.small, scene.reduction),
        scene.reduction,
        scene.border,
    )
    defocus = scene.whole(small)
    sharp = selected(scene.views, scene.kernels, scene.sizes, defocus, scene.overlap(scene.views, 1))
    return Estimate(np.clip(sharp / np.float32(scene.gain), 0, 1), defocus)


def kernel_symmetry(capture: Capture, calibration: Calibration) -> Estimate:
    """`symmetry` on the reduced views."""
    scene = prepare(capture, calibration)
    overlap = scene.overlap(scene.small, scene.reduction)
    small = symmetry.symmetric_sizes(
        scene.small, scene.kernels, scene.sizes, overlap, scene.reduction, scene.border
    )
    return Estimate(None, scene.whole(small))


def dual_pixel_stereo(capture: Capture, calibration: Calibration) -> Estimate:
    """`stereo` on the reduced views, whose shifts are as many times smaller."""
    scene = prepare(capture, calibration)
    return Estimate(None, scene.whole(stereo.matched_sizes(scene.small, _shifts(scene), scene.sizes)))


def continuous_aggregation(capture: Capture, calibration: Calibration) -> Estimate:
    """`aggregation`, its finest scale being the reduced views."""
    scene = prepare(capture, calibration)
    return Estimate(None, scene.whole(aggregation.aggregated_sizes(scene.small, _shifts(scene), scene.sizes)))


def _shifts(scene: Prepared) -> Float[np.ndarray, "2 h w"]:
    return stereo.centroid_shifts(scene.kernels, *scene.small.shape[1:]) / np.float32(scene.reduction)


def guided(estimate: Estimate, capture: Capture) -> Estimate:
    """An estimate with its map filtered, guided by its sharp image, or else by the mean of the views."""
    guide = capture.views.mean(0) if estimate.all_in_focus is None else estimate.all_in_focus
    guide = guide * np.float32(MIDDLE_GREY / capture.views.mean())
    return estimate._replace(
        defocus_map=guided_filter(estimate.defocus_map, guide, GUIDED_RADIUS, GUIDED_SOFTNESS)
    )


BASELINES = {
    "identity": Baseline("blurred photograph, constant map", "none", "nothing", identity),
    "wiener": Baseline(
        "Wiener deconvolution, two observations",
        "Zhou et al. 2009; Tang & Kutulakos 2012",
        "kernels",
        wiener_selection,
    ),
    "symmetry": Baseline("kernel symmetry", "Punnappurath et al. 2020", "kernels", kernel_symmetry),
    "stereo": Baseline("dual-pixel stereo", "Wadhwa et al. 2018", "kernels' centroids", dual_pixel_stereo),
    "cost_aggregation": Baseline(
        "continuous cost aggregation", "Monin et al. 2024", "kernels' centroids", continuous_aggregation
    ),
}
