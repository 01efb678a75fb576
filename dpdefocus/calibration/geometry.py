"""From a flat chart to its photograph: a homography, and the lens's radial distortion.

Axes   points are [points, 2] = (x to the right, y down), in both planes.
Units  chart points in millimetres from the chart's centre; image points in pixels, (0, 0) being the centre
       of the first pixel. Radii of the distortion are in half diagonals of the frame, from the optical axis.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from dpdefocus.support.errors import InputError

# Newton steps that invert the distortion: each doubles the number of correct digits, and lenses distort
# little.
INVERSION_STEPS = 6


@dataclass(frozen=True)
class Geometry:
    """The map from chart to photograph, `x = c + (p - c)(1 + k1 r^2 + k2 r^4)` with `p = H X`.

    Args:
        homography: H, from millimetres on the chart to pixels.
        frame: (height, width) of the photograph; half its diagonal is the unit of r.
        distortion: k1, k2; positive values push the corners outwards.
        axis: c, where the optical axis meets the photograph, (x, y) in pixels; by default its middle.
    """

    homography: Float[np.ndarray, "3 3"]
    frame: tuple[int, int]
    distortion: tuple[float, float] = (0.0, 0.0)
    axis: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.homography).all() or abs(np.linalg.det(self.homography)) < 1e-12:
            raise InputError("Geometry: the homography is singular or not finite; it maps no chart to pixels")

    def to_image(self, points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Pixels of points on the chart."""
        return self.distort(_project(self.homography, points))

    def to_chart(self, points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Points on the chart that are seen at these pixels."""
        return _project(self._inverse, self._undistort(points))

    def disc_centroids(
        self, centres: Float[np.ndarray, "points 2"], radii: Float[np.ndarray, " points"]
    ) -> Float[np.ndarray, "points 2"]:
        """Centroids of the discs' images, in pixels; on a tilted chart not the images of the discs' centres.

        A disc of centre m and radius R has the dual conic `C* = [m m^T - R^2 I, m; m^T, 1]`. Its image is
        `H C* H^T`, an ellipse, whose last column holds the centre (Hartley & Zisserman, Sec. 8.3).
        Distortion is taken as even across one disc.
        """
        homogeneous = np.concatenate([centres, np.ones((len(centres), 1))], axis=1)
        dual = homogeneous[:, :, None] * homogeneous[:, None, :]
        dual[:, [0, 1], [0, 1]] -= radii[:, None] ** 2
        image = np.einsum("ij,pj->pi", self.homography, dual @ self.homography[2])
        return self.distort(image[:, :2] / image[:, 2:])

    def shifted(self, top: int, left: int, frame: tuple[int, int]) -> "Geometry":
        """The same map for a part of the photograph whose first pixel is (top, left)."""
        move = np.array([[1.0, 0.0, -left], [0.0, 1.0, -top], [0.0, 0.0, 1.0]])
        share = (np.hypot(*frame) / np.hypot(*self.frame)) ** 2
        k1, k2 = self.distortion
        axis = tuple(float(place) for place in self._centre - [left, top])
        return Geometry(move @ self.homography, frame, (k1 * share, k2 * share**2), axis)

    @cached_property
    def _inverse(self) -> np.ndarray:
        return np.linalg.inv(self.homography)

    @property
    def _centre(self) -> np.ndarray:
        return (np.array(self.frame[::-1]) - 1) / 2 if self.axis is None else np.array(self.axis)

    def distort(self, points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Pixels of a pinhole image's points after the lens's distortion."""
        k1, k2 = self.distortion
        offset = points - self._centre
        square = (offset**2).sum(1, keepdims=True) / (0.25 * np.sum(np.square(self.frame)))
        return self._centre + offset * (1 + square * (k1 + square * k2))

    def _undistort(self, points: np.ndarray) -> np.ndarray:
        """The inverse of ``distort``, by Newton's method on the distance from the centre."""
        k1, k2 = self.distortion
        if not (k1 or k2):
            return points
        offset = points - self._centre
        seen = np.hypot(*offset.T)[:, None] / (0.5 * np.hypot(*self.frame))
        true = seen
        for _ in range(INVERSION_STEPS):
            square = true**2
            excess = true * (1 + square * (k1 + square * k2)) - seen
            true = true - excess / (1 + square * (3 * k1 + 5 * square * k2))
        return self._centre + offset * np.where(seen > 0, true / np.maximum(seen, 1e-12), 1.0)


def _project(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = points @ homography[:, :2].T + homography[:, 2]
    return image[:, :2] / image[:, 2:]
