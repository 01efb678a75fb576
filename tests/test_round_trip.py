"""A simulated scene through files, the loader of real captures and the default solver: against the truth."""

import numpy as np
import pytest

import dpdefocus as dp
from dpdefocus import data, evaluation, simulation

HEIGHT, WIDTH = 360, 480


def written_and_read(shot, folder):
    shot.write(folder)
    left, right = (folder / f"{view}.png" for view in data.VIEWS)
    return data.load_capture(left, right, folder / "calibration")


@pytest.fixture(scope="module")
def depths():
    """Four textured surfaces side by side, evenly spaced from 0.1 to 1.4 times the calibrated blur."""
    camera = simulation.small_camera()
    a, b = camera.lens.coefficients
    dioptres = (np.linspace(1.4, 0.1, 4) * camera.calibration_radius - a) / b
    texture = simulation.natural(np.random.default_rng(0), (HEIGHT, WIDTH))
    steps = np.repeat(dioptres, WIDTH // 4)[None] * np.ones((HEIGHT, 1))
    scene = simulation.from_image(texture, steps, camera.kernel_size // 2, layers=4)
    return simulation.photograph(scene, camera, 0)


def test_simulated_capture_from_files_is_solved_by_the_default_preset(depths, tmp_path):
    result = dp.solve(*written_and_read(depths, tmp_path))
    everywhere = np.ones((HEIGHT, WIDTH), bool)
    truth = (depths.all_in_focus, depths.defocus_map, everywhere)
    scores = evaluation.score(result.all_in_focus, result.defocus_map, truth)
    # Truth in scales, a range of 1.3: a stricter unit than the real maps' range of 1.
    assert scores["aiwe1"] < 0.03
    # The scale itself is found, too, not only up to an affine map.
    for surface, scale in enumerate(np.linspace(1.4, 0.1, 4)):
        found = np.median(result.defocus_map[depths.labels == surface])
        assert found == pytest.approx(scale, abs=0.05)
    blurred = evaluation.score(depths.views.mean(0), result.defocus_map, truth)
    assert scores["psnr"] > blurred["psnr"]


def test_what_is_read_is_what_was_simulated(depths, tmp_path):
    capture, calibration = written_and_read(depths, tmp_path)
    np.testing.assert_array_equal(calibration.kernels, depths.kernels)
    np.testing.assert_allclose(capture.views[0], depths.views[0], atol=1e-6)
    # The right view's vignetting is known from white sheets of 14 bits, and smoothed: to within the noise.
    error = np.abs(capture.views[1] - depths.views[1])
    assert error.max() < 1e-3 and error.mean() < 1e-4
