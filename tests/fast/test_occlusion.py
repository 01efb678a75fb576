import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus.fast.layers import layer_weights
from dpdefocus.fast.occlusion import fill, remove_occluders, texture
from dpdefocus.fast.settings import LayerSettings, OcclusionSettings

SETTINGS, DEPTH_GAP = OcclusionSettings(), LayerSettings().depth_gap

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
    without = np.asarray(remove_occluders(views, SCALES, weights, 5.0))
    np.testing.assert_allclose(without[0], 0.1, atol=0.02)
    np.testing.assert_allclose(without[0, :, :, 30:], 0.1, atol=1e-3)
    np.testing.assert_allclose(without[3], views, atol=1e-5)


@pytest.mark.parametrize("step", [0.0, 0.2, 0.5, 1.0])
def test_what_contrast_and_texture_leave_of_a_checkerboard(step):
    """Beside a thing brighter by `step` in one view and by half of it in the other: the formula, by hand."""
    checkered = 0.4 + 0.05 * (-1.0) ** np.indices((60, 60)).sum(0)
    views, weights = beside(0.0, checkered)
    brighter = np.array([step, 0.5 * step])
    views = views.at[:, :, :20].set(0.4 + brighter[:, None, None])
    without = np.asarray(remove_occluders(views, SCALES, weights, 5.0))[0, :, :, 20:21]
    spill = (SETTINGS.coverage * brighter) ** 2
    share = (spill / (spill + 0.05**2 + SETTINGS.noise)).mean()
    contrast = np.abs(np.diff(without, axis=1)).mean() / 0.1
    np.testing.assert_allclose(contrast, 1 - share, atol=2e-3)


def test_a_wall_seen_through_a_hole_only_is_not_taken_for_the_light_of_the_fence():
    """Nothing of it is out of the fence's reach, so nothing tells what to fill in."""
    hole = np.zeros((60, 60), bool)
    hole[24:40, 24:40] = True
    wall = 0.1 + 0.2 * np.random.default_rng(1).random((60, 60))
    views = jnp.asarray(np.tile(np.where(hole, wall, 0.6), (2, 1, 1)), jnp.float32)
    weights = layer_weights(jnp.asarray(np.where(hole, 1.0, 0.4), jnp.float32), SCALES)
    without = np.asarray(remove_occluders(views, SCALES, weights, 40.0))[0]
    assert abs(without[:, hole].mean() - wall[hole].mean()) < 0.02
    assert without[:, hole].std() > 0.8 * wall[hole].std()


def test_a_twig_is_filled_in_by_its_own_brightness_not_by_that_of_wider_things():
    """A dark twig before a wall loses its light whether or not a card as bright as the wall is near too."""
    x = np.arange(160)
    twig, card = (x >= 40) & (x < 52), x >= 120
    for with_card in (False, True):
        near = np.broadcast_to(twig | (card & with_card), (64, 160))
        views = jnp.asarray(np.tile(np.where(twig, 0.1, 0.5) * np.ones((64, 1)), (2, 1, 1)), jnp.float32)
        weights = layer_weights(jnp.asarray(np.where(near, 0.4, 1.0), jnp.float32), SCALES)
        without = np.asarray(remove_occluders(views, SCALES, weights, 40.0))[0, :, :, 44:48]
        np.testing.assert_allclose(without, 0.5, atol=0.05)


@pytest.mark.parametrize(("reach", "covered"), [(5.0, 24), (30.0, 28), (60.0, 32)])
def test_light_of_near_layers_reaches_half_their_kernels(reach, covered):
    """Half the reach of kernels of size 0.4 in whole blocks of 4 pixels, faded out over a block."""
    stripes = np.where(np.arange(60) % 2 == 0, 0.1, 0.1001) * np.ones((60, 1))
    views, weights = beside(1.0, stripes)
    without = np.asarray(remove_occluders(views, SCALES, weights, reach))
    contrast = np.abs(np.diff(without[0], axis=2)).mean((0, 1)) / 1e-4
    assert (contrast[21 : covered - SETTINGS.block // 2] < 0.4).all()
    np.testing.assert_allclose(contrast[covered + SETTINGS.block :], 1, atol=0.1)


def test_layers_closer_than_the_gap_are_one_surface():
    views, _ = beside(1.0, np.full((40, 40), 0.1))
    for difference, changed in [(0.97 * DEPTH_GAP, False), (1.03 * DEPTH_GAP, True)]:
        scales = jnp.array([0.8, 0.8 - difference])
        near = jnp.broadcast_to(jnp.arange(40) < 20, (40, 40)).astype(jnp.float32)
        without = remove_occluders(views, scales, jnp.stack([1 - near, near]), 5.0)
        assert bool(jnp.abs(without[0] - views).max() > 0.1) == changed


def test_texture_is_the_variance_of_what_is_known():
    rng = np.random.default_rng(3)
    side = 16 * SETTINGS.texture_block
    deviation = np.where(np.arange(side) < side // 2, 0.1, 0.3)
    values = 0.5 + deviation * rng.standard_normal((2, side, side))
    known = np.ones((side, side), np.float32)
    known[:, side // 2 :] = 0
    found = texture(*(jnp.asarray(each, jnp.float32) for each in (values, values**2, known)))
    np.testing.assert_allclose(np.asarray(found)[:, :, : side // 2].mean(), 0.1**2, rtol=0.12)
    np.testing.assert_allclose(np.asarray(found).mean(), 0.1**2, rtol=0.2)  # and continues where it is not
