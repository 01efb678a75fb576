"""The programme against dense matrices and another solver."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from charts import GRID, SIZE, random_kernels, small_chart, views_of
from scipy.optimize import minimize

from dpdefocus import calibration
from dpdefocus.calibration.quadratic_programme import Weights

WEIGHTS = Weights(0.3, 1e-3, 1e-2)


@pytest.fixture(scope="module")
def truth():
    return random_kernels()


@pytest.fixture(scope="module")
def chart():
    return small_chart()


@pytest.fixture(scope="module")
def cells(chart, truth):
    """The programme of noisy views, some pixels of which are not known."""
    views = views_of(chart, truth)
    rng = np.random.default_rng(1)
    views += 3e-3 * rng.standard_normal(views.shape).astype(np.float32)
    views[rng.random(views.shape) < 0.1] = np.nan
    return calibration.cut_cells(chart, views, GRID, SIZE)


def dense(cells, weights, cell, view):
    """Q, q and the constant of E(k) = ½ kᵀQk + qᵀk + constant, from matrices built pixel by pixel."""
    height, width = cells.target.shape[-2:]
    columns = []
    for pixel in np.eye(SIZE * SIZE, dtype=np.float32).reshape(-1, SIZE, SIZE):
        kernels = jnp.broadcast_to(jnp.asarray(pixel), (*cells.target.shape[:2], SIZE, SIZE))
        columns.append(np.asarray(calibration.blurred(cells, kernels))[cell, view].ravel())
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
    ours = np.asarray(calibration.blurred(cells, kernels)) * np.asarray(cells.contrast)[:, None, None, None]
    # Up to each cell's mean, which is taken from s and b: the unknown pixels were made zero.
    exact = views_of(chart, truth).reshape(2, 2, 18, 2, 20).transpose(1, 3, 0, 2, 4).reshape(4, 2, 18, 20)
    means = (exact - ours).mean((2, 3), keepdims=True)
    assert np.abs(exact - ours - means).max() < 1e-5
    rng = np.random.default_rng(2)
    x = jnp.asarray(rng.standard_normal((4, 2, SIZE, SIZE)), jnp.float32)
    y = jnp.asarray(rng.standard_normal(cells.target.shape), jnp.float32)
    forth = float((calibration.blurred(cells, x) * y).sum())
    back = float((x * calibration.blurred_adjoint(cells, y, SIZE)).sum())
    assert forth == pytest.approx(back, rel=1e-4)


def test_energy_and_gradient_are_those_of_dense_matrices(cells):
    rng = np.random.default_rng(3)
    kernels = rng.standard_normal((4, 2, SIZE, SIZE)).astype(np.float32)
    energy, gradient = calibration.energy_and_gradient(cells, jnp.asarray(kernels), WEIGHTS)
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
    ours = np.asarray(jax.jit(calibration.project)(jnp.asarray(kernels, jnp.float32)))
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
    """Rounding must not make the thresholds of some kernels go up and down for ever, all waiting for them."""
    rng = np.random.default_rng(1)
    kernels = np.where(rng.random((30, 2, 31, 31)) < 0.3, rng.random((30, 2, 31, 31)), 0).astype(np.float32)
    kernels /= kernels[..., 1:-1, 1:-1].sum((-2, -1), keepdims=True)
    noise = 1e-9 * rng.standard_normal(kernels.shape) * (rng.random(kernels.shape) < 0.9)
    done = np.asarray(jax.jit(calibration.project)(jnp.asarray(kernels + noise.astype(np.float32))))
    assert done.sum((-2, -1)) == pytest.approx(1, abs=1e-5)


def test_projection_leaves_feasible_kernels_alone(truth):
    kernels = jnp.asarray(truth.reshape(4, 2, SIZE, SIZE))
    assert np.abs(np.asarray(calibration.project(kernels)) - np.asarray(kernels)).max() < 1e-6


@pytest.fixture(scope="module")
def minimiser(cells):
    start = calibration.first_guess(4, 2, SIZE)
    return calibration.minimise(cells, WEIGHTS, start, 1e-4, 4000, "test")


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
    gradient = np.asarray(calibration.energy_and_gradient(cells, kernels, WEIGHTS)[1])[..., 1:-1, 1:-1]
    inner = np.asarray(kernels)[..., 1:-1, 1:-1]
    scale = np.abs(calibration.blurred_adjoint(cells, cells.target, SIZE)).max()
    for slope, kernel in zip(gradient.reshape(8, -1), inner.reshape(8, -1), strict=True):
        level = slope[kernel > 1e-3].mean()
        assert np.abs(slope[kernel > 1e-3] - level).max() < 2e-3 * scale
        assert (slope - level).min() > -2e-3 * scale


def test_gap_bounds_the_distance_from_the_least_energy(cells, minimiser):
    best = np.asarray(calibration.energy_and_gradient(cells, minimiser[0], WEIGHTS)[0])
    for most in (20, 60):
        early, gap, iterations = calibration.minimise(
            cells, WEIGHTS, calibration.first_guess(4, 2, SIZE), 1e-9, most, "test"
        )
        energy = np.asarray(calibration.energy_and_gradient(cells, early, WEIGHTS)[0])
        assert iterations == most
        assert ((energy - best) / best).max() <= gap * 1.001 + 1e-5
