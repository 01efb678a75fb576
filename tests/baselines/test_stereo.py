"""Dual-pixel stereo: known shifts recovered, costs against a loop, shifts of a calibration."""

import numpy as np
import pytest
from scipy import ndimage
from shifted_views import HEIGHT, RIM, SIZES, WIDTH, constant_shifts, shifted_views, texture

from dpdefocus import baselines, support


@pytest.mark.parametrize("size", [0.5, 0.87, 1.31])
def test_a_known_shift_is_recovered_between_the_sizes_tried(size):
    shifts = constant_shifts(-2.5, 0.4)
    views = shifted_views(texture(), -2.5 * size, 0.4 * size)
    found = baselines.matched_sizes(views, shifts, SIZES)
    error = np.abs(found[RIM:-RIM, RIM:-RIM] - size)
    # In units of the views' distance, a twentieth and a quarter of a pixel.
    assert np.median(error) < 0.01 and error.max() < 0.05


def test_shifts_that_change_over_the_field_give_one_size():
    ramp = np.broadcast_to(np.linspace(1.5, 3.0, WIDTH, dtype=np.float32), (HEIGHT, WIDTH))
    image = texture(1, (HEIGHT, WIDTH))
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    # Views whose every pixel was moved by the ramp's own value there, to first order in its slope.
    views = [
        ndimage.map_coordinates(image, (y, x - sign * 0.8 * ramp), order=5, mode="nearest")
        for sign in (1, -1)
    ]
    shifts = np.stack([np.zeros_like(ramp), ramp])
    found = baselines.matched_sizes(np.stack(views).astype(np.float32), shifts, SIZES)
    assert np.abs(found[8:-8, 16:-16] - 0.8).max() < 0.04
    assert np.ptp(baselines.matched_sizes(np.stack(views), constant_shifts(2.25), SIZES)[8:-8, 16:-16]) > 0.1


def test_costs_are_squared_differences_of_views_shifted_by_whole_pixels():
    views = np.random.default_rng(2).random((2, 6, 9)).astype(np.float32)
    shifts = np.broadcast_to(np.float32([0, 1])[:, None, None], (2, 6, 9)).copy()
    costs = list(baselines.shifted_costs(views, shifts, np.float32([0, 1, 2])))
    for size, cost in enumerate(costs):
        for y in range(6):
            for x in range(2, 7):
                expected = (views[0, y, x + size] - views[1, y, x - size]) ** 2
                assert cost[y, x] == pytest.approx(expected, abs=1e-6)


def test_parabola_is_exact_for_quadratic_costs_also_at_the_ends():
    centre = np.array([[0.0, 0.31, 1.07, 2.0]])
    costs = 3 * (SIZES[:, None, None] - centre) ** 2 + 0.5
    found = support.fit_parabola(costs, SIZES)
    np.testing.assert_allclose(found.size, centre, atol=1e-6)
    np.testing.assert_allclose(found.curvature, 3, rtol=1e-5)
    np.testing.assert_allclose(found.lowest, 0.5, atol=1e-6)


def test_shift_is_half_the_way_between_centroids_and_linear_between_cells():
    kernels = np.zeros((1, 2, 2, 9, 9), np.float32)
    kernels[:, 0, 0, 4, 2] = kernels[:, 0, 1, 4, 6] = 1  # 4 pixels apart, left kernel to the left
    kernels[:, 1, 0, 5, 4] = kernels[:, 1, 1, 3, 4] = 1  # 2 pixels apart, left kernel below
    y, x = baselines.centroid_shifts(kernels, 4, 8)
    np.testing.assert_allclose(x[0], [-2, -2, -1.75, -1.25, -0.75, -0.25, 0, 0])
    np.testing.assert_allclose(y[0], [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])


def test_a_difference_in_brightness_between_the_views_does_not_matter():
    views = shifted_views(texture(3), 2.0)
    views[1] += np.linspace(0, 0.1, WIDTH, dtype=np.float32)
    found = baselines.matched_sizes(views, constant_shifts(2.0), SIZES)
    assert np.abs(found[RIM:-RIM, RIM:-RIM] - 1).max() < 0.03
