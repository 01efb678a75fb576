import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import fast
from dpdefocus.fast import deconvolution
from dpdefocus.fast.layers import layer_weights
from dpdefocus.fast.settings import DeconvolutionSettings, SplittingSettings
from dpdefocus.fast.wiener import noise_to_signal, wiener_estimate
from dpdefocus.optics.kernels import scaled_spectra

SCALES = jnp.array([1.0, 0.8, 0.6, 0.4])
MISFIT = 1e-4


def deblur(views, kernels, scales, weights, reach, sparsity, tolerance, **others):
    """The library's, with margins for these layers and some settings changed."""
    settings = DeconvolutionSettings(sparsity=sparsity, residual_tolerance=tolerance, **others)
    margin = fast.tile_margin(reach, scales)
    return fast.deblur(views, kernels, scales, weights, reach, margin, settings)


def gaussian_views(size, deviation, parallax):
    y, x = np.mgrid[:size, :size] - size // 2
    views = np.stack(
        [np.exp(-(y**2 + (x - side) ** 2) / (2 * deviation**2)) for side in (-parallax, parallax)]
    )
    return (views / views.sum((-2, -1), keepdims=True)).astype(np.float32)


def alike(views):
    """The views for each layer: nothing is in front of another."""
    return jnp.broadcast_to(views, (len(SCALES), *views.shape))


def test_weights_sum_to_one_and_have_the_right_mean():
    defocus = jnp.asarray(np.random.default_rng(0).uniform(0.3, 1.1, (5, 6)), jnp.float32)
    weights = layer_weights(defocus, SCALES)
    np.testing.assert_allclose(weights.sum(0), 1, atol=1e-5)
    mean = (weights * SCALES[:, None, None]).sum(0)
    np.testing.assert_allclose(mean, jnp.clip(defocus, 0.4, 1.0), atol=1e-5)


def test_a_single_layer_has_all_the_weight():
    np.testing.assert_array_equal(layer_weights(jnp.linspace(0, 1, 6).reshape(2, 3), SCALES[:1]), 1)


