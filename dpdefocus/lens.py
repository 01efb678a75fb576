"""The lens in front of a dual-pixel sensor: how large the blur is, and which half-aperture shapes it.

Axes   pupils are [rows, cols, views, samples, samples]: a grid of field positions (rows from the top, columns
       from the left of the frame), views = (left, right), then pupil coordinates y (down) and x (to the
       right). Kernels are [sizes, rows, cols, views, kernel, kernel], each sums to one.
Units  lengths in metres, distances from the lens; inverse distances in dioptres (1/m); defocus radii in
       pixels.
Sign   the defocus radius is positive behind the focus plane and negative in front of it. Pupil coordinates
       are those of the kernel at a positive radius of one: a ray through the pupil at u lands r u pixels from
       the ideal image point. A negative radius therefore mirrors the kernel, as it must.
"""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.data import Calibration
from dpdefocus.errors import InputError
from dpdefocus.optics import scale_kernels

__all__ = [
    "Lens",
    "Pupil",
    "CalibratedPupil",
    "PIXEL4",
    "PIXEL4_CALIBRATION_DISTANCE",
    "thin_lens",
    "half_discs",
    "translating_disc",
    "butterworth",
    "field_varying",
    "pupil_kernels",
]


def thin_lens(focal_length, f_number, focus_distance, pixel_pitch):
    """A and B of the defocus radius `d = A + B / Z` in pixels (Sec. 3; after Garg et al., ICCV 2019).

    A point at Z is imaged sharply at `v = f Z / (Z - f)`, the sensor stands at `v_s = f s / (s - f)`. The
    cone through an aperture of diameter `D = f / N` meets the sensor in a disc of diameter `D |v_s - v| / v`,
    which is `D v_s |1/s - 1/Z|`. Its signed radius, divided by the pitch, is linear in 1/Z:

        A = f / (2 N p) * f / (s - f),   B = -A s.

    All lengths in metres. Differentiable in every argument; the arguments are not checked (`Lens` checks
    them).
    """
    a = focal_length / (2.0 * f_number * pixel_pitch) * focal_length / (focus_distance - focal_length)
    return a, -a * focus_distance


@dataclass(frozen=True)
class Lens:
    """A thin lens focused at one distance in front of a sensor: everything that fixes `d = A + B / Z`.

    Args:
        focal_length: metres.
        f_number: focal length over aperture diameter; at least 0.5, the limit of a lens in air.
        focus_distance: metres from the lens to the plane in focus, beyond the focal length; may be infinite.
        pixel_pitch: metres between the centres of neighbouring pixels.

    Raises:
        InputError: a value that no lens can have, named with what was expected.
    """

    focal_length: float
    f_number: float
    focus_distance: float
    pixel_pitch: float

    def __post_init__(self):
        for name in ("focal_length", "f_number", "focus_distance", "pixel_pitch"):
            value = getattr(self, name)
            if not value > 0 or (name != "focus_distance" and not np.isfinite(value)):
                raise InputError(
                    f"Lens: {name} is {value}; expected a positive number"
                    f"{'' if name == 'f_number' else ' of metres (4.38 mm is 4.38e-3)'}."
                )
        if self.f_number < 0.5:
            raise InputError(
                f"Lens: f_number {self.f_number} asks for an aperture of "
                f"{self.focal_length / self.f_number:.4g} m, wider than a focal length of "
                f"{self.focal_length:.4g} m allows; the f-number of a lens in air is at least 0.5."
            )
        if self.focus_distance <= self.focal_length:
            raise InputError(
                f"Lens: focus_distance {self.focus_distance} m is not beyond the focal length "
                f"{self.focal_length} m: no real image is formed. Both are in metres."
            )

    @property
    def gain(self) -> float:
        """Defocus radius per dioptre away from focus, in pixels: `d = gain (1/s - 1/Z)`, so `gain = -B`."""
        aperture_radius = self.focal_length / (2.0 * self.f_number)
        sensor_distance = self.focal_length / (1.0 - self.focal_length / self.focus_distance)
        return aperture_radius * sensor_distance / self.pixel_pitch

    @property
    def coefficients(self) -> tuple[float, float]:
        """(A, B) of `d = A + B / Z`: A in pixels, B in pixels per dioptre."""
        return self.gain / self.focus_distance, -self.gain

    def radius(self, dioptres):
        """Signed defocus radius in pixels of points at inverse distance `dioptres` (0 is infinitely far).

        Raises:
            InputError: a point at or inside the focal length, or behind the lens. Traced values are not
                checked.
        """
        if not isinstance(dioptres, jax.core.Tracer):
            values = np.asarray(dioptres)
            if not np.all(np.isfinite(values)) or values.min() < 0 or values.max() >= 1 / self.focal_length:
                raise InputError(
                    f"Lens.radius: inverse distances lie in [{values.min():.4g}, {values.max():.4g}] "
                    f"dioptres; expected 0 (infinitely far) up to below {1 / self.focal_length:.4g} "
                    f"(a depth inside the focal length of {self.focal_length} m forms no image)."
                )
        a, b = self.coefficients
        return a + b * dioptres

    def focused_at(self, focus_distance: float) -> "Lens":
        """The same lens and sensor, focused elsewhere; focus breathing (magnification) is left out."""
        return replace(self, focus_distance=focus_distance)


