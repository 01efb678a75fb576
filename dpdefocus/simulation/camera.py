"""The simulated camera: lens, pupil, sensor, and the distance of its calibration.

Units: metres, dioptres, pixels; a sensor's gain is the linear raw value of one photo-electron.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.optics.lens import PIXEL4, PIXEL4_CALIBRATION_DISTANCE, Lens
from dpdefocus.optics.pupil import CalibratedPupil, Pupil, field_varying
from dpdefocus.support.errors import InputError

# Kernels calibrated at a smaller defocus radius (pixels) than this have no shape to scale.
LEAST_CALIBRATION_RADIUS = 0.5


@dataclass(frozen=True)
class Sensor:
    """A raw sensor: Poisson-Gaussian noise, black level, quantisation and saturation.

    The variance of a linear raw value x is `gain x + read_noise^2`. The defaults were measured on the Pixel
    4's released captures (local second differences against the mean), which are averages of bursts and
    therefore have little noise.

    Args:
        gain: linear raw value of one photo-electron, which is also the variance per unit of signal.
        read_noise: standard deviation in linear raw value.
        black_level, white_level: in digital numbers; values are clipped at the white level.
    """

    gain: float = 1.1e-6
    read_noise: float = 1.1e-4
    black_level: int = 1024
    white_level: int = 2**14 - 1

    def __post_init__(self):
        if not self.gain > 0 or not self.read_noise >= 0:
            raise InputError(
                f"Sensor: gain {self.gain}, read_noise {self.read_noise}; expected gain > 0 and "
                "read_noise >= 0."
            )
        if not 0 <= self.black_level < self.white_level < 2**16:
            raise InputError(
                f"Sensor: black_level {self.black_level}, white_level {self.white_level}; expected "
                "0 <= black_level < white_level < 65536."
            )


@dataclass(frozen=True)
class Camera:
    """Lens, pupil and sensor, and the distance at which its calibration kernels are taken.

    Args:
        lens: fixes the defocus radius of each depth.
        pupil: shapes the kernels over the field.
        sensor: noise and raw levels.
        calibration_distance: metres; a point there has defocus scale 1.
        kernel_size: odd, pixels; the simulator refuses scenes whose blur is larger.
    """

    lens: Lens
    pupil: Pupil | CalibratedPupil
    sensor: Sensor
    calibration_distance: float
    kernel_size: int

    def __post_init__(self):
        if (
            self.calibration_distance <= self.lens.focal_length
            or abs(self.calibration_radius) < LEAST_CALIBRATION_RADIUS
        ):
            raise InputError(
                f"Camera: calibration_distance is {self.calibration_distance} m; expected a distance beyond "
                f"the focal length ({self.lens.focal_length} m) other than the focus distance "
                f"({self.lens.focus_distance} m)."
            )

    @property
    def calibration_radius(self) -> float:
        """Signed defocus radius, in pixels, of the calibration kernels."""
        return float(self.lens.radius(1.0 / self.calibration_distance))

    @property
    def calibration_kernels(self) -> Float[Array, "rows cols views kernel kernel"]:
        """The kernels at scale 1, as a solver is given them."""
        return self.pupil.kernels([self.calibration_radius], self.kernel_size)[0]

    def vignetting(self, height: int, width: int) -> Float[Array, "views height width"]:
        """Relative illumination of each view, interpolated between the centres of the pupil's grid."""
        grid = jnp.moveaxis(jnp.asarray(self.pupil.vignetting, jnp.float32), -1, 0)
        return jnp.clip(jax.image.resize(grid, (2, height, width), "cubic"), 0.05, 1.0)


def pixel4_camera(rows: int = 6, cols: int = 8) -> Camera:
    """A camera like the Pixel 4's, for frames of 1008 x 1344 pixels: kernels of 61 pixels on a 6 x 8 grid."""
    return Camera(PIXEL4, field_varying(rows, cols), Sensor(), PIXEL4_CALIBRATION_DISTANCE, 61)


def small_camera(rows: int = 3, cols: int = 4) -> Camera:
    """The Pixel 4's camera with pixels of twice the pitch: blur of half the size, for small frames and short
    lessons.
    """
    lens = Lens(PIXEL4.focal_length, PIXEL4.f_number, PIXEL4.focus_distance, 2 * PIXEL4.pixel_pitch)
    return Camera(lens, field_varying(rows, cols, samples=97), Sensor(), PIXEL4_CALIBRATION_DISTANCE, 31)


def sensor_ceiling(sensor):
    """The linear raw value of the white level."""
    return 1 - sensor.black_level / sensor.white_level


def dioptres_at_scale(camera: Camera, scale: float) -> float:
    """Inverse depth, in dioptres, at which the blur is `scale` times the calibrated one."""
    a, b = camera.lens.coefficients
    return (scale * camera.calibration_radius - a) / b