@pytest.mark.parametrize(("tile", "core"), [(40, 20), (37, 16), (31, 31)])
def test_residuals_are_averaged_around_their_own_pixel(tile, core):
    margin = (tile - core) // 2
    means = np.asarray(deconvolution._window_means(tile, core, 2.0))
    assert means.shape == (core, tile)
    np.testing.assert_allclose(means.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(means.argmax(1), margin + np.arange(core))
    line = np.random.default_rng(8).random(tile)
    weight = np.exp(-((np.arange(tile) - margin - 5) ** 2) / 8)
    np.testing.assert_allclose(means[5] @ line, (weight * line).sum() / weight.sum(), rtol=1e-5)


def test_deconvolution_lowers_its_objective():
    """Below the objective of the blurred views, the Wiener estimate, perturbed solutions and, for gradients
    sparser than total variation's, of total variation's solution; that one is not far above the truth.

    Four steps of splitting stop short of the minimum.
    """
    rng = np.random.default_rng(1)
    shape, sparsity = (32, 32), 3e-3
    sharp = np.zeros(shape, np.float32)
    sharp[8:20, 10:24] = 1
    fy, fx = jnp.fft.fftfreq(32), jnp.fft.rfftfreq(32)
    kernels = scaled_spectra(jnp.asarray(gaussian_views(15, 1.5, 1.0)), jnp.float32(1), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * kernels, s=shape)
    views += jnp.asarray(0.005 * rng.standard_normal((2, *shape)), jnp.float32)
    spectra = jnp.fft.rfft2(views)
    start = jnp.fft.irfft2(wiener_estimate(spectra, kernels, noise_to_signal(fy, fx)), s=shape)

    def objective(image, exponent):
        residual = np.fft.irfft2(np.fft.rfft2(image) * np.asarray(kernels), s=shape) - np.asarray(views)
        dy, dx = np.roll(image, -1, 0) - image, np.roll(image, -1, 1) - image
        return 0.5 * (residual**2).sum() + sparsity * (np.hypot(dy, dx) ** exponent).sum()

    def error(image):
        return np.abs(np.asarray(image) - sharp).mean()

    sparsest = SplittingSettings().sparseness
    found = {}
    for exponent in (1.0, sparsest):
        splitting = SplittingSettings(sparseness=exponent)
        found[exponent] = np.asarray(
            fast.sparse_deconvolution(spectra, kernels, shape, fy, fx, sparsity, splitting)
        )
        at_solution = objective(found[exponent], exponent)
        assert at_solution < 0.7 * objective(np.asarray(start), exponent)
        assert at_solution < objective(np.asarray(views.mean(0)), exponent)
        for _ in range(5):
            assert at_solution < objective(found[exponent] + 0.02 * rng.standard_normal(shape), exponent)
    assert objective(found[1.0], 1.0) < 1.25 * objective(sharp, 1.0)
    assert objective(found[sparsest], sparsest) < objective(found[1.0], sparsest)
    assert error(found[sparsest]) < error(found[1.0]) < 0.7 * error(start)


def test_one_plane_comes_back_sharp_without_seams():
    rng = np.random.default_rng(2)
    sharp = np.kron(rng.random((12, 16)), np.ones((6, 6))).astype(np.float32)
    kernels = gaussian_views(17, 1.2, 1.5)
    fy, fx = jnp.fft.fftfreq(72), jnp.fft.rfftfreq(96)
    response = scaled_spectra(jnp.asarray(kernels), jnp.float32(0.8), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * response, s=(72, 96))
    grid = jnp.asarray(np.broadcast_to(kernels, (2, 3, *kernels.shape)))
    weights = layer_weights(jnp.full((72, 96), 0.8), SCALES)
    found = np.asarray(deblur(alike(views), grid, SCALES, weights, 6.0, 1e-4, MISFIT)[0])
    inside = np.s_[10:-10, 10:-10]
    before = np.abs(np.asarray(views.mean(0)) - sharp)[inside].mean()
    after = np.abs(found - sharp)[inside]
    assert after.mean() < 0.5 * before
    at_seams = after[:, [14, 37, 61]].mean()  # the borders of the grid's cells are no worse than the rest
    assert at_seams < 2 * after.mean()


@pytest.mark.parametrize("grid", [(2, 3), (1, 1)])
def test_sizes_that_the_grid_does_not_divide(grid):
    kernels = gaussian_views(9, 1.2, 0.5)
    tiles = jnp.asarray(np.broadcast_to(kernels, (*grid, *kernels.shape)))
    views = jnp.full((2, 41, 53), 0.5)
    weights = layer_weights(jnp.full((41, 53), 0.6), SCALES)
    found = deblur(alike(views), tiles, SCALES, weights, 3.0, 1e-3, MISFIT)[0]
    np.testing.assert_allclose(found, 0.5, atol=1e-3)


def test_too_much_blur_is_not_undone():
    """A plane at 0.7 that is taken for 1.1: the share goes to the layer that explains it.

    Among the layers tried must be those a little nearer; the nearest of all undoes too little.
    """
    scales = jnp.array([1.1, 0.9, 0.7, 0.5, 0.3, 0.1])
    rng = np.random.default_rng(3)
    sharp = np.kron(rng.random((10, 20)), np.ones((6, 6))).astype(np.float32)
    kernels = gaussian_views(17, 1.6, 2.5)
    fy, fx = jnp.fft.fftfreq(60), jnp.fft.rfftfreq(120)
    response = scaled_spectra(jnp.asarray(kernels), jnp.float32(0.7), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * response, s=(60, 120))
    grid = jnp.asarray(np.broadcast_to(kernels, (1, 1, *kernels.shape)))
    right = jnp.full((60, 120), 0.7)
    wrong = jnp.full((60, 120), 1.1)

    def error(sizes, tolerance, **others):
        weights = layer_weights(sizes, scales)
        each = jnp.broadcast_to(views, (len(scales), *views.shape))
        found = np.asarray(deblur(each, grid, scales, weights, 6.0, 1e-4, tolerance, **others)[0])
        return np.abs(found - sharp)[12:-12, 12:-12].mean()

    known, trusted, guarded = error(right, MISFIT), error(wrong, 1e6), error(wrong, MISFIT)
    with_the_nearest_only = error(wrong, MISFIT, nearer=())
    assert min(trusted, with_the_nearest_only) > 1.8 * known
    assert with_the_nearest_only < 3 * known  # soft, not black
    assert guarded < 1.1 * known


def test_no_step_where_the_tiles_of_the_grid_meet():
    """A plane at 0.5, taken for 1.1 in two thirds of the image: the same shares pass on in all tiles, also in
    those in which the layer at 0.5, which is no rival of the one at 1.1, shows by itself.

    The texture repeats from tile to tile, so that the same columns of neighbouring tiles can be compared.
    """
    scales = jnp.array([1.1, 0.9, 0.7, 0.5, 0.3, 0.1])
    rng = np.random.default_rng(6)
    sharp = np.tile(np.kron(rng.random((12, 12)), np.ones((5, 5))), (1, 3)).astype(np.float32)
    kernels = gaussian_views(17, 1.6, 2.5)
    fy, fx = jnp.fft.fftfreq(60), jnp.fft.rfftfreq(180)
    response = scaled_spectra(jnp.asarray(kernels), jnp.float32(0.5), fy, fx)
    views = jnp.fft.irfft2(jnp.fft.rfft2(sharp)[None] * response, s=sharp.shape)
    grid = jnp.asarray(np.broadcast_to(kernels, (1, 3, *kernels.shape)))
    sizes = jnp.broadcast_to(jnp.where(jnp.arange(180) < 120, 1.1, 0.5), sharp.shape)
    each = jnp.broadcast_to(views, (len(scales), *views.shape))
    weights = layer_weights(sizes, scales)
    found, shares = map(np.asarray, deblur(each, grid, scales, weights, 6.0, 1e-4, MISFIT))
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-5)
    moved = shares[2:, 12:-12, :115].sum(0)  # from 1.1 to layers at least two nearer
    assert moved.mean() > 0.5 and not weights[2:, :, :115].any()
    wrong = np.abs(found - sharp)[12:-12].mean(0)
    first, second = wrong[30:50], wrong[90:110]  # one period apart, where tiles 1 and 2 meet tiles 2 and 3
    np.testing.assert_allclose(first, second, rtol=0.2)
    assert second.mean() > 1.5 * wrong[130:150].mean()


