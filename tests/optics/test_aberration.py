"""Resized copies of kernels: good where the lens only scales its pupil, and where not."""

import numpy as np
import pytest

from dpdefocus import optics
from dpdefocus.support.errors import InputError

SIZE = 31
PUPIL = optics.field_varying(1, 1, samples=61)


def test_without_aberration_the_kernels_are_the_pupil_s():
    """Two ways to the same kernels: single rays, and the matrix products of `lens`."""
    radii = np.array([4.0, -6.5])
    rays = optics.aberrated_kernels(PUPIL, radii, 0.0, SIZE)
    assert np.abs(rays - np.asarray(PUPIL.kernels(radii, SIZE))).max() < 0.01 * rays.max()


def test_rays_land_where_they_should():
    """One ray at u = (0.5, 0): r u + a |u|² u."""
    transmission = np.zeros((1, 1, 2, 5, 5), np.float32)
    transmission[..., 2, 3] = 1
    kernel = optics.aberrated_kernels(optics.Pupil(transmission, 1.0), np.array([6.0]), 8.0, SIZE)
    column = (kernel[0, 0, 0, 0].sum(0) * np.arange(SIZE)).sum() - SIZE // 2
    # The sample is half a unit wide, of three rays: the mean of u is 0.5, that of u |u|² a little more.
    u = 0.5 + 0.5 * np.array([-1, 0, 1]) / 3
    cubes = np.mean([a * (a * a + b * b) for a in u for b in u - 0.5])
    assert column == pytest.approx(6 * 0.5 + 8 * cubes, abs=1e-4)


def test_a_perfect_lens_scales_on_both_sides_of_focus():
    found = optics.predict(PUPIL, 8.0, np.array([5.0, 8.0, 9.0, -8.0]), 0.0, SIZE)
    assert found.errors.max() < 0.06
    assert found.errors[1].max() < 1e-5


def test_aberration_spoils_the_copies_on_the_other_side():
    found = optics.predict(PUPIL, 8.0, np.array([6.0, 9.0, -8.0, -6.0]), 1.0, SIZE)
    behind, front = found.errors[:2].mean(), found.errors[2:].mean()
    assert behind < 0.12 and front > 3 * behind
    # And the same lens, mirrored in the sign of its aberration, has the sides exchanged.
    swapped = optics.predict(PUPIL, -8.0, np.array([-6.0, -9.0, 8.0, 6.0]), -1.0, SIZE)
    assert swapped.errors == pytest.approx(found.errors, abs=1e-3)


def test_depths_and_focus_distances_set_the_radii():
    near = optics.Lens(4.38e-3, 1.73, 0.2, 2.8e-6)
    depths = optics.at_depths(near, PUPIL, 0.5, np.array([0.4, 0.5, 1.0]), 0.3, SIZE)
    assert depths.radii == pytest.approx(near.radius(1 / np.array([0.4, 0.5, 1.0])))
    focus = optics.at_focus_distances(near, PUPIL, 0.5, np.array([0.2, 0.25, 100.0]), 0.3, SIZE)
    assert focus.radii[0] == pytest.approx(depths.radii[1]) and focus.radii[2] < 0
    assert focus.errors[0].max() < 1e-5 and focus.errors[2].mean() > focus.errors[1].mean()


def test_what_cannot_be_predicted_is_refused():
    with pytest.raises(InputError, match="kernels in focus"):
        optics.predict(PUPIL, 0.0, np.array([1.0]), 0.0, SIZE)
    with pytest.raises(InputError, match="needs at least"):
        optics.aberrated_kernels(PUPIL, np.array([20.0]), 0.0, SIZE)
