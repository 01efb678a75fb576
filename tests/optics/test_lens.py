"""The thin lens against ray geometry, and the pupils' kernels against moments and limits known by hand."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import data, optics
from dpdefocus.support.errors import InputError

FAMILIES = [optics.half_discs, optics.translating_disc, optics.butterworth, optics.field_varying]


def moments(kernels):
    """Centroid x and y of kernels [..., kernel, kernel], in pixels from the centre."""
    kernels = np.asarray(kernels, np.float64)
    at = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    return (kernels.sum(-2) * at).sum(-1), (kernels.sum(-1) * at).sum(-1)


def test_radius_is_that_of_the_marginal_ray():
    camera = optics.Lens(focal_length=0.05, f_number=2.0, focus_distance=1.2, pixel_pitch=5e-6)
    sensor = 1 / (1 / 0.05 - 1 / 1.2)
    for distance in (0.3, 0.8, 1.2, 3.0, 50.0):
        image = 1 / (1 / 0.05 - 1 / distance)
        # The ray from the aperture's rim crosses the axis at the image point; where does it meet the sensor?
        height = 0.0125 * (image - sensor) / image
        assert camera.radius(1 / distance) == pytest.approx(-height / 5e-6, abs=1e-9)


def test_radius_is_linear_in_inverse_depth_and_signed():
    a, b = optics.PIXEL4.coefficients
    assert optics.PIXEL4.radius(0.0) == a > 0
    assert optics.PIXEL4.radius(1 / optics.PIXEL4.focus_distance) == pytest.approx(0, abs=1e-9)
    assert optics.PIXEL4.radius(20.0) < 0
    fitted = np.polyfit([0.0, 1.0, 5.0, 9.0], optics.PIXEL4.radius(np.array([0.0, 1.0, 5.0, 9.0])), 1)
    np.testing.assert_allclose(fitted, [b, a], rtol=1e-9)


def test_focused_at_infinity_everything_is_on_the_near_side():
    camera = optics.PIXEL4.focused_at(np.inf)
    assert camera.radius(0.0) == 0
    assert camera.radius(2.0) == pytest.approx(-2 * 4.38e-3**2 / (2 * 1.73 * 2.8e-6))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"f_number": 0.4}, "aperture"),
        ({"pixel_pitch": -1e-6}, "pixel_pitch"),
        ({"focal_length": np.nan}, "focal_length"),
        ({"focus_distance": 0.04}, "focus_distance"),
        ({"focus_distance": 0.0}, "focus_distance"),
    ],
)
def test_impossible_lenses_are_refused(change, message):
    values = {"focal_length": 0.05, "f_number": 2.0, "focus_distance": 1.0, "pixel_pitch": 5e-6} | change
    with pytest.raises(InputError, match=message):
        optics.Lens(**values)


@pytest.mark.parametrize("dioptres", [-0.1, 20.0, np.inf, np.array([1.0, 30.0])])
def test_depths_that_form_no_image_are_refused(dioptres):
    with pytest.raises(InputError, match="focal length"):
        optics.Lens(0.05, 2.0, 1.0, 5e-6).radius(dioptres)


# Calls of one shape for all that is asked of every family: they compile once.
RADII = [-8.0, 0.0, 0.3, 1.0, 5.3, 8.0]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def pupil(request):
    return request.param(rows=2, cols=3)


def test_kernels_sum_to_one_and_are_not_negative(pupil):
    kernels = np.asarray(pupil.kernels(RADII, 31))
    assert kernels.shape == (6, 2, 3, 2, 31, 31)
    assert kernels.min() >= 0
    np.testing.assert_allclose(kernels.sum((-2, -1)), 1, atol=2e-6)


def test_left_plus_right_is_the_whole_aperture(pupil):
    light = pupil.transmission.sum((-2, -1))
    views = np.asarray(pupil.kernels(RADII, 31))
    whole = np.asarray(pupil.whole.kernels(RADII, 31))[:, :, :, 0]
    share = light / light.sum(-1, keepdims=True)
    np.testing.assert_allclose((views * share[..., None, None]).sum(3), whole, atol=1e-6)


def test_negative_radius_mirrors_the_kernel(pupil):
    kernels = np.asarray(pupil.kernels(RADII, 31))
    np.testing.assert_allclose(kernels[0], kernels[-1][..., ::-1, ::-1], atol=1e-7)


def test_centroid_distance_is_linear_in_the_radius(pupil):
    radii = np.array([-8.0, -3.3, 0.05, 0.7, 2.2, 9.1])
    x, _ = moments(pupil.kernels(radii, 31))
    distance = x[..., 1] - x[..., 0]
    assert distance[-1].min() > 0.3 * 9.1
    expected = radii[:, None, None] * distance[-1] / 9.1
    np.testing.assert_allclose(distance, expected, atol=2e-5)


def test_half_disc_has_its_textbook_centroid_and_size():
    radius = 20.0
    kernels = np.asarray(optics.half_discs().kernels([radius], 43), np.float64)[0, 0, 0]
    x, y = moments(kernels)
    np.testing.assert_allclose(x, [-4 * radius / (3 * np.pi), 4 * radius / (3 * np.pi)], rtol=2e-3)
    np.testing.assert_allclose(y, 0, atol=1e-4)
    at = np.arange(43) - 21
    # A disc's variance across the split is R^2/4; the bilinear hat adds at most 1/4 of a pixel squared.
    assert (kernels[0].sum(1) * at**2).sum() == pytest.approx(radius**2 / 4, rel=5e-3)


def test_kernels_below_a_pixel_tend_to_a_delta():
    centre = np.asarray(optics.half_discs().kernels([0.5, 0.1, 0.01, 0.0], 9))[:, 0, 0, :, 4, 4]
    assert np.all(np.diff(centre, axis=0) > 0)
    np.testing.assert_allclose(centre[2], 1, atol=0.01)
    np.testing.assert_allclose(centre[3], 1, atol=1e-6)


def test_large_kernels_are_smooth_inside_the_disc():
    kernel = np.asarray(optics.half_discs().kernels([25.0], 61))[0, 0, 0, 0]
    inside = kernel[20:41, 12:27]
    assert inside.std() / inside.mean() < 2e-3


def test_pupil_kernels_differentiable_in_the_radius():
    pupil = optics.field_varying(1, 1, samples=41)
    transmission = jnp.asarray(pupil.transmission)
    weights = jax.random.normal(jax.random.key(0), (1, 1, 1, 2, 15, 15))

    def project(radius):
        return (optics.pupil_kernels(transmission, radius[None], pupil.extent, 15) * weights).sum()

    # The hat has kinks, so single slopes jump; their mean over an interval is the difference of its ends.
    slopes = jax.vmap(jax.grad(project))(jnp.linspace(3.0, 4.0, 201))
    rise = project(jnp.float32(4.0)) - project(jnp.float32(3.0))
    assert slopes.mean() == pytest.approx(float(rise), rel=1e-2)


def test_field_varying_imitates_the_grid_of_the_pixel_4():
    pupil = optics.field_varying()
    kernels = np.asarray(pupil.kernels([10.4], 61))[0]
    assert kernels.shape == (6, 8, 2, 61, 61)
    x, _ = moments(kernels)
    distance = x[..., 1] - x[..., 0]
    # Varying over the field, asymmetric between the views, darker in the corners.
    assert np.ptp(distance) > 0.5 and distance.min() > 3
    flipped = kernels[..., ::-1]
    assert np.abs(flipped[0, 0, 0] - kernels[0, 0, 1]).max() > 0.1 * kernels.max()
    light = pupil.vignetting.sum(-1)
    assert light[0, 0] < 0.9 * light[2, 3]
    # Without the asymmetry, mirroring the field about its middle column swaps the views; with it, not quite.
    assert np.abs(flipped[:, ::-1, ::-1] - kernels).max() > 0.01 * kernels.max()
    kernels = np.asarray(optics.field_varying(asymmetry=0.0).kernels([10.4], 61))[0]
    np.testing.assert_allclose(kernels[:, ::-1, ::-1, :, ::-1], kernels, atol=1e-6)


def test_kernel_size_too_small_or_even_is_refused():
    pupil = optics.half_discs()
    needed = pupil.kernel_size(9.5)
    pupil.kernels([9.5], needed)
    for size in (needed - 2, needed + 1):
        with pytest.raises(InputError, match=f"at least {needed}"):
            pupil.kernels([9.5], size)


@pytest.mark.parametrize("options", [{"rows": 0}, {"edge": 0.0}, {"cats_eye": 1.5}, {"asymmetry": -0.1}])
def test_field_varying_refuses_impossible_shapes(options):
    with pytest.raises(InputError, match="field_varying"):
        optics.field_varying(**options)


def test_butterworth_refuses_a_rising_edge():
    with pytest.raises(InputError, match="order"):
        optics.butterworth(0.5)


@functools.cache
def calibration():
    kernels = np.asarray(optics.field_varying(2, 3).kernels([5.0], 21))[0]
    ramp = np.linspace(0.5, 0.1, 60, dtype=np.float32)
    white = np.stack([np.tile(ramp, (40, 1)), np.tile(ramp[::-1], (40, 1))])
    return data.Calibration(kernels, white)


def test_calibrated_kernels_take_the_pupils_place():
    known = calibration()
    pupil = optics.CalibratedPupil(known, radius=5.0)
    kernels = np.asarray(pupil.kernels([5.0, -5.0, 0.0, 2.5], 21))
    np.testing.assert_allclose(kernels[0], known.kernels, atol=1e-5)
    np.testing.assert_allclose(kernels[1], known.kernels[..., ::-1, ::-1], atol=1e-5)
    np.testing.assert_allclose(kernels[2, ..., 10, 10], 1, atol=1e-6)
    expected = np.asarray(optics.field_varying(2, 3).kernels([2.5], 21))[0]
    np.testing.assert_allclose(moments(kernels[3])[0], moments(expected)[0], atol=0.05)


def test_calibrated_vignetting_is_the_white_sheets_mean_in_each_cell():
    vignetting = optics.CalibratedPupil(calibration(), radius=5.0).vignetting
    ramp = np.linspace(0.5, 0.1, 60).reshape(3, 20).mean(1) / 0.5
    np.testing.assert_allclose(vignetting[:, :, 0] / vignetting.max(), [ramp / ramp.max()] * 2, rtol=1e-5)
    np.testing.assert_allclose(vignetting[:, ::-1, 1], vignetting[:, :, 0], rtol=1e-5)


def test_calibrated_kernels_refuse_another_size():
    with pytest.raises(InputError, match="21"):
        optics.CalibratedPupil(calibration(), radius=5.0).kernels([1.0], 31)
    with pytest.raises(InputError, match="radius"):
        optics.CalibratedPupil(calibration(), radius=0.0)
