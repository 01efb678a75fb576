"""Parametric kernels: found again where they are known, and kernels between the cells of a grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dpdefocus import optics
from dpdefocus.optics.kernel_models import PARAMETERS
from dpdefocus.support.errors import InputError

SIZE = 15


@pytest.fixture(scope="module")
def grid():
    """A field of kernels of `lens`, made of rays, not by the model's own formula."""
    return np.asarray(optics.field_varying(4, 5, asymmetry=0.0, samples=61).kernels([4.5], SIZE))[0]


@pytest.fixture(scope="module")
def field(grid):
    return optics.fit_field(grid, 2)


def test_kernels_of_a_lens_are_of_the_family(grid):
    cells = optics.fit_cells(grid)
    assert cells.errors.max() < 0.05
    # What they were made with, where the barrel's rim stays outside; the rays' bilinear landing makes the
    # kernels a little wider.
    inner = cells.parameters[1:3, 1:4]
    assert np.abs(np.exp(inner[..., PARAMETERS.index("log_radius")]) / 4.5 - 1).max() < 0.1
    assert np.abs(inner[..., :2]).max() < 0.15


def test_known_parameters_come_back():
    known = np.array([0.7, -1.2, np.log(4.0), np.log(0.4), 0.1, -0.3, 0.2, np.log(0.8), 0.3], np.float32)
    kernels = np.asarray(optics.model_kernels(jnp.asarray(known), SIZE))[None, None]
    assert kernels.sum((-2, -1)) == pytest.approx(1, abs=1e-5)
    cells = optics.fit_cells(kernels)
    assert cells.errors.max() < 2e-3
    assert np.abs(cells.parameters[0, 0] - known).max() < 0.05


def test_mirrored_kernels_are_of_the_family_too(grid):
    """On the other side of focus the views' shifts are opposite: half a turn."""
    mirrored = optics.fit_cells(np.ascontiguousarray(grid[:1, :1, :, ::-1, ::-1]))
    assert mirrored.errors.max() < 0.05
    assert abs(abs(mirrored.parameters[0, 0, 8]) - np.pi) < 0.3


def test_derivative_agrees_with_differences():
    start = jnp.array([0.3, -0.4, np.log(4.2), np.log(0.5), 0.1, 0.2, -0.1, np.log(0.9), 0.2])
    weights = jnp.asarray(np.random.default_rng(0).standard_normal((2, SIZE, SIZE)), jnp.float32)
    value = jax.jit(lambda p: (optics.model_kernels(p, SIZE) * weights).sum())
    slope = np.asarray(jax.grad(value)(start))
    for index in range(len(PARAMETERS)):
        step = jnp.zeros(len(PARAMETERS)).at[index].set(1e-2)
        difference = float(value(start + step) - value(start - step)) / 2e-2
        assert slope[index] == pytest.approx(difference, abs=0.02 * float(np.abs(slope).max()))


def test_the_field_is_smooth_in_few_numbers(grid, field):
    assert field.coefficients.shape == (6, len(PARAMETERS))
    assert field.errors.max() < 0.06
    rougher = optics.fit_field(grid, 0)
    assert rougher.errors.mean() > 2 * field.errors.mean()


def test_errors_are_those_of_the_kernels(grid, field):
    positions = optics.cell_positions(4, 5)
    again = field.kernels(positions, SIZE)
    difference = np.linalg.norm((again - grid).reshape(4, 5, 2, -1), axis=-1)
    assert field.errors == pytest.approx(difference / np.linalg.norm(grid.reshape(4, 5, 2, -1), axis=-1))


def test_positions_are_the_centres_of_the_cells():
    positions = optics.cell_positions(2, 4)
    assert positions[0, 0].tolist() == [-0.5, -0.75] and positions[1, 3].tolist() == [0.5, 0.75]


def test_kernels_at_the_centres_are_the_grid_s_own(grid, field):
    positions = optics.cell_positions(4, 5)
    assert np.abs(optics.interpolated(grid, positions) - grid).max() < 1e-6
    assert np.abs(optics.interpolated(grid, positions, field) - grid).max() < 1e-5
    corner = np.array([[-1.0, -1.0]])
    assert np.abs(optics.interpolated(grid, corner)[0] - grid[0, 0]).max() < 1e-6


def test_kernels_left_out_are_foretold_better_with_a_model():
    """Of a field of 5 x 7 kernels, every other one is known."""
    whole = np.array(optics.field_varying(5, 7, samples=61).kernels([4.5], SIZE))[0]
    # A shift that grows outwards, as distortion of the chart's geometry leaves it.
    positions = optics.cell_positions(5, 7)
    for row, col in np.ndindex(5, 7):
        f = np.exp(-2j * np.pi * np.fft.fftfreq(SIZE) * 1.5 * positions[row, col][:, None])
        spectrum = np.fft.fft2(whole[row, col]) * f[0][:, None] * f[1][None]
        whole[row, col] = np.maximum(np.fft.ifft2(spectrum).real, 0)
    whole /= whole.sum((-2, -1), keepdims=True)
    known = whole[::2, ::2]
    between = whole[1::2, 1::2]
    # Positions of the left-out cells in the frame that the known ones fill.
    y, x = (2 * (np.arange(cells) + 1) / (cells + 1) - 1 for cells in (2, 3))
    places = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)
    model = optics.fit_field(known, 2)
    mixed = optics.relative_errors(optics.interpolated(known, places), between)
    modelled = optics.relative_errors(optics.interpolated(known, places, model), between)
    assert modelled.mean() < 0.7 * mixed.mean()


def test_what_no_model_can_be_of_is_refused(grid):
    with pytest.raises(InputError, match="expected 0 to 3"):
        optics.fit_field(grid, 4)
    in_focus = grid.mean(2, keepdims=True).repeat(2, axis=2)
    with pytest.raises(InputError, match="kernels out of focus"):
        optics.fit_cells(in_focus)