def shares(weights, unexplained, misfit):
    """The rule of `reassign_to_nearer_layers`, pixel by pixel."""
    last = len(weights) - 1
    found = np.zeros_like(weights)
    for layer, y, x in np.ndindex(weights.shape):
        line = [min(layer + step, last) for step in (0, *DeconvolutionSettings().nearer)] + [last]
        limit = DeconvolutionSettings().leeway * min(unexplained[rival, y, x] for rival in line) + misfit
        share = weights[layer, y, x]
        for rival in line:
            kept = share * min(max(2 - unexplained[rival, y, x] / limit, 0), 1)
            found[rival, y, x] += kept
            share -= kept
    return found


def test_shares_pass_from_rival_to_nearer_rival():
    """Against the rule taken pixel by pixel; shares still sum to one, and most of them have moved."""
    rng = np.random.default_rng(4)
    layers, misfit = 9, 0.02
    weights = rng.dirichlet(np.ones(layers), size=(6, 7)).transpose(2, 0, 1)
    unexplained = rng.exponential(0.5, (layers, 6, 7))
    expected = shares(weights, unexplained, misfit)
    found = fast.reassign_to_nearer_layers(
        jnp.asarray(weights, jnp.float32), jnp.asarray(unexplained, jnp.float32), jnp.float32(misfit)
    )
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-5)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected - weights).max() > 0.3


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_no_share_goes_on_where_all_layers_explain_the_views_alike(layers):
    weights = jnp.asarray(np.random.default_rng(5).dirichlet(np.ones(layers), (3, 3)).T, jnp.float32)
    for left, misfit in ((0.2, 1e-4), (0.2, 0.0), (0.0, 0.0)):
        unexplained = jnp.full((layers, 3, 3), left)
        np.testing.assert_array_equal(
            fast.reassign_to_nearer_layers(weights, unexplained, jnp.float32(misfit)), weights
        )


def test_views_that_are_sharp_already_are_left_alone():
    """Kernels of one pixel have no reach: nothing is undone."""
    kernels = np.zeros((2, 3, 2, 3, 3), np.float32)
    kernels[..., 1, 1] = 1
    sharp = jnp.asarray(np.kron(np.random.default_rng(7).random((6, 8)), np.ones((6, 6))), jnp.float32)
    views = jnp.broadcast_to(sharp, (2, *sharp.shape))
    weights = layer_weights(jnp.full(sharp.shape, 0.6), SCALES)
    found = deblur(alike(views), jnp.asarray(kernels), SCALES, weights, 0.0, 1e-6, MISFIT)[0]
    np.testing.assert_allclose(found, sharp, atol=0.02)
