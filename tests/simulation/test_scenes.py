"""Scenes: the statistics, soft edges and ordering that their docstrings promise."""

import numpy as np
import pytest

from dpdefocus import simulation
from dpdefocus.simulation import scenes
from dpdefocus.support.errors import InputError

SHAPE = (96, 128)
TEXTURES = [simulation.natural, simulation.dead_leaves, simulation.text, simulation.stripes, simulation.plain]


def slope_of_spectrum(image, low=3, high=30):
    """Exponent of the radial power spectrum, from a straight line through its logarithm."""
    image = image - image.mean()
    window = np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1]))
    power = np.abs(np.fft.fft2(image * window)) ** 2
    size = min(image.shape)
    radius = np.hypot(
        np.fft.fftfreq(image.shape[0])[:, None] * size, np.fft.fftfreq(image.shape[1])[None, :] * size
    ).round()
    rings = np.arange(low, high)
    return np.polyfit(np.log(rings), [np.log(power[radius == ring].mean()) for ring in rings], 1)[0]


@pytest.mark.parametrize("texture", TEXTURES)
def test_textures_are_radiances_of_the_asked_shape_and_repeat_for_a_seed(texture):
    first, again, other = (texture(np.random.default_rng(seed), SHAPE) for seed in (1, 1, 2))
    assert first.shape == SHAPE and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01


def test_natural_texture_has_the_spectrum_of_natural_images():
    slopes = [
        slope_of_spectrum(simulation.natural(np.random.default_rng(seed), (256, 256))) for seed in range(4)
    ]
    assert np.mean(slopes) == pytest.approx(-2, abs=0.25)


def test_dead_leaves_are_scale_invariant():
    images = [simulation.dead_leaves(np.random.default_rng(seed), (256, 256)) for seed in range(4)]
    slopes = [slope_of_spectrum(image) for image in images]
    assert np.mean(slopes) == pytest.approx(-2, abs=1.0)


def test_plain_texture_has_no_texture():
    image = simulation.plain(np.random.default_rng(0), SHAPE)
    assert max(np.abs(np.diff(image, axis=axis)).max() for axis in (0, 1)) < 2e-3


@pytest.mark.parametrize("make", [simulation.cards, simulation.tabletop])
@pytest.mark.parametrize("seed", range(3))
def test_scenes_hold_several_depths_in_the_range_with_soft_edges(make, seed):
    scene = make(seed, 84, 112, 9, 0.5, 6.0)
    assert scene.frame == (84, 112) and scene.textures.shape[1:] == (102, 130)
    assert scene.dioptres.min() == pytest.approx(0.5) and scene.dioptres.max() <= 6.0 + 1e-5
    frame = scene.mattes[:, 9:-9, 9:-9]
    assert np.all(frame.max((1, 2)) == 1)
    # Anti-aliased: some pixels of each matte lie strictly between transparent and opaque.
    assert all(np.any((matte > 0.05) & (matte < 0.95)) for matte in frame[1:])
    np.testing.assert_array_equal(scene.textures, make(seed, 84, 112, 9, 0.5, 6.0).textures)


def test_matte_of_a_card_has_the_area_of_its_rectangle():
    _, plane, _ = scenes._start(0, 60, 80, 0)
    matte = scenes._matte(scenes._card(plane, (40.3, 29.6), (17.25, 11.5), angle=0.4, corner=0.0))
    assert matte.sum() == pytest.approx(4 * 17.25 * 11.5, rel=5e-3)


def test_tabletop_has_a_slanted_a_curved_and_a_thin_surface():
    scene = simulation.tabletop(0, 84, 112, 5, 0.5, 6.0)
    shown = [dioptres[matte > 0.5] for dioptres, matte in zip(scene.dioptres, scene.mattes, strict=True)]
    assert np.ptp(shown[2]) > 3
    column = scene.dioptres[2][:, 60][scene.mattes[2][:, 60] > 0.5]
    np.testing.assert_allclose(np.diff(column, 2), 0, atol=1e-3)
    assert all(0.1 < np.ptp(shown[curved]) < 1 for curved in (4, 5))
    plant = scene.mattes[-1]
    assert (plant > 0).any() and plant.mean() < 0.1


def test_from_image_keeps_the_image_and_the_depths():
    rng = np.random.default_rng(0)
    image = simulation.natural(rng, (40, 60))
    dioptres = np.full((40, 60), 1.0, np.float32)
    dioptres[10:30, 20:40] = 4.0
    dioptres[:, 50:] = np.linspace(1.0, 2.0, 40)[:, None]
    scene = simulation.from_image(image, dioptres, margin=6, layers=13)
    inner = (slice(None), slice(6, -6), slice(6, -6))
    front = scene.mattes[inner].shape[0] - 1 - scene.mattes[inner][::-1].argmax(0)
    picked = np.take_along_axis(scene.textures[inner], front[None], 0)[0]
    np.testing.assert_array_equal(picked, image)
    depth = np.take_along_axis(scene.dioptres[inner], front[None], 0)[0]
    np.testing.assert_array_equal(depth, dioptres)


def test_from_image_goes_on_behind_near_edges():
    dioptres = np.full((30, 40), 1.0, np.float32)
    dioptres[:, 20:] = 3.0
    image = np.linspace(0, 1, 1200, dtype=np.float32).reshape(30, 40)
    scene = simulation.from_image(image, dioptres, 5, layers=2)
    # The wall behind the right half repeats its nearest visible pixel.
    np.testing.assert_array_equal(scene.textures[0, 5:-5, 30], scene.textures[0, 5:-5, 24])
    np.testing.assert_array_equal(scene.mattes[0], 1)


def arrays(**changes):
    values = {
        "textures": np.full((2, 12, 14), 0.5, np.float32),
        "mattes": np.ones((2, 12, 14), np.float32),
        "dioptres": np.stack([np.full((12, 14), 1.0), np.full((12, 14), 2.0)]).astype(np.float32),
        "margin": 3,
    }
    return values | changes


def test_scene_accepts_what_fits():
    assert simulation.Scene(**arrays()).frame == (6, 8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mattes": np.ones((1, 12, 14), np.float32)}, "same shape"),
        ({"margin": 6}, "margin of 6"),
        ({"textures": np.full((2, 12, 14), 1.5, np.float32)}, "textures"),
        ({"dioptres": np.full((2, 12, 14), -1.0, np.float32)}, "dioptres"),
        ({"dioptres": np.full((2, 12, 14), np.nan, np.float32)}, "dioptres"),
        ({"mattes": np.full((2, 12, 14), 0.5, np.float32)}, "opaque"),
        ({"dioptres": arrays()["dioptres"][::-1]}, "back to front"),
    ],
)
def test_scene_refuses_what_does_not_fit(change, message):
    with pytest.raises(InputError, match=message):
        simulation.Scene(**arrays(**change))


def test_makers_refuse_bad_parameters():
    with pytest.raises(InputError, match="far"):
        simulation.cards(0, 40, 40, 4, 5.0, 1.0)
    with pytest.raises(InputError, match="surfaces"):
        simulation.cards(0, 40, 40, 4, 1.0, 5.0, surfaces=1)
    with pytest.raises(InputError, match="shape"):
        simulation.from_image(np.zeros((4, 5)), np.zeros((5, 4)), 2)
    with pytest.raises(InputError, match="dioptres"):
        simulation.from_image(np.zeros((4, 5)), np.full((4, 5), -1.0), 2)
