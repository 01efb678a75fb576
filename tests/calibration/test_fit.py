"""Kernels from a chart: known ones come back, by weights that held-out pixels choose."""

import numpy as np
import pytest
from charts import GRID, SIZE, discs, random_kernels, small_chart, views_of

from dpdefocus import calibration, data, optics
from dpdefocus.calibration.fit import KernelFitSettings
from dpdefocus.support.errors import InputError


@pytest.fixture(scope="module")
def fitted():
    """Kernels of a lens, as wide as the discs' pitch, from a photograph with a little noise."""
    kernels = np.asarray(optics.field_varying(*GRID, samples=41).kernels([3.5], 15))[0]
    sharp = discs(2 * 44 + 14, 2 * 48 + 14, pitch=13.0, radius=4.0)
    views = views_of(sharp, kernels)
    noise = np.random.default_rng(5).standard_normal(views.shape).astype(np.float32)
    views += np.sqrt(1.1e-6 * views + 1.1e-4**2) * noise
    fit = calibration.fit_kernels(sharp, views, GRID, 15, KernelFitSettings(trial_cells=2))
    return kernels, sharp, views, fit


def test_known_kernels_come_back(fitted):
    kernels, _, _, fit = fitted
    error = np.sqrt(((fit.kernels - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.05
    assert np.abs(optics.centroids(fit.kernels) - optics.centroids(kernels)).max() < 0.1
    assert fit.kernels.min() >= 0 and np.abs(fit.kernels.sum((-2, -1)) - 1).max() < 1e-4
    noise = np.sqrt(1.1e-6 * 0.3 + 1.1e-4**2)
    assert fit.residuals.min() > 0.7 * noise and fit.residuals.max() < 1.5 * noise
    assert fit.gap <= KernelFitSettings().tolerance


def candidates(fit, name):
    """Held-out errors of the candidates for a weight that the rule saw, from the largest weight."""
    middle = KernelFitSettings().compactness[2]
    others = {"smoothness": fit.weights._replace(compactness=middle), "compactness": fit.weights}[name]
    return {
        value: fit.trials[others._replace(**{name: value})] for value in getattr(KernelFitSettings(), name)
    }


def test_each_weight_is_the_largest_that_held_out_pixels_find_as_good_as_the_best(fitted):
    _, _, _, fit = fitted
    for name in ("smoothness", "compactness"):
        errors = candidates(fit, name)
        good = [value for value, error in errors.items() if error <= 1.01 * min(errors.values())]
        assert getattr(fit.weights, name) == max(good) and len(good) < len(errors)


def test_noise_asks_for_more_smoothness_than_the_least_held_out_error(fitted):
    """Two candidates draw the chart alike; the kernels of the one with the least error are far worse."""
    kernels, sharp, views, fit = fitted
    noise = np.random.default_rng(0).standard_normal(views.shape).astype(np.float32)
    loud = views + 0.02 * noise
    chosen = calibration.fit_kernels(sharp, loud, GRID, 15)
    assert chosen.weights.smoothness > fit.weights.smoothness
    errors = candidates(chosen, "smoothness")
    least = min(errors, key=errors.get)
    assert least < chosen.weights.smoothness
    settings = KernelFitSettings(smoothness=(least,), compactness=(chosen.weights.compactness,))
    other = calibration.fit_kernels(sharp, loud, GRID, 15, settings)
    mean = [optics.relative_errors(each.kernels, kernels).mean() for each in (chosen, other)]
    assert mean[0] < 0.8 * mean[1]


def test_a_view_brighter_than_the_chart_gives_the_same_kernels(fitted):
    kernels, sharp, views, fit = fitted
    settings = KernelFitSettings(smoothness=(fit.weights.smoothness,), compactness=(fit.weights.compactness,))
    brighter = calibration.fit_kernels(sharp, 1.01 * views, GRID, 15, settings)
    assert np.abs(brighter.gains - 1.01).max() < 1e-3 and np.abs(fit.gains - 1).max() < 1e-3
    apart = optics.centroids(brighter.kernels) - optics.centroids(kernels)
    assert np.abs(apart).max() < 0.1


def test_unseen_surroundings_and_missing_pixels_are_left_out(fitted):
    kernels, sharp, views, fit = fitted
    settings = KernelFitSettings(smoothness=(fit.weights.smoothness,), compactness=(fit.weights.compactness,))
    cut = sharp[7:-7, 7:-7].copy()
    spoilt = views.copy()
    spoilt[:, 10:14, 60:70] = np.nan
    less = calibration.fit_kernels(cut, spoilt, GRID, 15, settings).kernels
    error = np.sqrt(((less - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.06


def test_centroid_is_where_the_kernel_moves_the_chart():
    sharp = discs(44, 44)
    down_right = np.zeros((1, 1, 2, SIZE, SIZE), np.float32)
    down_right[0, 0, 0, SIZE // 2 + 1, SIZE // 2 + 2] = down_right[0, 0, 1, SIZE // 2, SIZE // 2] = 1
    left = views_of(sharp, down_right)[0]
    assert np.abs(left - np.roll(sharp, (1, 2), (0, 1))[3:-3, 3:-3]).max() < 1e-5
    assert optics.centroids(down_right)[0, 0].tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sharp, views: (sharp, views, GRID, 8), "expected an odd number"),
        (lambda sharp, views: (sharp[3:], views, GRID, SIZE), "as much more on opposite sides"),
        (lambda sharp, views: (sharp, views, (0, 2), SIZE), "expected at least 1 x 1"),
        (lambda sharp, views: (0 * sharp + 0.5, views, GRID, SIZE), r"flat in cell \(0, 0\)"),
        (lambda sharp, views: (sharp, views * np.nan, GRID, SIZE), r"of cell \(0, 0\) only 0%"),
    ],
)
def test_what_cannot_be_fitted_is_named(change, message):
    chart = small_chart()
    with pytest.raises(InputError, match=message):
        calibration.fit_kernels(*change(chart, views_of(chart, random_kernels())))


def test_grades_tell_what_a_kernel_lacks():
    kernel = random_kernels()[0, 0, 0]
    assert all(calibration.grade(kernel, kernel).values())
    shifted = calibration.grade(np.roll(kernel, 1, 0), kernel)
    assert not shifted["centroid within 0.1 pixels"] and not shifted["zero on the rim"]
    dimmer = calibration.grade(0.99 * kernel, kernel)
    assert [name for name, good in dimmer.items() if not good] == ["sums to one"]
    with pytest.raises(InputError, match="holds no light"):
        calibration.grade(0 * kernel, kernel)


@pytest.mark.parametrize(
    "wrong",
    [{"smoothness": (1e-3, 1e-2)}, {"compactness": ()}, {"held_out": 1.0}, {"trial_cells": 0}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match="KernelFitSettings"):
        KernelFitSettings(**wrong)


def test_kernels_of_the_pixel4_come_back(pixel4_folder):
    """One of the released grid's cells, 61 pixels wide, with the noise of a real capture."""
    kernels = data.load_calibration(pixel4_folder / "calibration").kernels[3:4, 3:4]
    sharp = discs(168 + 60, 168 + 60, pitch=48.0, radius=15.4)
    views = views_of(sharp, kernels)
    noise = np.random.default_rng(7).standard_normal(views.shape).astype(np.float32)
    views += np.sqrt(1.1e-6 * views + 1.1e-4**2) * noise
    settings = KernelFitSettings(smoothness=(1e-3,), compactness=(1e-4,))
    fit = calibration.fit_kernels(sharp, views, (1, 1), 61, settings)
    error = np.sqrt(((fit.kernels - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.05
    assert np.abs(optics.centroids(fit.kernels) - optics.centroids(kernels)).max() < 0.1
