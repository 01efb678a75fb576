"""Layers: alphas against compositing, near fronts widened, small steps eroded."""

import jax.numpy as jnp
import numpy as np

from dpdefocus import fast, optics


def test_alphas_composite_to_the_layers_weights():
    rng = np.random.default_rng(0)
    weights = rng.random((5, 4, 6)).astype(np.float32)
    weights[:, 0] = np.eye(5)[:, :1]  # a pixel that only the farthest layer shows
    weights /= weights.sum(0)
    alphas = fast.alphas_of(jnp.asarray(weights))
    assert (np.asarray(alphas[0]) == 1).all()
    np.testing.assert_allclose(optics.transmittance(alphas), weights, atol=1e-5)


def test_near_fronts_widen_only_where_they_hide():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 40, dtype=np.float32), (20, 40)))
    np.testing.assert_array_equal(fast.dilate_fronts(slope, 3), slope)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    widened = np.asarray(fast.dilate_fronts(step, 3))
    assert (widened[:, :23] == np.float32(0.4)).all() and (widened[:, 23:] == np.float32(1.2)).all()


def test_erode_within_surface_moves_by_a_little_only():
    slope = jnp.asarray(np.broadcast_to(np.linspace(0.5, 0.6, 41, dtype=np.float32), (20, 41)))
    np.testing.assert_allclose(fast.erode_within_surface(slope, 4)[:, 4:], slope[:, :-4], atol=1e-6)
    step = jnp.where(jnp.arange(40)[None] < 20, 0.4, 1.2) * jnp.ones((20, 1))
    np.testing.assert_array_equal(fast.erode_within_surface(step, 4), step)
