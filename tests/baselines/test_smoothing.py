"""Edge-aware smoothing against a dense linear system, and the guided filter against regressions."""

import numpy as np
import pytest

from dpdefocus.baselines.smoothing import edge_aware, guided_filter, smooth_lines
from dpdefocus.support.errors import InputError


def test_each_line_solves_its_linear_system():
    rng = np.random.default_rng(0)
    lines, links = rng.random((3, 8)), 5 * rng.random((3, 7))
    for line, link, solved in zip(lines, links, smooth_lines(lines, links), strict=True):
        system = np.eye(8)
        for n, strength in enumerate(link):
            system[n : n + 2, n : n + 2] += strength * np.array([[1, -1], [-1, 1]])
        np.testing.assert_allclose(solved, np.linalg.solve(system, line), atol=1e-12)


def test_sure_values_fill_their_side_of_an_edge_and_no_other():
    guide = np.repeat(np.where(np.arange(30) < 15, 0.2, 0.8)[None], 20, 0)
    truth = np.where(guide < 0.5, 0.3, 1.2)
    rng = np.random.default_rng(1)
    sure = rng.random(guide.shape) < 0.05
    values = np.where(sure, truth, rng.random(guide.shape) * 2)
    smoothed = edge_aware(values, np.where(sure, 1.0, 1e-6), guide, 100.0, 0.02)
    np.testing.assert_allclose(smoothed, truth, atol=0.01)
    blind = edge_aware(values, np.ones_like(values), guide, 100.0, 0.02)
    assert np.abs(blind - truth).mean() > 0.2


def test_a_constant_stays_whatever_the_confidence():
    rng = np.random.default_rng(2)
    guide, confidence = rng.random((2, 12, 15))
    np.testing.assert_allclose(edge_aware(np.full((12, 15), 0.7), confidence, guide, 10.0, 0.1), 0.7)


def by_regression(values, guide, radius, softness):
    """The definition: a ridge regression in every window, in every pixel the mean of its windows'."""
    height, width = values.shape
    total = np.zeros((height, width, 2))
    count = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            window = np.s_[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1]
            i, p = guide[window].ravel(), values[window].ravel()
            a = np.mean((i - i.mean()) * (p - p.mean())) / (np.var(i) + softness)
            # The window's own minimum: no other slope does better, with the best offset for each.
            for other in (a - 0.01, a + 0.01):
                cost = [np.mean((s * i + (p - s * i).mean() - p) ** 2) + softness * s**2 for s in (a, other)]
                assert cost[0] < cost[1]
            total[window] += (a, p.mean() - a * i.mean())
            count[window] += 1
    return (total[..., 0] * guide + total[..., 1]) / count


def test_every_pixel_is_the_mean_of_local_regressions():
    rng = np.random.default_rng(0)
    values, guide = rng.random((2, 9, 11))
    np.testing.assert_allclose(
        guided_filter(values, guide, 2, 0.03), by_regression(values, guide, 2, 0.03), atol=1e-12
    )


def test_noise_goes_and_an_edge_of_the_guide_stays():
    rng = np.random.default_rng(1)
    guide = np.repeat(np.where(np.arange(40) < 20, 0.2, 0.8)[None], 30, 0)
    truth = 1.0 + guide
    noisy = truth + rng.normal(0, 0.1, guide.shape)
    filtered = guided_filter(noisy, guide, 4, 1e-3)
    assert np.abs(filtered - truth).mean() < 0.25 * np.abs(noisy - truth).mean()
    assert np.mean(filtered[:, 20] - filtered[:, 19]) > 0.5
    assert guided_filter(np.float32(noisy), np.float32(guide), 4, 1e-3).dtype == np.float32


def test_bad_arguments_are_refused():
    image = np.zeros((4, 5))
    with pytest.raises(InputError, match=r"\(4, 5\).*\(4, 4\)"):
        guided_filter(image, image[:, :4], 1, 0.1)
    for radius, softness in ((0, 0.1), (1, 0.0)):
        with pytest.raises(InputError, match="radius"):
            guided_filter(image, image, radius, softness)
