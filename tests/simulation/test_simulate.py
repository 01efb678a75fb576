"""Simulated captures: their truth, what is written of them, and the scenes that are refused."""

from dataclasses import replace

import numpy as np
import pytest
from small_scenes import (  # noqa: F401 a fixture
    GRID,
    HALF_DISCS,
    HEIGHT,
    MARGIN,
    OPTICS,
    WIDTH,
    camera,
    cards,
    noise,
    scene_of,
)

from dpdefocus import data, optics, simulation
from dpdefocus.support.errors import InputError

# ---- Truth ---------------------------------------------------------------------------------------


def test_truth_is_that_of_the_surfaces(cards):
    front = len(cards.alphas) - 1 - (cards.alphas[::-1] >= 0.5).argmax(0)
    hard = (cards.alphas == 0) | (cards.alphas == 1)
    np.testing.assert_array_equal(cards.labels[hard.all(0)], front[hard.all(0)])
    seen = np.take_along_axis(cards.intensities, cards.labels[None], 0)[0]
    scale = np.take_along_axis(cards.surface_scales, cards.labels[None], 0)[0]
    unmixed = cards.valid & hard.all(0)
    assert unmixed.mean() > 0.7
    np.testing.assert_allclose(cards.all_in_focus[unmixed], seen[unmixed], atol=1e-6)
    np.testing.assert_allclose(cards.defocus_map[unmixed], scale[unmixed], atol=1e-5)
    assert np.any(~cards.valid) and not np.any(cards.saturated)


def test_both_views_carry_the_left_vignetting_and_differ_from_the_truth_by_noise(cards):
    assert np.ptp(cards.vignetting[0] / cards.vignetting[1]) > 0.1
    error = np.abs(cards.views - cards.clean_views)
    assert np.all(error.mean((1, 2)) < 6e-4) and error.max() < 6e-3


def test_defocus_map_is_signed_and_calibrated_to_one():
    a, b = OPTICS.coefficients
    shot = simulation.photograph(scene_of((noise(), 1, a + b / 0.45)), camera(), 0)
    np.testing.assert_allclose(shot.defocus_map, 1, rtol=1e-5)
    shot = simulation.photograph(scene_of((noise(), 1, -2.0)), camera(), 0)
    np.testing.assert_allclose(shot.defocus_map, -2 / shot.camera.calibration_radius, rtol=1e-4)


def test_occlusion_masks_lie_along_edges_and_differ_between_the_views():
    half = np.clip(0.5 - (np.arange(-MARGIN, WIDTH + MARGIN) - 26.5), 0, 1)[None, :]
    shot = simulation.photograph(scene_of((noise(), 1, 5.0), (0.5, half, 2.5)), camera(HALF_DISCS), 0)
    left, right = shot.occlusion[:, HEIGHT // 2]
    assert left[24:29].any() and right[24:29].any() and not np.array_equal(left, right)
    assert not shot.occlusion[:, :, :22].any() and not shot.occlusion[:, :, 31:].any()


def test_same_seed_same_capture_other_seed_other_noise(cards):
    again, other = (simulation.photograph(cards.scene, cards.camera, seed) for seed in (3, 4))
    np.testing.assert_array_equal(again.views, cards.views)
    np.testing.assert_array_equal(other.clean_views, cards.clean_views)
    assert np.mean(other.raw != cards.raw) > 0.5


def test_demo_capture_is_what_a_solver_expects():
    shot = simulation.demo_capture(1, height=60, width=80)
    assert shot.views.shape == (2, 60, 80) and shot.views.dtype == np.float32
    assert shot.kernels.shape == (3, 4, 2, 31, 31)
    assert shot.defocus_map.min() >= 0.1 - 1e-4 and shot.defocus_map.max() <= 1.4 + 1e-4
    data.Calibration(kernels=shot.kernels)
    data.Capture(views=shot.views, name="demo", saturated=shot.saturated)


def test_saturated_pixels_are_marked():
    scene = scene_of((np.where(noise() > 0.5, 1.0, 0.2), 1, 0.0))
    shot = simulation.photograph(scene, camera(HALF_DISCS), 0)
    np.testing.assert_array_equal(shot.saturated, noise()[MARGIN:-MARGIN, MARGIN:-MARGIN] > 0.5)
    assert not np.any(shot.valid & shot.saturated)


def test_written_capture_is_read_like_a_real_one(tmp_path):
    scene = simulation.cards(0, HEIGHT, WIDTH, MARGIN, 0.3, 6.5, 5)
    shot = simulation.photograph(scene, camera(optics.translating_disc(*GRID, samples=49)), 0)
    folder = shot.write(tmp_path / "shot")
    left, right = folder / "left.png", folder / "right.png"
    capture, calibration = data.load_capture(left, right, folder / "calibration")
    np.testing.assert_allclose(capture.views, shot.views, atol=1e-6)
    np.testing.assert_array_equal(capture.saturated, shot.saturated)
    np.testing.assert_array_equal(calibration.kernels, shot.kernels)
    noise_free = np.abs(capture.views - shot.clean_views)
    assert 0 < noise_free.mean() < 1e-3


# ---- Bad input -----------------------------------------------------------------------------------


def test_blur_larger_than_the_kernels_is_refused():
    with pytest.raises(InputError, match="size"):
        simulation.photograph(scene_of((0.5, 1, -8.5)), camera(HALF_DISCS), 0)


def test_a_scene_with_too_small_a_margin_is_refused():
    scene = simulation.cards(0, HEIGHT, WIDTH, MARGIN - 1, 0.3, 6.5)
    with pytest.raises(InputError, match=f"margin={MARGIN}"):
        simulation.photograph(scene, camera(), 0)


def test_a_depth_inside_the_focal_length_is_refused():
    scene = scene_of((0.5, 1, 0.0))
    with pytest.raises(InputError, match="focal length"):
        simulation.photograph(replace(scene, dioptres=np.full_like(scene.dioptres, 300.0)), camera(), 0)
