"""Edge-aware smoothing: against a dense linear system, and what it is for."""

import numpy as np

from dpdefocus.baselines.smoothing import edge_aware, smooth_lines


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
