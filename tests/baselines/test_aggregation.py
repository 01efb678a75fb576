"""Continuous cost aggregation: against brute force over sizes, and a known shift recovered on bare ground."""

import numpy as np
from shifted_views import HEIGHT, SIZES, constant_shifts, shifted_views, texture

from dpdefocus import baselines
from dpdefocus.baselines.aggregation import Quadratic


def costs_of(curvature, lowest_at):
    return Quadratic(curvature, curvature * lowest_at)


def test_what_is_handed_on_is_what_dynamic_programming_finds_on_a_grid_of_sizes():
    rng = np.random.default_rng(0)
    length = 6
    costs = costs_of(rng.uniform(0.5, 2, (length, 1)), rng.uniform(0.4, 0.6, (length, 1)))
    coupling = rng.uniform(0.3, 3, (length - 1, 1))
    heard = baselines.handed_on(costs, coupling)
    sizes = np.linspace(0, 1, 2001)
    message = np.zeros_like(sizes)
    for n in range(length - 1):
        before = message + costs.curvature[n] * (sizes - costs.lowest_at[n]) ** 2
        message = np.array([(before + coupling[n] * (sizes - size) ** 2).min() for size in sizes])
        a = heard.curvature[n + 1]
        m = heard.moment[n + 1] / a
        np.testing.assert_allclose(message - message.min(), a * (sizes - m) ** 2, atol=2e-6)


def test_one_line_gives_the_minimum_of_its_whole_energy():
    rng = np.random.default_rng(1)
    n = 7
    a, m, p = rng.uniform(0.5, 2, n), rng.random(n), rng.uniform(0.3, 3, n - 1)
    total = baselines.aggregated(costs_of(a[None], m[None]), np.zeros((0, n)), p[None])
    system = np.diag(a)
    for k, strength in enumerate(p):
        system[k : k + 2, k : k + 2] += strength * np.array([[1, -1], [-1, 1]])
    np.testing.assert_allclose(total.lowest_at[0], np.linalg.solve(system, a * m))
    down = baselines.aggregated(costs_of(a[:, None], m[:, None]), p[:, None], np.zeros((n, 0)))
    np.testing.assert_allclose(down.lowest_at[:, 0], total.lowest_at[0])


def test_bare_ground_takes_the_size_of_its_surroundings():
    bare = np.abs(np.arange(HEIGHT) - HEIGHT / 2)[:, None] < 10
    views = shifted_views(texture(), 2.0 * 0.9)
    views = np.where(bare, np.float32(2), views)
    found = baselines.aggregated_sizes(views, constant_shifts(2.0), SIZES)
    assert np.abs(found[HEIGHT // 2 - 2 : HEIGHT // 2 + 2, 16:-16] - 0.9).max() < 0.1


def test_sizes_are_not_handed_on_across_an_edge_of_the_image():
    image = np.where(np.arange(20) < 10, 0.3, 0.9) * np.ones((6, 1))
    known = np.isin(np.arange(20), (3, 16)) * np.ones((6, 1))
    costs = costs_of(known + 1e-9, np.where(np.arange(20) < 10, 0.5, 1.5) * known)
    total = baselines.aggregated(costs, *baselines.couplings(image))
    np.testing.assert_allclose(total.lowest_at, np.where(image < 0.5, 0.5, 1.5), atol=1e-3)


def test_a_known_shift_is_recovered_between_the_sizes_tried():
    for size in (0.5, 0.87, 1.31):
        views = shifted_views(texture(), 2.5 * size)
        found = baselines.aggregated_sizes(views, constant_shifts(2.5), SIZES)
        error = np.abs(found[12:-12, 16:-16] - size)
        # In units of the views' distance, a twentieth and a quarter of a pixel.
        assert np.median(error) < 0.01 and error.max() < 0.05
