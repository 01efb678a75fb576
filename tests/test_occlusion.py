import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.deblur import layer_weights
from dpdefocus.occlusion import BLOCK, DEPTH_GAP, TEXTURE_BLOCK, fill, texture, uncovered

SCALES = jnp.array([1.0, 0.8, 0.6, 0.4])


def test_fill_keeps_what_is_known_and_continues_it():
    x = np.linspace(0, 1, 40, dtype=np.float32)
    image = jnp.asarray(np.broadcast_to(x, (30, 40)))
    known = jnp.ones((30, 40)).at[8:20, 15:25].set(0)
    filled = np.asarray(fill(jnp.where(known > 0, image, 9.0), known))
    np.testing.assert_allclose(
        filled[np.asarray(known) == 1], np.asarray(image)[np.asarray(known) == 1], atol=1e-4
    )
    np.testing.assert_allclose(filled, image, atol=0.15)


def beside(near_side, far_side):
    """Views of a near thing of size 0.4, left of column 20, beside a far one of size 1, and the layers."""
    height, width = far_side.shape
    left = np.arange(width) < 20
    views = np.tile(np.where(left, near_side, far_side), (2, 1, 1)).astype(np.float32)
    defocus = jnp.asarray(np.broadcast_to(np.where(left, 0.4, 1.0), (height, width)), jnp.float32)
    return jnp.asarray(views), layer_weights(defocus, SCALES)


def test_a_bare_wall_loses_the_light_of_a_bright_thing_before_it():
    views, weights = beside(1.0, np.full((60, 60), 0.1))
    without = np.asarray(uncovered(views, SCALES, weights, 5.0))
    np.testing.assert_allclose(without[0], 0.1, atol=0.02)
    np.testing.assert_allclose(without[0, :, :, 30:], 0.1, atol=1e-3)
    np.testing.assert_allclose(without[3], views, atol=1e-5)


def test_texture_beside_a_thing_as_bright_as_itself_stays():
    """What cannot be the near thing's light is not taken for it; beside a brighter thing more of it is."""
    wall = 0.4 + 0.2 * np.random.default_rng(0).random((60, 60))

    def lost(near_side):
        views, weights = beside(near_side, wall)
        change = np.asarray(uncovered(views, SCALES, weights, 5.0)[0] - views)
        return np.abs(change[:, :, 20:]).mean() / np.abs(wall - wall.mean()).mean()

    alike, brighter, far_brighter = lost(0.5), lost(1.0), lost(3.0)
    assert alike < 0.001 < 0.05 < brighter < far_brighter


@pytest.mark.parametrize(("reach", "covered"), [(5.0, 24), (30.0, 28), (60.0, 32)])
def test_light_of_near_layers_reaches_half_their_kernels(reach, covered):
    """Half the reach of kernels of size 0.4 in whole blocks of 4 pixels, faded out over a block."""
    stripes = np.where(np.arange(62) % 2 == 0, 0.1, 0.1001) * np.ones((41, 1))
    views, weights = beside(1.0, stripes)
    without = np.asarray(uncovered(views, SCALES, weights, reach))
    contrast = np.abs(np.diff(without[0], axis=2)).mean((0, 1)) / 1e-4
    assert (contrast[21 : covered - BLOCK // 2] < 0.4).all()
    np.testing.assert_allclose(contrast[covered + BLOCK :], 1, atol=0.1)


def test_layers_closer_than_the_gap_are_one_surface():
    views, _ = beside(1.0, np.full((40, 40), 0.1))
    for difference, changed in [(0.9 * DEPTH_GAP, False), (1.1 * DEPTH_GAP, True)]:
        scales = jnp.array([0.8, 0.8 - difference])
        near = jnp.broadcast_to(jnp.arange(40) < 20, (40, 40)).astype(jnp.float32)
        without = uncovered(views, scales, jnp.stack([1 - near, near]), 5.0)
        assert bool(jnp.abs(without[0] - views).max() > 0.1) == changed


def test_texture_is_the_variance_of_what_is_known():
    rng = np.random.default_rng(3)
    side = 16 * TEXTURE_BLOCK
    deviation = np.where(np.arange(side) < side // 2, 0.1, 0.3)
    values = 0.5 + deviation * rng.standard_normal((2, side, side))
    known = np.ones((side, side), np.float32)
    known[:, side // 2 :] = 0
    found = texture(*(jnp.asarray(each, jnp.float32) for each in (values, values**2, known)))
    np.testing.assert_allclose(np.asarray(found)[:, :, : side // 2].mean(), 0.1**2, rtol=0.12)
    np.testing.assert_allclose(np.asarray(found).mean(), 0.1**2, rtol=0.2)  # and continues where it is not
