"""The two half-apertures: which part of a lens's light each half of a pixel sees, and the kernels they make.

Axes: pupils [rows, cols, views, samples, samples]: a grid of field positions (rows from the top, columns from
the left of the frame), views (left, right), then pupil coordinates y (down) and x (to the right); kernels
[sizes, rows, cols, views, kernel, kernel], each summing to one. Units: pixels; the pupil's radius is one.
Sign: pupil coordinates are those of the kernel at a defocus radius of one: a ray through the pupil at u lands
r u pixels from the ideal image point, so that a negative radius mirrors the kernel.
"""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.data.capture import Calibration
from dpdefocus.optics.kernels import scale_kernels
from dpdefocus.support.errors import InputError


@dataclass(frozen=True)
class Pupil:
    """Transmission of the aperture towards each half-pixel, at each position of a grid over the field.

    `transmission` [rows, cols, views, samples, samples] in [0, 1]; `extent`: the samples run from -extent to
    +extent in units of the aperture's radius. left + right is the whole aperture.
    """

    transmission: np.ndarray
    extent: float

    @property
    def vignetting(self) -> np.ndarray:
        """Light that reaches each view [rows, cols, views], relative to the brightest of all."""
        light = self.transmission.sum((-2, -1))
        return light / light.max()

    def kernel_size(self, radius: float) -> int:
        """The least odd kernel size, in pixels, that contains a blur of this radius."""
        lit = np.nonzero(self.transmission.max((0, 1, 2)) > 0)
        axis = _pupil_axis(self.transmission.shape[-1], self.extent)
        outermost = np.abs(axis[np.concatenate(lit)]).max() + 0.5 * (axis[1] - axis[0])
        return 2 * int(np.ceil(abs(radius) * outermost - 1e-6)) + 1

    def kernels(self, radii, size: int) -> Float[Array, "sizes rows cols views kernel kernel"]:
        """Kernels of this pupil at signed defocus radii [sizes] in pixels, on a square of `size` pixels.

        Raises:
            InputError: an even size, or one too small for the largest radius.
        """
        largest = float(np.max(np.abs(np.asarray(radii))))
        if size % 2 == 0 or size < self.kernel_size(largest):
            raise InputError(
                f"Pupil.kernels: size is {size}; a defocus radius of {largest:.2f} pixels needs an odd "
                f"size of at least {self.kernel_size(largest)}."
            )
        radii = jnp.atleast_1d(jnp.asarray(radii, jnp.float32))
        return pupil_kernels(jnp.asarray(self.transmission), radii, self.extent, size)

    @property
    def whole(self) -> "Pupil":
        """The aperture as an ordinary pixel sees it: both of its views are left + right."""
        both = self.transmission.sum(2, keepdims=True)
        return Pupil(np.repeat(both, 2, axis=2), self.extent)


@dataclass(frozen=True)
class CalibratedPupil:
    """Kernels measured with a real camera in place of a parametric pupil, resized by `scale_kernels`.

    `radius`: the defocus radius, in pixels, at which they were calibrated. White sheets, if there are any,
    give the vignetting; crop them to the part of the frame that the grid of kernels covers.
    """

    calibration: Calibration
    radius: float

    def __post_init__(self):
        if not self.radius:
            raise InputError("CalibratedPupil: radius is 0; kernels taken in focus have no shape to scale.")

    @property
    def vignetting(self) -> np.ndarray:
        """Light that reaches each view [rows, cols, views], relative to the brightest of all."""
        rows, cols = self.calibration.kernels.shape[:2]
        if self.calibration.white is None:
            return np.ones((rows, cols, 2), np.float32)
        bands = np.array_split(self.calibration.white, rows, axis=1)
        cells = [np.array_split(band, cols, axis=2) for band in bands]
        light = np.array([[cell.mean((1, 2)) for cell in row] for row in cells])
        return light / light.max()

    def kernels(self, radii, size: int) -> Float[Array, "sizes rows cols views kernel kernel"]:
        """Kernels at signed defocus radii [sizes] in pixels. `size` must be that of the calibrated kernels.

        Raises:
            InputError: another size.
        """
        own = self.calibration.kernels.shape[-1]
        if size != own:
            raise InputError(
                f"CalibratedPupil.kernels: size is {size}; the calibrated kernels are {own} pixels wide."
            )
        scales = jnp.atleast_1d(jnp.asarray(radii, jnp.float32)) / self.radius
        return jax.jit(scale_kernels)(jnp.asarray(self.calibration.kernels), scales)


