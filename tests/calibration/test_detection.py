"""Discs found, ordered and explained by a geometry: whole charts, spoilt ones, and what is no chart."""

import dataclasses

import numpy as np
import pytest

from dpdefocus import calibration
from dpdefocus.calibration.failure import StepError
from dpdefocus.calibration.geometry import Geometry
from dpdefocus.optics.pupil import half_discs

FRAME = (160, 210)
SIZE = 15


@pytest.fixture(scope="module")
def pattern():
    return calibration.Chart(rows=13, cols=17, pitch=10.0, radius=3.2, page=(180.0, 140.0), dpi=60.0)


def kernels(shift=(0, 0)):
    pair = np.asarray(half_discs().kernels([4.5], SIZE)[0], np.float32)
    return np.roll(pair, shift, axis=(-2, -1))


def contrast(pattern, geometry, shift=(0, 0), noise=0.01):
    """Both views of a chart, blurred and with noise, on the scale of black and white."""
    sharp = calibration.render_chart(pattern, geometry, margin=SIZE // 2)
    views = calibration.blur_frame(sharp, kernels(shift), geometry.frame)
    return views.mean(0) + noise * np.random.default_rng(0).normal(size=geometry.frame)


def off(pattern, found, true):
    """Largest distance, in pixels, between where two geometries put what is in the frame."""
    x, y = np.meshgrid(np.arange(0, FRAME[1], 10.0), np.arange(0, FRAME[0], 10.0))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    return np.linalg.norm(found.to_image(true.to_chart(points)) - points, axis=1).max()


@pytest.mark.parametrize("roll", [0.0, 30.0, 95.0, 180.0])
def test_geometry_is_found_at_every_turn_with_the_border_out_of_view(pattern, roll):
    true = calibration.tilted_screen(FRAME, 1.6, tilt=(5.0, -8.0), roll=roll)
    found = calibration.find_chart(contrast(pattern, true), pattern)
    assert off(pattern, found.geometry, true) < 0.1
    assert found.spread < 0.1
    expected = true.disc_centroids(pattern.centres, pattern.radii)
    row, col = (found.indices + [6, 8]).T
    assert np.linalg.norm(found.centroids - expected[row * 17 + col], axis=1).max() < 0.25


def test_a_common_shift_of_the_kernels_goes_into_the_geometry(pattern):
    true = calibration.tilted_screen(FRAME, 1.6)
    found = calibration.find_chart(contrast(pattern, true, shift=(1, 2)), pattern)
    moved = Geometry(np.array([[1, 0, 2.0], [0, 1, 1.0], [0, 0, 1]]) @ true.homography, FRAME)
    assert off(pattern, found.geometry, moved) < 0.1


def test_missing_merged_and_partly_hidden_discs_do_not_matter(pattern):
    true = calibration.tilted_screen(FRAME, 1.6)
    image = contrast(pattern, true)
    whole = calibration.find_chart(image, pattern)
    true.to_image(pattern.centres)
    image[20:60, 20:70] = 0  # hidden
    image[100:106, 20:90] = 0.9  # merged by a reflex
    image[:, 160:163] = 0  # cut in part
    found = calibration.find_chart(image, pattern)
    assert len(found.indices) < len(whole.indices) - 8
    assert off(pattern, found.geometry, true) < 0.25


def test_even_counts_of_discs(pattern):
    even = dataclasses.replace(pattern, rows=12, cols=16)
    true = calibration.tilted_screen(FRAME, 1.6, shift=(0.0, 0.0))
    found = calibration.find_chart(contrast(even, true), even)
    assert off(pattern, found.geometry, true) < 0.1


def test_lens_distortion_is_found_when_asked_for(pattern):
    true = calibration.tilted_screen(FRAME, 1.6, distortion=(0.06, -0.02))
    image = contrast(pattern, true)
    bent = calibration.find_chart(image, pattern, distortion=True)
    assert off(pattern, bent.geometry, true) < 0.2
    assert bent.geometry.distortion[0] == pytest.approx(0.06, abs=0.01)
    assert calibration.find_chart(image, pattern).spread > 3 * bent.spread


def test_otsu_s_threshold_is_the_one_of_least_variance(pattern):
    image = contrast(pattern, calibration.tilted_screen(FRAME, 1.6))
    grey = np.round(np.clip(image, 0, 1) * 255)

    def within(level):
        low, high = grey[grey <= level], grey[grey > level]
        return low.size * low.var() + high.size * high.var()

    best = min(range(10, 240), key=within)
    assert calibration.threshold(image) * 255 == pytest.approx(best + 0.5, abs=1)


@pytest.mark.parametrize(
    ("spoil", "step", "message"),
    [
        (lambda image: image * 0 + 1, "threshold", "no discs stand out"),
        (lambda image: image * 0.1, "threshold", "differ by 0.0"),
        (
            lambda image: np.where(np.indices(image.shape)[1] < 100, 1.0, 0.0),
            "components",
            "found 0 discs among 1",
        ),
        (lambda image: image[::-1], "order", "seen mirrored"),
        (lambda image: image[:70], "order", "found 0 sets of the chart's three markers"),
    ],
)
def test_what_is_no_chart_fails_at_the_step_that_finds_out(pattern, spoil, step, message):
    image = spoil(contrast(pattern, calibration.tilted_screen(FRAME, 1.6, shift=(0.0, 0.0))))
    with pytest.raises(StepError, match=f"{step}: .*{message}") as caught:
        calibration.find_chart(image, pattern)
    assert caught.value.step == step
    assert caught.value.picture.shape == (*image.shape, 3)


def test_scattered_discs_make_no_grid(pattern):
    rng = np.random.default_rng(1)
    y, x = np.indices(FRAME)
    image = np.zeros(FRAME)
    for centre in rng.uniform([10, 10], [150, 200], size=(40, 2)):
        image = np.maximum(image, np.hypot(y - centre[0], x - centre[1]) < 5)
    with pytest.raises(StepError, match="order: "):
        calibration.find_chart(image, pattern)


def test_a_chart_with_more_discs_than_told_is_refused(pattern):
    fewer = dataclasses.replace(pattern, rows=7, cols=7)
    image = contrast(pattern, calibration.tilted_screen(FRAME, 1.6))
    with pytest.raises(StepError, match="order: found discs beyond the chart's 7 x 7"):
        calibration.find_chart(image, fewer)


def test_picture_shows_what_was_found(pattern):
    image = contrast(pattern, calibration.tilted_screen(FRAME, 1.6))
    picture = calibration.picture_of(image, np.array([[100.0, 50.0]]), np.array([[1e9, np.nan]]))
    assert tuple(picture[50, 100]) == calibration.FOUND
    assert np.ptp(picture[5:40, 5:40], axis=2).max() == 0  # grey elsewhere
