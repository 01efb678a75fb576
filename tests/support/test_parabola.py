"""The minimum of samples against polynomials fitted by NumPy."""

import numpy as np

from dpdefocus.support.parabola import fit_parabola, take_at, vertex


def test_vertex_is_that_of_the_polynomial_through_the_samples():
    before, here, after = np.random.default_rng(0).random((3, 50))
    offset, bend = vertex(before, here, after, 1.0)
    for n in range(50):
        curvature, slope, _ = np.polyfit([-1, 0, 1], [before[n], here[n], after[n]], 2)
        if curvature > 0:
            np.testing.assert_allclose(offset[n], np.clip(-slope / (2 * curvature), -1, 1), atol=1e-9)
            np.testing.assert_allclose(bend[n], 2 * curvature, atol=1e-9)
        else:
            assert offset[n] == np.sign(before[n] - after[n])


def test_flat_samples_have_their_minimum_in_the_middle():
    samples = np.ones((5, 3), np.float32)
    found = fit_parabola(samples, np.arange(5, dtype=np.float32))
    assert set(found.size) == {0} and found.curvature.max() < 1e-30 and set(found.lowest) == {1}


def test_samples_of_any_shape_each_at_its_own_minimum():
    sizes, lowest = np.arange(0.0, 4.01, 0.25), np.array([[1.1, 2.0], [3.3, 0.4]])
    found = fit_parabola(0.5 + 3 * (sizes[:, None, None] - lowest) ** 2, sizes)
    np.testing.assert_allclose(found.size, lowest)
    np.testing.assert_allclose(found.curvature, 3)
    np.testing.assert_allclose(found.lowest, 0.5)


def test_each_pixel_is_taken_at_its_own_index():
    stack, index = np.random.default_rng(1).random((4, 3, 5)), np.random.default_rng(2).integers(0, 4, (3, 5))
    taken = take_at(stack, index)
    assert all(taken[place] == stack[(index[place], *place)] for place in np.ndindex(3, 5))
