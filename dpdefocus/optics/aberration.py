"""Error of resized kernels: how well the calibrated ones predict other depths and focus distances.

A perfect lens only scales its pupil: the ray through u lands r u pixels from the image point, at a defocus
radius r of either sign. Spherical aberration adds a displacement that grows with the cube of |u| and does not
depend on focus,

    p(u) = r u + a |u|² u.

So the kernel's shape depends on a / r. On one side of focus it changes slowly as r grows. On the other side
the two terms have opposite signs, and the edge folds over into a bright ring, which no mirrored copy has.

Axes   kernels [sizes, rows, cols, views, size, size], the views (left, right).
Units  radii r and the aberration a in pixels, pupil coordinates in radii of the aperture, distances in
       metres.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Float32

from dpdefocus.optics.kernels import relative_errors, scale_kernels
from dpdefocus.optics.lens import Lens
from dpdefocus.optics.pupil import Pupil
from dpdefocus.support.errors import InputError

RAYS = 3  # along each side of a pupil sample


class Prediction(NamedTuple):
    """True kernels, resized copies of the calibrated ones, and the relative L2 error of each copy.

    `radii`: defocus radius of each, pixels, negative in front of the plane in focus.
    """

    radii: Float[np.ndarray, " sizes"]
    true: Float32[np.ndarray, "sizes rows cols 2 size size"]
    copies: Float32[np.ndarray, "sizes rows cols 2 size size"]
    errors: Float[np.ndarray, "sizes rows cols 2"]


def aberrated_kernels(
    pupil: Pupil, radii: Float[np.ndarray, " sizes"], aberration: float, size: int
) -> Float32[np.ndarray, "sizes rows cols 2 size size"]:
    """Kernels of a pupil behind a lens with spherical aberration; each ray lands bilinearly in four pixels.

    Raises:
        InputError: a field too small for the rays.
    """
    samples = pupil.transmission.shape[-1]
    centres, spacing = np.linspace(-pupil.extent, pupil.extent, samples, retstep=True)
    within = (np.arange(RAYS) + 0.5) / RAYS - 0.5
    axis = (centres[:, None] + spacing * within).ravel()
    x, y = np.meshgrid(axis, axis)
    shape = pupil.transmission.shape[:3]
    light = pupil.transmission.reshape(-1, samples, samples).repeat(RAYS, 1).repeat(RAYS, 2)
    lit = light.max(0) > 0
    x, y, light = x[lit], y[lit], light[:, lit]
    out = np.empty((len(radii), len(light), size, size), np.float32)
    for index, radius in enumerate(radii):
        stretch = radius + aberration * (x * x + y * y)
        reach = np.abs(np.stack([y, x]) * stretch).max()
        if reach > size // 2:
            raise InputError(
                f"aberrated_kernels: size is {size}; at a radius of {radius:.2f} pixels rays land up to "
                f"{reach:.1f} pixels away, which needs at least {2 * int(np.ceil(reach)) + 1}"
            )
        for number, weights in enumerate(light):
            out[index, number] = _landed(y * stretch, x * stretch, weights, size)
    return (out / out.sum((-2, -1), keepdims=True)).reshape(len(radii), *shape, size, size)


def predict(
    pupil: Pupil, calibrated_at: float, radii: Float[np.ndarray, " sizes"], aberration: float, size: int
) -> Prediction:
    """True kernels at some radii, and those that `scale_kernels` predicts from one calibrated radius.

    Raises:
        InputError: kernels calibrated in focus, or a field too small.
    """
    if calibrated_at == 0:
        raise InputError("predict: calibrated_at is 0; kernels in focus have no shape to resize")
    radii = np.asarray(radii, np.float64)
    calibrated = aberrated_kernels(pupil, np.array([calibrated_at]), aberration, size)[0]
    true = aberrated_kernels(pupil, radii, aberration, size)
    scales = jnp.asarray(radii / calibrated_at, jnp.float32)
    copies = np.asarray(scale_kernels(jnp.asarray(calibrated), scales))
    return Prediction(radii, true, copies, relative_errors(copies, true))


def at_depths(
    lens: Lens,
    pupil: Pupil,
    calibration_distance: float,
    distances: Float[np.ndarray, " sizes"],
    aberration: float,
    size: int,
) -> Prediction:
    """One focus distance, points at several distances (Fig. 11a)."""
    radii = lens.radius(1 / np.asarray(distances))
    return predict(pupil, float(lens.radius(1 / calibration_distance)), radii, aberration, size)


def at_focus_distances(
    lens: Lens,
    pupil: Pupil,
    calibration_distance: float,
    focus_distances: Float[np.ndarray, " sizes"],
    aberration: float,
    size: int,
) -> Prediction:
    """Points at the calibration distance, the lens focused at several distances (Fig. 11b)."""
    inverse = 1 / calibration_distance
    radii = np.array([lens.focused_at(float(focus)).radius(inverse) for focus in focus_distances])
    return predict(pupil, float(lens.radius(inverse)), radii, aberration, size)


def _landed(y, x, weights, size):
    """Light of rays that land at (y, x) from the middle pixel, split bilinearly."""
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, across = y - top, x - left
    image = np.zeros((size + 1) ** 2)
    for step_y, share_y in ((0, 1 - down), (1, down)):
        for step_x, share_x in ((0, 1 - across), (1, across)):
            place = (top + step_y + size // 2) * (size + 1) + left + step_x + size // 2
            image += np.bincount(place, weights * share_y * share_x, minlength=image.size)
    return image.reshape(size + 1, size + 1)[:size, :size]
