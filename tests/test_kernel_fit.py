"""Kernels from a chart: the programme against dense matrices and another solver, and known kernels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.signal import fftconvolve

from dpdefocus import data, kernel_fit, lens
from dpdefocus.errors import InputError
from dpdefocus.kernel_fit import KernelFitSettings, Weights

SIZE = 7
GRID = (2, 2)
WEIGHTS = Weights(0.3, 1e-3, 1e-2)


def discs(height, width, pitch=9.0, radius=3.0):
    """White discs on grey, in a grid that is turned a little."""
    y, x = np.mgrid[:height, :width]
    u, v = 0.98 * x - 0.2 * y, 0.2 * x + 0.98 * y
    nearest = np.hypot(u - pitch * np.rint(u / pitch), v - pitch * np.rint(v / pitch))
    return (0.1 + 0.5 * np.clip(radius - nearest + 0.5, 0, 1)).astype(np.float32)


def views_of(sharp, kernels):
    """Each cell blurred with its own kernels; `sharp` reaches half a kernel beyond."""
    rows, cols, _, size, _ = kernels.shape
    height, width = ((n - size + 1) // c for n, c in zip(sharp.shape, (rows, cols), strict=True))
    out = np.empty((2, rows * height, cols * width), np.float32)
    for row in range(rows):
        for col in range(cols):
            top, left = row * height, col * width
            seen = sharp[top : top + height + size - 1, left : left + width + size - 1]
            for view in range(2):
                tile = fftconvolve(seen, kernels[row, col, view], "valid")
                out[view, top : top + height, left : left + width] = tile
    return out


@pytest.fixture(scope="module")
def truth():
    """Random kernels with an empty rim."""
    kernels = np.random.default_rng(0).random((*GRID, 2, SIZE, SIZE)).astype(np.float32) ** 3
    kernels[..., [0, -1], :] = 0
    kernels[..., :, [0, -1]] = 0
    return kernels / kernels.sum((-2, -1), keepdims=True)


@pytest.fixture(scope="module")
def chart():
    return discs(36 + SIZE - 1, 40 + SIZE - 1)


@pytest.fixture(scope="module")
def cells(chart, truth):
    """The programme of noisy views, some pixels of which are not known."""
    views = views_of(chart, truth)
    rng = np.random.default_rng(1)
    views += 3e-3 * rng.standard_normal(views.shape).astype(np.float32)
    views[rng.random(views.shape) < 0.1] = np.nan
    return kernel_fit.cut_cells(chart, views, GRID, SIZE)


def dense(cells, weights, cell, view):
    """Q, q and the constant of E(k) = ½ kᵀQk + qᵀk + constant, from matrices built pixel by pixel."""
    height, width = cells.target.shape[-2:]
    columns = []
    for pixel in np.eye(SIZE * SIZE, dtype=np.float32).reshape(-1, SIZE, SIZE):
        kernels = jnp.broadcast_to(jnp.asarray(pixel), (*cells.target.shape[:2], SIZE, SIZE))
        columns.append(np.asarray(kernel_fit.blurred(cells, kernels))[cell, view].ravel())
    blur = np.stack(columns, 1).astype(np.float64)
    known = np.asarray(cells.known)[cell, view].astype(bool)
    target = np.asarray(cells.target, np.float64)[cell, view].ravel()
    index = np.arange(height * width).reshape(height, width)
    kept = np.eye(height * width)[index[known]]
    rows = [kept - kept.mean(0)]  # the residual's mean does not count
    for first, second in ((index[:-1], index[1:]), (index[:, :-1], index[:, 1:])):
        both = known.ravel()[first] & known.ravel()[second]
        difference = np.eye(height * width)[second[both]] - np.eye(height * width)[first[both]]
        rows.append(np.sqrt(weights.gradients) * difference)
    data_rows = np.concatenate(rows)
    # ‖∇k‖² with zero outside: differences of the kernel in a wider field of zeros.
    wide = np.zeros((SIZE * SIZE, SIZE + 2, SIZE + 2))
    wide[:, 1:-1, 1:-1] = np.eye(SIZE * SIZE).reshape(-1, SIZE, SIZE)
    slopes = [np.diff(wide, axis=axis).reshape(SIZE * SIZE, -1) for axis in (1, 2)]
    rough = sum(slope @ slope.T for slope in slopes)
    offset = np.arange(SIZE) - SIZE // 2
    distance = (offset[:, None] ** 2 + offset**2) / (2 * (SIZE // 2) ** 2)
    a, b = data_rows @ blur, data_rows @ target
    quadratic = a.T @ a + weights.smoothness * rough
    return quadratic, weights.compactness * distance.ravel() - a.T @ b, 0.5 * b @ b


def test_blur_is_convolution_and_its_adjoint_is_one(chart, cells, truth):
    kernels = jnp.asarray(truth.reshape(4, 2, SIZE, SIZE))
    ours = np.asarray(kernel_fit.blurred(cells, kernels)) * np.asarray(cells.contrast)[:, None, None, None]
    # Up to each cell's mean, which is taken from s and b: the unknown pixels were made zero.
    exact = views_of(chart, truth).reshape(2, 2, 18, 2, 20).transpose(1, 3, 0, 2, 4).reshape(4, 2, 18, 20)
    means = (exact - ours).mean((2, 3), keepdims=True)
    assert np.abs(exact - ours - means).max() < 1e-5
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.standard_normal((4, 2, SIZE, SIZE)), jnp.float32)
    y = jnp.asarray(rng.standard_normal(cells.target.shape), jnp.float32)
    forth = float((kernel_fit.blurred(cells, x) * y).sum())
    back = float((x * kernel_fit.blurred_adjoint(cells, y, SIZE)).sum())
    assert forth == pytest.approx(back, rel=1e-4)


def test_energy_and_gradient_are_those_of_dense_matrices(cells):
    rng = np.random.default_rng(3)
    kernels = rng.standard_normal((4, 2, SIZE, SIZE)).astype(np.float32)
    energy, gradient = kernel_fit.energy_and_gradient(cells, jnp.asarray(kernels), WEIGHTS)
    for cell, view in ((0, 0), (3, 1)):
        quadratic, linear, constant = dense(cells, WEIGHTS, cell, view)
        k = kernels[cell, view].ravel().astype(np.float64)
        assert float(energy[cell, view]) == pytest.approx(
            0.5 * k @ quadratic @ k + linear @ k + constant, rel=1e-4
        )
        expected = (quadratic @ k + linear).reshape(SIZE, SIZE)
        assert np.abs(np.asarray(gradient)[cell, view] - expected).max() < 1e-4 * np.abs(expected).max()


def test_projection_is_the_nearest_feasible_kernel():
    """Against bisection on the threshold, whose sum falls as it rises."""
    rng = np.random.default_rng(4)
    kernels = (
        rng.standard_normal((3, 2, SIZE, SIZE)).astype(np.float32)
        * np.array([0.01, 1, 100])[:, None, None, None]
    )
    ours = np.asarray(jax.jit(kernel_fit.project)(jnp.asarray(kernels, jnp.float32)))
    inner = kernels[..., 1:-1, 1:-1].astype(np.float64)
    low, high = inner.min((-2, -1), keepdims=True) - 1, inner.max((-2, -1), keepdims=True)
    for _ in range(100):
        middle = 0.5 * (low + high)
        above = np.maximum(inner - middle, 0).sum((-2, -1), keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    assert np.abs(ours[..., 1:-1, 1:-1] - np.maximum(inner - low, 0)).max() < 1e-4
    assert ours.sum((-2, -1)) == pytest.approx(1, abs=1e-4) and ours.min() >= 0
    rim = ours.copy()
    rim[..., 1:-1, 1:-1] = 0
    assert np.all(rim == 0)


def test_projection_ends_on_kernels_that_are_all_but_feasible():
    """Rounding must not make the thresholds of some kernels go up and down for ever, each keeping all waiting."""
    rng = np.random.default_rng(1)
    kernels = np.where(rng.random((30, 2, 31, 31)) < 0.3, rng.random((30, 2, 31, 31)), 0).astype(np.float32)
    kernels /= kernels[..., 1:-1, 1:-1].sum((-2, -1), keepdims=True)
    noise = 1e-9 * rng.standard_normal(kernels.shape) * (rng.random(kernels.shape) < 0.9)
    done = np.asarray(jax.jit(kernel_fit.project)(jnp.asarray(kernels + noise.astype(np.float32))))
    assert done.sum((-2, -1)) == pytest.approx(1, abs=1e-5)


def test_projection_leaves_feasible_kernels_alone(truth):
    kernels = jnp.asarray(truth.reshape(4, 2, SIZE, SIZE))
    assert np.abs(np.asarray(kernel_fit.project(kernels)) - np.asarray(kernels)).max() < 1e-6


@pytest.fixture(scope="module")
def minimiser(cells):
    settings = KernelFitSettings(tolerance=1e-4, most_iterations=4000)
    start = kernel_fit.first_guess(4, 2, SIZE)
    return kernel_fit.minimise(cells, WEIGHTS, start, settings, "test")


def test_minimiser_agrees_with_another_solver(cells, minimiser):
    kernels, gap, _ = minimiser
    inside = np.pad(np.ones((SIZE - 2, SIZE - 2), bool), 1).ravel()
    for cell, view in ((0, 1), (2, 0)):
        quadratic, linear, constant = dense(cells, WEIGHTS, cell, view)
        quadratic, linear = quadratic[np.ix_(inside, inside)], linear[inside]
        found = minimize(
            lambda k, q=quadratic, c=linear: 0.5 * k @ q @ k + c @ k,
            np.full(inside.sum(), 1 / inside.sum()),
            jac=lambda k, q=quadratic, c=linear: q @ k + c,
            bounds=[(0, None)] * inside.sum(),
            constraints={"type": "eq", "fun": lambda k: k.sum() - 1, "jac": np.ones_like},
            method="SLSQP",
            options={"maxiter": 500, "ftol": 1e-14},
        )
        ours = np.asarray(kernels)[cell, view].ravel()[inside].astype(np.float64)
        energy = 0.5 * ours @ quadratic @ ours + linear @ ours
        assert energy + constant == pytest.approx(found.fun + constant, rel=1e-3)
        assert np.abs(ours - found.x).max() < 2e-3 * found.x.max() + 1e-4
    assert gap <= 1e-4


def test_minimiser_meets_the_conditions_of_karush_kuhn_and_tucker(cells, minimiser):
    """Where the kernel is positive all slopes are equal, and where it is zero they are no smaller."""
    kernels = minimiser[0]
    gradient = np.asarray(kernel_fit.energy_and_gradient(cells, kernels, WEIGHTS)[1])[..., 1:-1, 1:-1]
    inner = np.asarray(kernels)[..., 1:-1, 1:-1]
    scale = np.abs(kernel_fit.blurred_adjoint(cells, cells.target, SIZE)).max()
    for slope, kernel in zip(gradient.reshape(8, -1), inner.reshape(8, -1), strict=True):
        level = slope[kernel > 1e-3].mean()
        assert np.abs(slope[kernel > 1e-3] - level).max() < 2e-3 * scale
        assert (slope - level).min() > -2e-3 * scale


def test_gap_bounds_the_distance_from_the_least_energy(cells, minimiser):
    best = np.asarray(kernel_fit.energy_and_gradient(cells, minimiser[0], WEIGHTS)[0])
    for most in (20, 60):
        settings = KernelFitSettings(tolerance=1e-9, most_iterations=most)
        early, gap, iterations = kernel_fit.minimise(
            cells, WEIGHTS, kernel_fit.first_guess(4, 2, SIZE), settings, "test"
        )
        energy = np.asarray(kernel_fit.energy_and_gradient(cells, early, WEIGHTS)[0])
        assert iterations == most
        assert ((energy - best) / best).max() <= gap * 1.001 + 1e-5


@pytest.fixture(scope="module")
def fitted():
    """Kernels of a lens, as wide as the discs' pitch, from a photograph with a little noise."""
    kernels = np.asarray(lens.field_varying(*GRID, samples=41).kernels([3.5], 15))[0]
    sharp = discs(2 * 44 + 14, 2 * 48 + 14, pitch=13.0, radius=4.0)
    views = views_of(sharp, kernels)
    noise = np.random.default_rng(5).standard_normal(views.shape).astype(np.float32)
    views += np.sqrt(1.1e-6 * views + 1.1e-4**2) * noise
    fit = kernel_fit.fit_kernels(sharp, views, GRID, 15, KernelFitSettings(trial_cells=2))
    return kernels, sharp, views, fit


