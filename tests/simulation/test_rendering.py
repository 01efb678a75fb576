"""Rendering against rays counted one by one and the solver's renderer, and the statistics of the sensor."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from small_scenes import (  # noqa: F401 a fixture
    GRID,
    HALF_DISCS,
    HEIGHT,
    MARGIN,
    OPTICS,
    SIZE,
    WIDTH,
    camera,
    cards,
    noise,
    rendered,
    scene_of,
)

from dpdefocus import data, optics, simulation

# ---- Blur and occlusion --------------------------------------------------------------------------


def test_left_plus_right_is_the_ordinary_capture():
    half = (np.arange(WIDTH + 2 * MARGIN) < 30)[None, :]
    # A blurred surface with a sharp one before it: there eq. (2) is exact, and so is the sum.
    scene = scene_of((noise(), 1, 4.1), (0.6 * noise(1), half, 0.0))
    pupil = optics.field_varying(*GRID, samples=49)
    tile = np.ones((1, HEIGHT // GRID[0], WIDTH // GRID[1]))
    light = np.kron(np.moveaxis(pupil.vignetting, -1, 0), tile)
    views, whole = rendered(scene, pupil), rendered(scene, pupil.whole)
    np.testing.assert_allclose(whole[0], whole[1], atol=1e-6)
    np.testing.assert_allclose((light * views).sum(0), light.sum(0) * whole[0], atol=1e-5)


def test_a_constant_scene_stays_constant():
    scene = simulation.tabletop(1, HEIGHT, WIDTH, MARGIN, 0.3, 6.5)
    grey = replace(scene, textures=np.full_like(scene.textures, 0.37))
    assert max(simulation.slice_counts(grey.mattes, OPTICS.radius(grey.dioptres))) > 3
    np.testing.assert_allclose(rendered(grey), 0.37, atol=1e-5)


def test_spread_and_shift_of_a_point_are_proportional_to_its_radius():
    source = np.zeros((HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN))
    source[HEIGHT // 2 + MARGIN, WIDTH // 2 + MARGIN] = 1
    x = np.arange(WIDTH) - WIDTH // 2
    radii = np.array([-5.0, -2.5, 2.5, 5.0])
    spread, shift = [], []
    for radius in radii:
        profile = rendered(scene_of((source, 1, radius)), optics.butterworth(6.0, *GRID, samples=49)).sum(1)
        np.testing.assert_allclose(profile.sum(-1), 1, atol=1e-5)
        centre = (profile * x).sum(-1)
        shift.append(centre[1] - centre[0])
        spread.append(((profile * x**2).sum(-1) - centre**2)[0])
    np.testing.assert_allclose(shift, np.array(shift[-1]) * radii / 5.0, atol=1e-4)
    assert shift[-1] > 1
    # Sharing among pixels adds at most a quarter of a square pixel.
    np.testing.assert_allclose(spread, np.array(spread[-1]) * (radii / 5.0) ** 2, atol=0.25)


def count_rays(pupil, view, point, radius, matte, matte_radius):
    """Light of a point in column `point` that passes a matte [columns] before it, ray by ray.

    The ray through the pupil at u lands at point + radius u, and passes the matte where a point of radius
    matte_radius would have to lie to land there too.
    """
    light = pupil.transmission[0, 0, view].sum(0)
    u = np.linspace(-pupil.extent, pupil.extent, light.size)
    crossing = point + (radius - matte_radius) * u
    return (light * (1 - np.interp(crossing, np.arange(matte.size), matte))).sum() / light.sum()


def half_plane(edge):
    """Anti-aliased matte [columns] of everything left of `edge`, over frame and margin."""
    return np.clip(0.5 - (np.arange(-MARGIN, WIDTH + MARGIN) - edge), 0, 1)


@pytest.mark.parametrize("edge_radius", [-4.5, 4.5])
def test_a_sharp_point_behind_a_blurred_half_plane_agrees_with_counted_rays(edge_radius):
    # Which of the two is nearer is left to the order of the layers, so that both signs can be had.
    pupil = HALF_DISCS
    shape = (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
    row, column = HEIGHT // 2, WIDTH // 2
    textures = jnp.zeros((2, *shape)).at[0, row + MARGIN, column + MARGIN].set(1.0)
    at = jnp.array([0.0, edge_radius])
    radii = jnp.ones((2, *shape)) * at[:, None, None]
    kernels = pupil.kernels(at, SIZE)
    render = jax.jit(lambda mattes: simulation.render(textures, mattes, radii, at, kernels, (1, 1))[0])
    seen = []
    for edge in column + np.array([-5.5, -3.0, -1.25, 0.0, 0.75, 2.5, 5.5]):
        matte = half_plane(edge)
        mattes = jnp.stack([jnp.ones(shape), jnp.broadcast_to(jnp.asarray(matte, jnp.float32), shape)])
        views = render(mattes)
        expected = [count_rays(pupil, view, column + MARGIN, 0.0, matte, edge_radius) for view in (0, 1)]
        np.testing.assert_allclose(views[:, row, column], expected, atol=3e-3)
        seen.append(expected)
    left, right = np.array(seen).T
    np.testing.assert_allclose([left[0], right[0], left[-1], right[-1]], [1, 1, 0, 0], atol=1e-6)
    # Each view sees its own disocclusion.
    assert np.abs(left - right).max() > 0.4


def test_a_blurred_point_behind_a_sharp_half_plane_agrees_with_counted_rays():
    pupil = HALF_DISCS
    for edge in WIDTH / 2 + np.array([-3.5, -0.8, 0.5, 2.5]):
        source = np.zeros((HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN))
        source[HEIGHT // 2 + MARGIN, WIDTH // 2 + MARGIN] = 1
        scene = scene_of((source, 1, 4.5), (0, half_plane(edge), 0.0))
        light = rendered(scene, pupil).sum((1, 2))
        column = WIDTH // 2 + MARGIN
        expected = [count_rays(pupil, view, column, 4.5, half_plane(edge), 0.0) for view in (0, 1)]
        np.testing.assert_allclose(light, expected, atol=3e-3)


def test_slanted_plane_agrees_with_gathered_rays():
    y, x = np.mgrid[-MARGIN : HEIGHT + MARGIN, -MARGIN : WIDTH + MARGIN].astype(np.float64)
    slope = 4.0 / WIDTH

    def radiance(x, y):
        return 0.5 + 0.2 * np.sin(0.55 * x + 0.2 * y) + 0.2 * np.cos(0.3 * y)

    pupil = optics.half_discs(*GRID, samples=49)
    views = rendered(scene_of((radiance(x, y), 1, np.maximum(1.0 + slope * x, 0.2))), pupil)
    axis = np.linspace(-1, 1, 49)
    inner = (slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    for view in (0, 1):
        weights = pupil.transmission[0, 0, view]
        expected = np.zeros((HEIGHT, WIDTH))
        for row, uy in enumerate(axis):
            for col, ux in enumerate(axis):
                if weights[row, col] > 0:
                    # The point whose ray through u lands here: X + u r(X) = x, with r affine in X.
                    at = (x[inner] - ux) / (1 + ux * slope)
                    radius = 1.0 + slope * at
                    expected += weights[row, col] * radiance(at, y[inner] - uy * radius)
        expected /= weights.sum()
        error = np.abs(views[view] - expected)[:, 8:]
        # Bilinear sharing blurs a little more than the rays; an unblurred image would be off by 0.3.
        assert error.max() < 0.02


def test_in_front_of_focus_the_views_swap():
    left, right = rendered(scene_of((noise(), 1, 3.0)), HALF_DISCS)
    texture = noise()[::-1, ::-1]
    mirrored = rendered(scene_of((texture, 1, -3.0)), HALF_DISCS)[:, ::-1, ::-1]
    np.testing.assert_allclose(mirrored, [left, right], atol=1e-5)
    same = rendered(scene_of((noise(), 1, -3.0)), HALF_DISCS)
    np.testing.assert_allclose(same, [right, left], atol=1e-5)


def test_in_focus_the_views_are_the_scene():
    views = rendered(scene_of((noise(), 1, 0.0)))
    np.testing.assert_allclose(views[0], noise()[MARGIN:-MARGIN, MARGIN:-MARGIN], atol=1e-5)
    np.testing.assert_allclose(views[0], views[1], atol=1e-5)


def test_the_solvers_renderer_on_the_true_mpi_gives_the_clean_views(cards):
    # Beyond its frame the solver repeats the edge; let the scene do so too, to compare up to the border.
    scene = cards.scene
    room = ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN))
    inner = (slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
    textures, mattes = (np.pad(stack[inner], room, mode="edge") for stack in (scene.textures, scene.mattes))
    shot = simulation.photograph(replace(scene, textures=textures, mattes=mattes), cards.camera, 0)

    scales = shot.surface_scales[:, 0, 0]
    kernels = cards.camera.pupil.kernels(scales * cards.camera.calibration_radius, SIZE)
    tiling = optics.tiling_of(HEIGHT, WIDTH, kernels)
    spectra = optics.kernel_spectra(kernels, tiling)
    views = optics.render(jnp.asarray(scene.textures[inner]), jnp.asarray(mattes[inner]), spectra, tiling)
    np.testing.assert_allclose(views * shot.vignetting[:1], shot.clean_views, atol=1e-4)


def test_kernels_from_a_calibration_file_take_the_parametric_ones_place(tmp_path):
    known = camera()
    white = np.ones((2, HEIGHT, WIDTH), np.float32) * np.array([0.6, 0.3], np.float32)[:, None, None]
    data.save_calibration(data.Calibration(np.asarray(known.calibration_kernels), white), tmp_path)
    pupil = optics.CalibratedPupil(data.load_calibration(tmp_path), known.calibration_radius)
    scene = scene_of((noise(), 1, known.calibration_radius))
    shot = simulation.photograph(scene, camera(pupil), 0)
    np.testing.assert_allclose(shot.clean_views / shot.vignetting[0], rendered(scene), atol=1e-5)
    np.testing.assert_allclose(shot.vignetting[1] / shot.vignetting[0], 0.5, rtol=1e-3)
    np.testing.assert_allclose(shot.kernels, known.calibration_kernels, atol=1e-6)


# ---- Sensor --------------------------------------------------------------------------------------


PIXELS = 100_000


exposed = jax.jit(simulation.expose, static_argnums=2)


@pytest.mark.parametrize("sensor", [simulation.Sensor(), simulation.Sensor(gain=2e-3, read_noise=4e-3)])
@pytest.mark.parametrize("level", [0.0, 0.02, 0.6])
def test_noise_has_the_mean_and_variance_of_its_model(sensor, level):
    count = PIXELS
    raw = np.asarray(exposed(jnp.full(count, level), jax.random.key(7), sensor), np.float64)
    variance = sensor.gain * level + sensor.read_noise**2 + 1 / (12 * sensor.white_level**2)
    assert abs(raw.mean() - level) < 4 * np.sqrt(variance / count)
    # A sample variance varies by (kurtosis - 1) / n; Poisson's excess over 3 is 1 / photons.
    kurtosis = 3 + (sensor.gain**3 * level / variance**2 if level else 0)
    assert abs(raw.var() / variance - 1) < 4 * np.sqrt((kurtosis - 1) / count)


def test_photon_noise_is_poisson_and_not_only_gaussian():
    sensor = simulation.Sensor(gain=0.05, read_noise=0.0, black_level=0)
    raw = exposed(jnp.full(PIXELS, 0.2), jax.random.key(0), sensor)
    photons = np.round(np.asarray(raw) / 0.05).astype(int)
    observed = np.bincount(photons, minlength=15)[:15]
    expected = stats.poisson(4.0).pmf(np.arange(15)) * PIXELS
    assert np.all(np.abs(observed - expected) < 5 * np.sqrt(expected) + 1)


def test_raw_is_whole_numbers_up_to_the_white_level():
    sensor = simulation.Sensor()
    raw = np.asarray(exposed(jnp.linspace(0, 2, PIXELS), jax.random.key(0), sensor), np.float64)
    numbers = raw * sensor.white_level + sensor.black_level
    np.testing.assert_allclose(numbers, np.round(numbers), atol=5e-3)
    assert numbers.max() == pytest.approx(sensor.white_level, abs=5e-3)


# ---- Gradients -----------------------------------------------------------------------------------


def test_gradient_by_texture_matte_and_focus_agrees_with_differences():
    # In double precision: there are kinks within 5e-4 of the focus, and over less than that a difference of
    # single-precision sums is a good part rounding.
    with jax.enable_x64(True):
        pupil = optics.butterworth(rows=2, cols=2, samples=41)
        transmission = jnp.asarray(pupil.transmission, jnp.float64)
        rng = np.random.default_rng(0)
        shape = (2, 24, 26)
        textures = jnp.asarray(rng.random(shape))
        mattes = jnp.asarray(np.stack([np.ones(shape[1:]), rng.uniform(0.2, 0.8, shape[1:])]))
        slant = jnp.broadcast_to(jnp.linspace(4.0, 5.0, shape[2]), shape[1:])
        dioptres = jnp.stack([jnp.full(shape[1:], 1.0), slant])
        weights = jnp.asarray(np.linspace(-1, 1, 2 * 16 * 18).reshape(2, 16, 18))

        def project(textures, mattes, focus):
            # d = A + B / Z (Sec. 3), differentiable in the focus distance; f = 4.38 mm, N = 1.73, p = 22 µm.
            a = 4.38e-3 / (2 * 1.73 * 2.2e-5) * 4.38e-3 / (focus - 4.38e-3)
            radii = a - a * focus * dioptres
            at = simulation.slice_radii(mattes, radii, (1, 3))
            kernels = optics.pupil_kernels(transmission, at, pupil.extent, 9)
            even, key = jnp.ones((2, 16, 18)), jax.random.key(0)
            formed = simulation.form_capture(
                textures, mattes, radii, at, kernels, even, key, (1, 3), simulation.Sensor()
            )
            return (formed.raw * weights).sum(), (formed.clean * weights).sum()

        start = (textures, mattes, jnp.asarray(0.137))
        # One compiled function serves the gradient and, by its second value, the differences.
        differentiate = jax.jit(jax.grad(project, argnums=(0, 1, 2), has_aux=True))
        gradient, _ = differentiate(*start)
        step = 1e-5
        for index in range(3):
            direction = jnp.asarray(rng.standard_normal(start[index].shape))
            ends = []
            for sign in (1, -1):
                values = list(start)
                values[index] = start[index] + sign * step * direction
                ends.append(differentiate(*values)[1])
            expected = (ends[0] - ends[1]) / (2 * step)
            assert (gradient[index] * direction).sum() == pytest.approx(float(expected), rel=1e-6)
