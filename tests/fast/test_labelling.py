import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.fast.labelling import (
    data_cost,
    edge_weights,
    labelling_energy,
    min_marginals,
    sub_label,
    truncated_linear_message,
)


def test_message_is_the_smallest_sum():
    rng = np.random.default_rng(0)
    cost, weight, limit = rng.random((7, 5)).astype(np.float32), rng.random(5).astype(np.float32), 3.0
    label = np.arange(7)
    distance = np.minimum(np.abs(label[:, None] - label), limit)
    expected = np.array(
        [[min(cost[e, n] + weight[n] * distance[d, e] for e in label) for n in range(5)] for d in label]
    ) - cost.min(0)
    np.testing.assert_allclose(
        truncated_linear_message(jnp.asarray(cost), jnp.asarray(weight), limit), expected, atol=1e-6
    )


@pytest.mark.parametrize("seed", range(3))
def test_small_field_is_solved_exactly(seed):
    """Against every labelling of a 3 x 3 field; on a chain the messages alone are exact."""
    rng = np.random.default_rng(seed)
    costs = jnp.asarray(rng.random((3, 3, 3)).astype(np.float32))
    up, left = (jnp.asarray(rng.random((3, 3)).astype(np.float32)) for _ in range(2))
    marginals = min_marginals(costs, up, left, 0.3, 2.0, (50,))
    found = float(labelling_energy(marginals.argmin(0), costs, up, left, 0.3, 2.0))
    best = min(
        float(_energy_by_hand(np.reshape(labels, (3, 3)), costs, up, left, 0.3, 2.0))
        for labels in itertools.product(range(3), repeat=9)
    )
    assert found == pytest.approx(best, abs=1e-4)


def _energy_by_hand(labels, costs, up, left, smoothness, limit):
    costs, up, left = np.asarray(costs), np.asarray(up), np.asarray(left)
    total = sum(costs[labels[y, x], y, x] for y in range(3) for x in range(3))
    for y in range(3):
        for x in range(3):
            if y:
                total += smoothness * up[y, x] * min(abs(labels[y, x] - labels[y - 1, x]), limit)
            if x:
                total += smoothness * left[y, x] * min(abs(labels[y, x] - labels[y, x - 1]), limit)
    return total


def test_bare_surface_takes_the_depth_of_its_rim():
    """Costs speak in two columns only; between them an edge in the image decides where the depth jumps."""
    costs = np.zeros((5, 12, 33), np.float32)
    costs[:, :, 1] = 3 * np.abs(np.arange(5) - 1)[:, None]
    costs[:, :, -2] = 3 * np.abs(np.arange(5) - 4)[:, None]
    image = np.where(np.arange(33) < 20, 0.2, 0.8) * np.ones((12, 1))
    up, left = edge_weights(jnp.asarray(image, jnp.float32), 0.05)
    labels = np.asarray(min_marginals(jnp.asarray(costs), up, left, 1.0, 4.0, (10, 10, 10)).argmin(0))
    assert (labels[:, :20] == 1).all() and (labels[:, 20:] == 4).all()


def test_coarse_grids_come_closer_than_the_fine_one_alone():
    rng = np.random.default_rng(3)
    costs = rng.random((8, 40, 56)).astype(np.float32)
    costs[3, :, :28] -= 0.3
    costs[6, :, 28:] -= 0.3
    ones = jnp.ones((40, 56))
    costs = jnp.asarray(costs)
    values = [
        float(
            labelling_energy(
                min_marginals(costs, ones, ones, 2.0, 6.0, sweeps).argmin(0), costs, ones, ones, 2.0, 6.0
            )
        )
        for sweeps in ((4,), (10, 4), (400,))
    ]
    assert values[1] < values[0]
    assert values[1] < 1.05 * values[2]


def test_costs_start_at_zero_and_end_at_the_cap():
    energies = jnp.asarray(np.random.default_rng(4).random((6, 4, 5), np.float32))
    cost = np.asarray(data_cost(energies, 1e-2, 0.5, 3.0))
    assert (cost.min(0) == 0).all() and cost.max() <= 3.0
    assert (cost.argmin(0) == np.asarray(energies).argmin(0)).all()


def test_parabola_finds_the_minimum_between_labels():
    label = np.arange(9.0)[:, None, None]
    marginals = jnp.asarray(0.5 * (label - np.array([[3.3, 4.75]])) ** 2, jnp.float32)
    np.testing.assert_allclose(sub_label(marginals), [[3.3, 4.75]], atol=1e-4)