@partial(jax.jit, static_argnames=("extent", "size"))
def pupil_kernels(
    transmission: Float[Array, "rows cols views samples samples"],
    radii: Float[Array, " sizes"],
    extent: float,
    size: int,
) -> Float[Array, "sizes rows cols views kernel kernel"]:
    """Blur kernels `k(p) = sum_u W(u) hat(p - r u) / sum_u W(u)`, differentiable in the radius and the pupil.

    Each pupil sample is a ray that lands r u from the ideal point; `hat` splits it bilinearly among four
    pixels: the blur of the bilinearly interpolated scene. The first moment is kept, so that the centroid is
    exactly r times the pupil's, and the kernel tends to a delta as r tends to zero. The hat is separable: two
    small matrix products for each kernel.
    """
    u, spacing = jnp.linspace(-extent, extent, transmission.shape[-1], retstep=True)
    # Four rays across each sample: large blurs stay smooth, without moiré between samples and pixels.
    rays = u[:, None] + spacing * jnp.array([[-0.375, -0.125, 0.125, 0.375]])
    pixels = (jnp.arange(size) - size // 2).astype(jnp.float32)
    weights = transmission / transmission.sum((-2, -1), keepdims=True)

    def one_size(radius):
        hat = jnp.maximum(0.0, 1.0 - jnp.abs(radius * rays[:, :, None] - pixels[None, None, :])).mean(1)
        return jnp.einsum("ap,rcvab,bq->rcvpq", hat, weights, hat, precision=jax.lax.Precision.HIGHEST)

    return jax.lax.map(one_size, radii)


def half_discs(rows: int = 1, cols: int = 1, samples: int = 129) -> Pupil:
    """An ideal dual pixel behind a round aperture: each view sees exactly one half of the disc."""
    x, y, spacing = _pupil_plane(samples, 1.0)
    disc = _ramp((1.0 - np.hypot(x, y)) / spacing)
    left = disc * _ramp(-x / spacing)
    return _uniform(left, disc - left, rows, cols, 1.0)


def translating_disc(rows: int = 1, cols: int = 1, samples: int = 129) -> Pupil:
    """Translating-disc kernels, after Punnappurath et al. (ICCP 2020), symmetric between the views.

    A disc that slides sideways over the aperture covers each point for a time that falls linearly along its
    row, from the view's own rim to the opposite one: `left = (h - x) / 2h` with `h = sqrt(1 - y^2)`. Each row
    is scaled (by 2h) so that left + right is the disc.
    """
    x, y, spacing = _pupil_plane(samples, 1.0)
    disc = _ramp((1.0 - np.hypot(x, y)) / spacing)
    half_chord = np.sqrt(np.maximum(1.0 - y * y, spacing))
    left = disc * np.clip(0.5 - 0.5 * x / half_chord, 0.0, 1.0)
    return _uniform(left, disc - left, rows, cols, 1.0)


def butterworth(order: float = 6.0, rows: int = 1, cols: int = 1, samples: int = 161) -> Pupil:
    """Kernels with a Butterworth edge, `1 / (1 + rho^(2 order))`, after Abuolaim et al. (ICCV 2021).

    The views share the light along a linear ramp across the aperture. The tails are cut at 1.5 radii.
    """
    if order < 1:
        raise InputError(f"butterworth: order is {order}; expected 1 or more (higher is a harder edge).")
    x, y, _ = _pupil_plane(samples, 1.5)
    rho = np.hypot(x, y)
    edge = np.where(rho <= 1.5, 1.0 / (1.0 + rho ** (2.0 * order)), 0.0)
    left = edge * np.clip(0.5 - 0.5 * x, 0.0, 1.0)
    return _uniform(left, edge - left, rows, cols, 1.5)


def field_varying(
    rows: int = 6,
    cols: int = 8,
    *,
    edge: float = 0.35,
    split_softness: float = 1.2,
    split_shift: float = 0.35,
    cats_eye: float = 0.7,
    asymmetry: float = 0.12,
    samples: int = 161,
) -> Pupil:
    """Kernels that vary over the field: cat's-eye vignetting, an asymmetric split and a soft aperture edge.

    The defaults resemble the Pixel 4's 6 x 8 grid (Fig. 4), with its mean disparity at the same defocus; the
    Pixel 4's kernels are a third wider, and grow towards the sides of the frame, where these are cut. For the
    field position h (unit: half the frame's diagonal), with u = (x, y) in the pupil and S a smooth step from
    0 to 1:

        aperture(u) = S(1 - |u|) S(1.1 - |u + cats_eye h|)
        left(u)     = aperture(u) (1 - S(x + split_shift h_x)) (1 + asymmetry y h_y),   right(u) = the rest

    Args:
        edge: half the width of the aperture's soft edge, in radii.
        split_softness: half the width of the transition between the views, in radii.
        split_shift: how far the line between the views moves, in radii, from the centre of the field to a
            side.
        cats_eye: how far the lens barrel's rim moves over the pupil, in radii, from the centre to a corner.
        asymmetry: how much the split differs between the pupil's upper and lower half away from the centre.
    """
    if rows < 1 or cols < 1:
        raise InputError(f"field_varying: a grid of {rows} x {cols}; expected at least 1 x 1 kernels.")
    if not (0 < edge < 1 and split_softness > 0 and 0 <= cats_eye < 1 and 0 <= asymmetry < 1):
        raise InputError(
            f"field_varying: edge {edge}, split_softness {split_softness}, cats_eye {cats_eye}, asymmetry "
            f"{asymmetry}; expected edge in (0, 1), split_softness > 0, cats_eye and asymmetry in [0, 1)."
        )
    extent = 1.0 + edge
    x, y, _ = _pupil_plane(samples, extent)
    transmission = np.empty((rows, cols, 2, samples, samples), np.float32)
    for row in range(rows):
        for col in range(cols):
            hx, hy = _field_position(row, col, rows, cols)
            aperture = _smooth_step((1.0 - np.hypot(x, y)) / edge)
            aperture = aperture * _smooth_step((1.1 - np.hypot(x + cats_eye * hx, y + cats_eye * hy)) / edge)
            share = _smooth_step(-(x + split_shift * hx) / split_softness)
            left = aperture * np.clip(share * (1.0 + asymmetry * y * hy), 0.0, 1.0)
            transmission[row, col] = left, aperture - left
    return Pupil(transmission, extent)


def _pupil_axis(samples, extent):
    return np.linspace(-extent, extent, samples)


def _pupil_plane(samples, extent):
    axis = _pupil_axis(samples, extent)
    x, y = np.meshgrid(axis, axis)
    return x, y, axis[1] - axis[0]


def _field_position(row, col, rows, cols):
    """Centre of a cell of the grid, from the frame's centre, in half diagonals of a frame of square cells."""
    half_diagonal = 0.5 * np.hypot(rows, cols)
    return (col + 0.5 - cols / 2) / half_diagonal, (row + 0.5 - rows / 2) / half_diagonal


def _ramp(distance):
    """Fraction of a pupil sample on the inner side of an edge, from its distance in samples."""
    return np.clip(distance + 0.5, 0.0, 1.0)


def _smooth_step(t):
    """0 below -1, 1 above 1, and a cubic between."""
    t = np.clip(0.5 + 0.5 * t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _uniform(left, right, rows, cols, extent):
    pair = np.stack([left, right]).astype(np.float32)
    return Pupil(np.broadcast_to(pair, (rows, cols, *pair.shape)).copy(), extent)