# The main camera of the Pixel 4, read out at half resolution, focused and calibrated as in Sec. 5 and
# Appendix A.
PIXEL4 = Lens(focal_length=4.38e-3, f_number=1.73, focus_distance=0.137, pixel_pitch=2.8e-6)
PIXEL4_CALIBRATION_DISTANCE = 0.45


@dataclass(frozen=True)
class Pupil:
    """Transmission of the aperture towards either half-pixel, for each position of a grid over the field.

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
        """The least odd kernel size, in pixels, that holds a blur of this radius whole."""
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
    """Kernels measured with a real camera in a parametric pupil's place, resized by `optics.scale_kernels`.

    `radius`: the defocus radius, in pixels, that they were calibrated at. White sheets, where there are any,
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

    Each pupil sample is a ray that lands r u from the ideal point; `hat` shares it bilinearly among four
    pixels, which is what blurring the bilinear interpolant of the scene's samples means. It keeps the first
    moment, so that the centroid is exactly r times the pupil's, and tends to a delta as r tends to zero. The
    hat is separable: two small matrix products for each kernel.
    """
    u, spacing = jnp.linspace(-extent, extent, transmission.shape[-1], retstep=True)
    # Four rays across each sample: large blurs stay smooth, without the beat of the samples against the
    # pixels.
    rays = u[:, None] + spacing * jnp.array([[-0.375, -0.125, 0.125, 0.375]])
    pixels = (jnp.arange(size) - size // 2).astype(jnp.float32)
    weights = transmission / transmission.sum((-2, -1), keepdims=True)

    def one_size(radius):
        hat = jnp.maximum(0.0, 1.0 - jnp.abs(radius * rays[:, :, None] - pixels[None, None, :])).mean(1)
        return jnp.einsum("ap,rcvab,bq->rcvpq", hat, weights, hat, precision=jax.lax.Precision.HIGHEST)

    return jax.lax.map(one_size, radii)


def half_discs(rows: int = 1, cols: int = 1, samples: int = 129) -> Pupil:
    """An ideal dual pixel behind a round aperture: either view sees exactly one half of the disc."""
    x, y, spacing = _pupil_plane(samples, 1.0)
    disc = _ramp((1.0 - np.hypot(x, y)) / spacing)
    left = disc * _ramp(-x / spacing)
    return _uniform(left, disc - left, rows, cols, 1.0)


def translating_disc(rows: int = 1, cols: int = 1, samples: int = 129) -> Pupil:
    """Translating-disc kernels, after Punnappurath et al. (ICCP 2020), symmetric between the views.

    A disc slid sideways over the aperture covers each point for a time that falls linearly along its row,
    from the view's own rim to the other: `left = (h - x) / 2h` with `h = sqrt(1 - y^2)`. Scaled by row (by
    2h) so that left + right is the disc.
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

    The defaults are of the kind of the Pixel 4's 6 x 8 grid (Fig. 4), with its mean disparity at the same
    defocus; its kernels are a third wider, and grow towards the sides where these are cut. For the field
    position h (unit: half the frame's diagonal), with u = (x, y) in the pupil and S a smooth step
    from 0 to 1:

        aperture(u) = S(1 - |u|) S(1.1 - |u + cats_eye h|)
        left(u)     = aperture(u) (1 - S(x + split_shift h_x)) (1 + asymmetry y h_y),   right(u) = the rest

    Args:
        edge: half the width of the aperture's soft edge, in radii.
        split_softness: half the width of the hand-over between the views, in radii.
        split_shift: how far the line between the views moves, in radii, from the centre of the field to a
            side.
        cats_eye: how far the lens barrel's rim moves over the pupil, in radii, from the centre to a corner.
        asymmetry: how much the split differs between the pupil's upper and lower half away from the centre.
    """
    if rows < 1 or cols < 1:
        raise InputError(f"field_varying: a grid of {rows} x {cols}; expected at least 1 x 1 kernels.")
    if not (0 < edge < 1 and 0 < split_softness and 0 <= cats_eye < 1 and 0 <= asymmetry < 1):
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
    """Share of a pupil sample on the inner side of an edge, from its distance in samples."""
    return np.clip(distance + 0.5, 0.0, 1.0)


def _smooth_step(t):
    """0 below -1, 1 above 1, and a cubic between."""
    t = np.clip(0.5 + 0.5 * t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _uniform(left, right, rows, cols, extent):
    pair = np.stack([left, right]).astype(np.float32)
    return Pupil(np.broadcast_to(pair, (rows, cols, *pair.shape)).copy(), extent)
