"""The thin lens in front of a dual-pixel sensor: how large the blur is, and of which sign.

Units  lengths in metres, distances from the lens; inverse distances in dioptres (1/m); defocus radii in
       pixels.
Sign   the defocus radius is positive behind the focus plane and negative in front of it.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np

from dpdefocus.support.errors import InputError


@dataclass(frozen=True)
class Lens:
    """A thin lens focused at one distance in front of a sensor: everything that fixes `d = A + B / Z`.

    That is the signed defocus radius in pixels of a point at distance Z (Sec. 3; after Garg et al., ICCV
    2019). The point is imaged sharply at `v = f Z / (Z - f)`, and the sensor stands at `v_s = f s / (s - f)`.
    The cone through an aperture of diameter `D = f / N` meets the sensor in a disc of diameter
    `D |v_s - v| / v`, which is `D v_s |1/s - 1/Z|`. Half of it, divided by the pitch p, is linear in 1/Z:

        A = f / (2 N p) f / (s - f),   B = -A s.

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
