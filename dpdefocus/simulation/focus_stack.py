"""Focus stacks: one scene at many focus distances, and the sharp image and depth recovered from them.

The real captures' ground truth was made in this way (Sec. 5.1: 36 slices uniform in dioptres, from the
calibrated focus distance to infinity). Here the exact truth is known as well, so that the method itself can
be judged.

Axes   stacks are [slices, height, width], ordered from infinity to the nearest focus distance.
Units  images are linear, vignetting-corrected; depths and focus distances in dioptres (1/m); windows in
       pixels.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float
from scipy import ndimage

from dpdefocus.simulation import rendering
from dpdefocus.simulation.camera import Camera
from dpdefocus.simulation.scenes import Scene
from dpdefocus.support.errors import InputError
from dpdefocus.support.parabola import take_at, vertex
from dpdefocus.support.progress_bar import progress

# Windows of the focus measure, from fine to coarse: standard deviations in pixels.
WINDOWS = (1.0, 2.0, 4.0, 8.0)

# A peak counts from so many standard deviations of pure noise above the stack's median.
NOISE_DEVIATIONS = 4.0

# A fine window gets half of the trust where it holds this share of the coarsest window's energy.
TRUSTED_ENERGY = 0.1


@dataclass(frozen=True)
class FocusStack:
    """Ordinary captures (left + right) of one scene, and the inverse distance each is focused at."""

    images: Float[np.ndarray, "slices height width"]
    dioptres: Float[np.ndarray, " distances"]

    def __post_init__(self):
        if len(self.dioptres) < 3 or len(self.images) != len(self.dioptres):
            raise InputError(
                f"FocusStack: {len(self.images)} images, {len(self.dioptres)} focus distances; expected as "
                "many of either, and at least 3."
            )
        if np.any(np.diff(self.dioptres) <= 0):
            raise InputError("FocusStack: dioptres must rise from slice to slice.")


@dataclass(frozen=True)
class Recovered:
    """Sharp image and inverse depth from a focus stack, and the confidence in [0, 1] of the depth."""

    all_in_focus: Float[np.ndarray, "height width"]
    dioptres: Float[np.ndarray, "height width"]
    confidence: Float[np.ndarray, "height width"]


def focus_dioptres(nearest: float, slices: int = 36) -> Float[np.ndarray, " slices"]:
    """Focus distances of a stack: uniform in dioptres from infinity (0) to `nearest` metres."""
    if not nearest > 0 or slices < 3:
        raise InputError(f"focus_dioptres: nearest {nearest} m, {slices} slices; expected > 0 and >= 3.")
    return np.linspace(0.0, 1.0 / nearest, slices)


def photograph_stack(scene: Scene, camera: Camera, dioptres, seed: int) -> FocusStack:
    """Capture a scene at each of the focus distances: the sum of both views, corrected for their vignetting.

    Raises:
        InputError: blur that the camera's kernels cannot hold at one of the distances.
    """
    dioptres = np.asarray(dioptres, np.float64)
    lenses = [camera.lens.focused_at(np.inf if value == 0 else 1.0 / value) for value in dioptres]
    nearest = max(lenses, key=lambda lens: lens.gain)
    slices = rendering.slice_counts(scene.mattes, np.asarray(nearest.radius(scene.dioptres), np.float32))
    vignetting = camera.vignetting(*scene.frame)
    images = []
    for index, lens in enumerate(progress(lenses, "focus stack")):
        surfaces, at, kernels = rendering.prepare(scene, camera, lens, slices)
        key = jax.random.fold_in(jax.random.key(seed), index)
        formed = rendering.form_capture(*surfaces, at, kernels, vignetting, key, slices, camera.sensor)
        images.append(np.asarray(formed.raw.sum(0) / vignetting.sum(0)))
    return FocusStack(np.stack(images), dioptres)


def focus_measure(
    images: Float[np.ndarray, "slices height width"], window: float
) -> Float[np.ndarray, "slices height width"]:
    """Sum-modified Laplacian (Nayar & Nakagawa, PAMI 1994), squared: local energy of fine detail.

    `(|I_xx| + |I_yy|)^2`, averaged with a Gaussian of standard deviation `window` pixels.
    """
    kernel = np.array([1.0, -2.0, 1.0], images.dtype)
    detail = sum(np.abs(ndimage.convolve1d(images, kernel, axis=axis, mode="nearest")) for axis in (1, 2))
    return ndimage.gaussian_filter(detail**2, (0, window, window), mode="nearest")


def recover(stack: FocusStack) -> Recovered:
    """All-in-focus image and inverse depth of a focus stack.

    Each window's focus measure, scaled to sum to one over the stack, votes for a depth. From coarse to fine,
    a finer window replaces the coarser vote as far as it can be trusted (`_trust`): text keeps sharp edges,
    and blank paper takes the depth of the letters around it. The peak of the vote is refined by the parabola
    through the logarithms of the peak and its neighbours. The sharp image is the stack, interpolated at that
    depth.
    """
    coarse = focus_measure(stack.images, WINDOWS[-1])
    vote = _vote(coarse)
    unsure = np.ones(vote.shape[1:], np.float32)
    for window in WINDOWS[-2::-1]:
        measure = focus_measure(stack.images, window)
        trust = _trust(measure, coarse, window)
        vote += trust * (_vote(measure) - vote)
        unsure *= 1 - trust
    peak = _peak(vote)
    low = np.clip(peak.astype(int), 0, len(stack.dioptres) - 2)
    share = peak - low
    sharp = take_at(stack.images, low) * (1 - share) + take_at(stack.images, low + 1) * share
    depth = np.interp(peak, np.arange(len(stack.dioptres)), stack.dioptres)
    return Recovered(sharp, depth.astype(np.float32), 1 - unsure)


def _vote(measure: Float[np.ndarray, "slices height width"]) -> Float[np.ndarray, "slices height width"]:
    return measure / np.maximum(measure.sum(0), np.finfo(np.float32).tiny)


def _trust(
    measure: Float[np.ndarray, "slices height width"],
    coarse: Float[np.ndarray, "slices height width"],
    window: float,
) -> Float[np.ndarray, "height width"]:
    """Trust in [0, 1] that a fine window's peak is neither noise nor the blur of a neighbour.

    Squared noise has a standard deviation of sqrt(2) times its mean, and a Gaussian window averages 4 pi
    window^2 pixels of it. The trust rises from 0 at NOISE_DEVIATIONS of that above the stack's median to 1 at
    three times as many. Beside a strong edge the window sees little but that edge's blur, which is broadest
    far from focus; it then holds a small part of the energy that the coarse window has.
    """
    peak = measure.max(0)
    contrast = peak / np.maximum(np.median(measure, axis=0), np.finfo(np.float32).tiny)
    noise = NOISE_DEVIATIONS * np.sqrt(2 / (4 * np.pi * window**2))
    stands_out = np.clip((contrast - 1 - noise) / (2 * noise), 0, 1)
    return stands_out * peak / np.maximum(peak + TRUSTED_ENERGY * coarse.max(0), np.finfo(np.float32).tiny)


def _peak(vote: Float[np.ndarray, "slices height width"]) -> Float[np.ndarray, "height width"]:
    """Fractional slice of the largest vote."""
    costs = -np.log(np.maximum(vote, np.finfo(np.float32).tiny))
    middle = np.clip(vote.argmax(0), 1, len(vote) - 2)
    offset, _ = vertex(*(take_at(costs, middle + shift) for shift in (-1, 0, 1)), 1.0)
    return (middle + offset).astype(np.float32)
