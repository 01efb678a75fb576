"""The map from chart to photograph and back, with and without lens distortion."""

import numpy as np
import pytest

from dpdefocus.calibration.geometry import Geometry
from dpdefocus.calibration.simulated_photographs import tilted_screen
from dpdefocus.support.errors import InputError


@pytest.mark.parametrize("distortion", [(0.0, 0.0), (0.05, -0.02), (-0.08, 0.0)])
def test_geometry_goes_there_and_back(distortion):
    geometry = tilted_screen((300, 400), 3.0, distortion=distortion)
    pixels = np.random.default_rng(0).uniform(0, [399, 299], size=(200, 2))
    np.testing.assert_allclose(geometry.to_image(geometry.to_chart(pixels)), pixels, atol=1e-6)
    part = geometry.shifted(101, 90, (100, 187))  # not from the middle, and odd
    np.testing.assert_allclose(part.to_chart(pixels - [90, 101]), geometry.to_chart(pixels), atol=1e-6)
    inner = part.shifted(3, 5, (50, 61))
    np.testing.assert_allclose(inner.to_chart(pixels - [95, 104]), geometry.to_chart(pixels), atol=1e-6)


def test_distortion_moves_the_corner_by_k1_and_k2_and_not_the_centre():
    bent = Geometry(np.eye(3), (101, 201), (0.03, 0.01))
    half = np.hypot(101, 201) / 2
    points = np.array([[100.0, 50.0], [100.0 + half, 50.0]])
    np.testing.assert_allclose(bent.to_image(points), [[100, 50], [100 + 1.04 * half, 50]])


def test_a_flat_chart_needs_a_homography_that_can_be_inverted():
    with pytest.raises(InputError, match="the homography is singular"):
        Geometry(np.diag([1.0, 1.0, 0.0]), (10, 10))