def test_known_kernels_come_back(fitted):
    kernels, _, _, fit = fitted
    error = np.sqrt(((fit.kernels - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.05
    assert np.abs(kernel_fit.centroids(fit.kernels) - kernel_fit.centroids(kernels)).max() < 0.1
    assert fit.kernels.min() >= 0 and np.abs(fit.kernels.sum((-2, -1)) - 1).max() < 1e-4
    noise = np.sqrt(1.1e-6 * 0.3 + 1.1e-4**2)
    assert fit.residuals.min() > 0.7 * noise and fit.residuals.max() < 1.5 * noise
    assert fit.gap <= KernelFitSettings().tolerance


def test_weights_are_those_that_the_held_out_pixels_chose(fitted):
    _, _, _, fit = fitted
    settings = KernelFitSettings()
    middle = settings.compactness[len(settings.compactness) // 2]
    smooth = [fit.trials[Weights(settings.gradients, value, middle)] for value in settings.smoothness]
    assert fit.weights.smoothness == settings.smoothness[int(np.argmin(smooth))]
    compact = [fit.trials[fit.weights._replace(compactness=value)] for value in settings.compactness]
    assert fit.trials[fit.weights] < 1.2 * min(compact)
    # More noise asks for more smoothness.
    _, sharp, views, _ = fitted
    loud = views + 0.05 * np.random.default_rng(6).standard_normal(views.shape).astype(np.float32)
    smoother = kernel_fit.fit_kernels(sharp, loud, GRID, 15, KernelFitSettings(trial_cells=2)).weights
    assert smoother.smoothness > fit.weights.smoothness


def test_a_view_brighter_than_the_chart_gives_the_same_kernels(fitted):
    kernels, sharp, views, fit = fitted
    settings = KernelFitSettings(smoothness=(fit.weights.smoothness,), compactness=(fit.weights.compactness,))
    brighter = kernel_fit.fit_kernels(sharp, 1.01 * views, GRID, 15, settings)
    assert np.abs(brighter.gains - 1.01).max() < 1e-3 and np.abs(fit.gains - 1).max() < 1e-3
    apart = kernel_fit.centroids(brighter.kernels) - kernel_fit.centroids(kernels)
    assert np.abs(apart).max() < 0.1


def test_unseen_surroundings_and_missing_pixels_are_left_out(fitted):
    kernels, sharp, views, fit = fitted
    settings = KernelFitSettings(smoothness=(fit.weights.smoothness,), compactness=(fit.weights.compactness,))
    cut = sharp[7:-7, 7:-7].copy()
    spoilt = views.copy()
    spoilt[:, 10:14, 60:70] = np.nan
    less = kernel_fit.fit_kernels(cut, spoilt, GRID, 15, settings).kernels
    error = np.sqrt(((less - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.06


def test_centroid_is_where_the_kernel_moves_the_chart():
    sharp = discs(44, 44)
    down_right = np.zeros((1, 1, 2, SIZE, SIZE), np.float32)
    down_right[0, 0, 0, SIZE // 2 + 1, SIZE // 2 + 2] = down_right[0, 0, 1, SIZE // 2, SIZE // 2] = 1
    left = views_of(sharp, down_right)[0]
    assert np.abs(left - np.roll(sharp, (1, 2), (0, 1))[3:-3, 3:-3]).max() < 1e-5
    assert kernel_fit.centroids(down_right)[0, 0].tolist() == [[1, 2], [0, 0]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sharp, views: (sharp, views, GRID, 8), "expected an odd number"),
        (lambda sharp, views: (sharp[3:], views, GRID, SIZE), "as much more on opposite sides"),
        (lambda sharp, views: (sharp, views, (0, 2), SIZE), "expected at least 1 x 1"),
        (lambda sharp, views: (0 * sharp + 0.5, views, GRID, SIZE), r"flat in cell \(0, 0\)"),
        (lambda sharp, views: (sharp, views * np.nan, GRID, SIZE), r"of cell \(0, 0\) only 0%"),
    ],
)
def test_what_cannot_be_fitted_is_named(chart, truth, change, message):
    with pytest.raises(InputError, match=message):
        kernel_fit.fit_kernels(*change(chart, views_of(chart, truth)))


def test_grades_tell_what_a_kernel_lacks(truth):
    kernel = truth[0, 0, 0]
    assert all(kernel_fit.grade(kernel, kernel).values())
    shifted = kernel_fit.grade(np.roll(kernel, 1, 0), kernel)
    assert not shifted["centroid within 0.1 pixels"] and not shifted["zero on the rim"]
    dimmer = kernel_fit.grade(0.99 * kernel, kernel)
    assert [name for name, good in dimmer.items() if not good] == ["sums to one"]
    with pytest.raises(InputError, match="holds no light"):
        kernel_fit.grade(0 * kernel, kernel)


@pytest.mark.parametrize(
    "wrong",
    [{"smoothness": (1e-3, 1e-2)}, {"compactness": ()}, {"held_out": 1.0}, {"trial_cells": 0}],
)
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match="KernelFitSettings"):
        KernelFitSettings(**wrong)


def test_kernels_of_the_pixel4_come_back(pixel4_folder):
    """One of the released grid's cells, 61 pixels wide, with the noise of a real capture."""
    kernels = data.load_calibration(pixel4_folder / "calibration").kernels[3:4, 3:4]
    sharp = discs(168 + 60, 168 + 60, pitch=48.0, radius=15.4)
    views = views_of(sharp, kernels)
    noise = np.random.default_rng(7).standard_normal(views.shape).astype(np.float32)
    views += np.sqrt(1.1e-6 * views + 1.1e-4**2) * noise
    settings = KernelFitSettings(smoothness=(1e-3,), compactness=(1e-4,))
    fit = kernel_fit.fit_kernels(sharp, views, (1, 1), 61, settings)
    error = np.sqrt(((fit.kernels - kernels) ** 2).sum((-2, -1)) / (kernels**2).sum((-2, -1)))
    assert error.mean() < 0.05
    assert np.abs(kernel_fit.centroids(fit.kernels) - kernel_fit.centroids(kernels)).max() < 0.1
