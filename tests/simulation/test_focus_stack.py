"""Focus stacks: recovered depth and sharpness against the exact truth of the simulated scene."""

import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import optics, simulation
from dpdefocus.support.errors import InputError

OPTICS = optics.Lens(focal_length=4.38e-3, f_number=1.73, focus_distance=0.137, pixel_pitch=8e-6)
HEIGHT, WIDTH, MARGIN = 60, 80, 8
NEAREST = 0.15


@pytest.fixture(scope="module")
def camera():
    pupil = optics.half_discs(samples=65)
    return simulation.Camera(OPTICS, pupil, simulation.Sensor(), 0.45, 2 * MARGIN + 1)


@pytest.fixture(scope="module")
def cards(camera):
    """A scene of cards, its stack, and the true sharp image, inverse depth and unmixed pixels."""
    scene = simulation.cards(5, HEIGHT, WIDTH, MARGIN, 0.5, 6.0, 4)
    stack = simulation.photograph_stack(scene, camera, simulation.focus_dioptres(NEAREST), 0)
    inner = (slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    share = np.asarray(optics.transmittance(jnp.asarray(scene.mattes[inner])))
    sharp = (share * scene.textures[inner]).sum(0)
    depth = (share * scene.dioptres[inner]).sum(0)
    return stack, sharp, depth, share.max(0) > 0.99


def psnr(image, truth):
    return -10 * np.log10(np.mean((image - truth) ** 2) / truth.max() ** 2)


def test_stack_is_uniform_in_dioptres_from_infinity_to_the_nearest_distance(cards):
    stack = cards[0]
    assert stack.images.shape == (36, HEIGHT, WIDTH)
    assert stack.dioptres[0] == 0 and stack.dioptres[-1] == pytest.approx(1 / NEAREST)
    np.testing.assert_allclose(np.diff(stack.dioptres), 1 / NEAREST / 35)


def test_slice_focused_on_a_surface_shows_it_sharp_and_is_the_ordinary_capture(camera):
    texture = simulation.dead_leaves(np.random.default_rng(0), (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN))
    everywhere = np.ones_like(texture)[None]
    scene = simulation.Scene(texture[None], everywhere, 4.0 * everywhere, MARGIN)
    stack = simulation.photograph_stack(scene, camera, np.array([0.0, 2.0, 4.0, 6.0]), 0)
    errors = [np.abs(image - texture[MARGIN:-MARGIN, MARGIN:-MARGIN]).mean() for image in stack.images]
    assert errors[2] < 1e-3 < 0.01 < min(errors[0], errors[1], errors[3])
    assert simulation.focus_measure(stack.images, 2.0).mean((1, 2)).argmax() == 2


def test_depth_between_two_slices_is_found_by_the_parabola(camera):
    texture = simulation.natural(np.random.default_rng(1), (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN))
    everywhere = np.ones_like(texture)[None]
    for depth in (3.0, 3.08):
        scene = simulation.Scene(texture[None], everywhere, np.float32(depth) * everywhere, MARGIN)
        stack = simulation.photograph_stack(scene, camera, np.linspace(1.0, 5.0, 21), 0)
        found = np.median(simulation.recover(stack).dioptres)
        # A quarter of the slices' distance of 0.2 dioptres.
        assert found == pytest.approx(depth, abs=0.05)


def test_recovered_depth_and_image_agree_with_the_truth(cards):
    stack, sharp, depth, unmixed = cards
    result = simulation.recover(stack)
    error = np.abs(result.dioptres - depth)
    step = stack.dioptres[1]
    assert np.median(error[unmixed]) < 0.25 * step
    assert np.mean(error[unmixed] < step) > 0.8
    best_slice = max(psnr(image, sharp) for image in stack.images)
    assert psnr(result.all_in_focus, sharp) > best_slice + 4


def test_confidence_tells_textured_from_textureless(camera):
    shape = (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
    rng = np.random.default_rng(0)
    texture = np.where(np.arange(shape[1])[None, :] < 40, simulation.dead_leaves(rng, shape), np.float32(0.3))
    everywhere = np.ones_like(texture)[None]
    scene = simulation.Scene(texture[None].astype(np.float32), everywhere, 3.0 * everywhere, MARGIN)
    stack = simulation.photograph_stack(scene, camera, simulation.focus_dioptres(NEAREST, 12), 0)
    confidence = simulation.recover(stack).confidence
    assert confidence.min() >= 0 and confidence.max() <= 1
    assert confidence[:, :28].mean() > 0.9 > 0.5 > confidence[:, 50:].mean()


def test_bad_stacks_are_refused():
    images = np.zeros((4, 5, 6), np.float32)
    with pytest.raises(InputError, match="4 images, 3"):
        simulation.FocusStack(images, np.arange(3.0))
    with pytest.raises(InputError, match="rise"):
        simulation.FocusStack(images, np.array([0.0, 2.0, 1.0, 3.0]))
    with pytest.raises(InputError, match="nearest"):
        simulation.focus_dioptres(-1.0)
