"""Parametric kernel pairs, of each cell or smooth over the field, and kernels between the cells' centres.

The paper leaves parametric models to future work (Sec. 6). This one is the aperture of `pupil.field_varying`
with free parameters. With u the kernel's pixel from the pair's own centre, in radii of the aperture,

    aperture(u) = S((1 − |u|) / edge) S((BARREL − |u + barrel|) / edge)
    share(u)    = S((split − u·n) / softness),   n = (sin turn, cos turn) along (y, x),
    left ∝ aperture share,   right ∝ aperture (1 − share),   each of unit sum,

S a smooth step from 0 at −1 to 1 at 1.

Axes   kernels [rows, cols, views, size, size]; parameters [rows, cols, parameters], in the order of
       `PARAMETERS`; positions [..., 2], (y, x) in the frame, -1 at its upper and left side, 1 at the lower
       and right; coefficients [terms, parameters] of polynomials of the position.
Units  shift in pixels; natural logarithms of the radius in pixels and of edge and softness in radii, which
       keep them positive; barrel and split in radii; turn in radians.
"""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import least_squares

from dpdefocus.optics.kernels import centroids, relative_errors
from dpdefocus.support.errors import InputError
from dpdefocus.support.progress_bar import progress

PARAMETERS = (
    "shift_y",
    "shift_x",
    "log_radius",
    "log_edge",
    "barrel_y",
    "barrel_x",
    "split",
    "log_softness",
    "turn",
)

# Radius of the lens barrel's rim, seen from the pupil, in radii of the aperture.
BARREL = 1.1

# The fit stops after a step that lowers the sum of squares by less than this fraction.
LEAST_GAIN = 1e-5


class CellModels(NamedTuple):
    """One set of parameters for each cell, and each kernel's relative L2 error."""

    parameters: Float[np.ndarray, "rows cols parameters"]
    errors: Float[np.ndarray, "rows cols views"]


@dataclass(frozen=True)
class FieldModel:
    """Polynomials over the frame, of the given order, for all parameters; errors as in `CellModels`."""

    coefficients: Float[np.ndarray, "terms parameters"]
    order: int
    errors: Float[np.ndarray, "rows cols views"]

    def parameters(self, positions: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n parameters"]:
        """Parameters at any positions in the frame."""
        return _terms(positions, self.order) @ self.coefficients

    def kernels(self, positions: Float[np.ndarray, "*n 2"], size: int) -> Float[np.ndarray, "*n 2 size size"]:
        """Kernel pairs at any positions in the frame."""
        return np.asarray(model_kernels(jnp.asarray(self.parameters(positions), jnp.float32), size))


@partial(jax.jit, static_argnames="size")
def model_kernels(
    parameters: Float[Array, "*n parameters"], size: int
) -> Float[Array, "*n views=2 size size"]:
    """The model's kernel pairs, differentiable in every parameter."""
    shift_y, shift_x, log_radius, log_edge, barrel_y, barrel_x, split, log_softness, turn = (
        parameters[..., index, None, None] for index in range(len(PARAMETERS))
    )
    offset = (jnp.arange(size) - size // 2).astype(jnp.float32)
    lead = (1,) * (parameters.ndim - 1)
    y = (offset.reshape(*lead, size, 1) - shift_y) / jnp.exp(log_radius)
    x = (offset.reshape(*lead, 1, size) - shift_x) / jnp.exp(log_radius)
    edge, softness = jnp.exp(log_edge), jnp.exp(log_softness)
    aperture = _step((1 - _length(y, x)) / edge)
    aperture = aperture * _step((BARREL - _length(y + barrel_y, x + barrel_x)) / edge)
    share = _step((split - y * jnp.sin(turn) - x * jnp.cos(turn)) / softness)
    pair = jnp.stack([aperture * share, aperture * (1 - share)], axis=-3)
    return pair / jnp.maximum(pair.sum((-2, -1), keepdims=True), 1e-6)


def cell_positions(rows: int, cols: int) -> Float[np.ndarray, "rows cols 2"]:
    """Where the cells' centres lie in the frame."""
    y, x = ((2 * np.arange(cells) + 1) / cells - 1 for cells in (rows, cols))
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


def fit_cells(kernels: Float[np.ndarray, "rows cols 2 size size"]) -> CellModels:
    """The model's parameters of each cell on its own, by least squares.

    Where the barrel cuts deep into the aperture, exchanging the two rims in the formula gives nearly the same
    kernels: compare kernels, not parameters, from cell to cell.

    Raises:
        InputError: kernels whose views' centroids agree: in focus the split of the aperture does not show.
    """
    kernels = np.asarray(kernels, np.float32)
    cells = kernels.reshape(-1, *kernels.shape[2:])
    first, alone = _start(cells), np.ones((1, 1))
    parameters = np.concatenate(
        [
            _least_squares(cells[n : n + 1], first[n : n + 1], alone)
            for n in progress(range(len(cells)), "kernel models")
        ]
    )
    errors = relative_errors(_kernels_of(parameters, cells.shape[-1]), cells)
    return CellModels(
        parameters.reshape(*kernels.shape[:2], -1).astype(np.float32), errors.reshape(kernels.shape[:3])
    )


def fit_field(kernels: Float[np.ndarray, "rows cols 2 size size"], order: int = 2) -> FieldModel:
    """The parameters as polynomials over the frame, fitted to all kernels at once.

    Raises:
        InputError: as `fit_cells`; or fewer rows or columns than a polynomial of that order needs.
    """
    rows, cols = kernels.shape[:2]
    if order < 0 or min(rows, cols) <= order:
        raise InputError(
            f"fit_field: order {order} on a grid of {rows} x {cols} kernels; expected 0 to "
            f"{min(rows, cols) - 1}"
        )
    cells = np.asarray(kernels, np.float32).reshape(-1, *kernels.shape[2:])
    terms = _terms(cell_positions(rows, cols), order).reshape(rows * cols, -1)
    # Start from the same pair everywhere: fitted cell by cell, the rims of aperture and barrel may change
    # places.
    first = np.zeros((terms.shape[1], len(PARAMETERS)))
    first[0] = np.median(_start(cells), axis=0)
    coefficients = _least_squares(cells, first, terms)
    errors = relative_errors(_kernels_of(terms @ coefficients, cells.shape[-1]), cells)
    return FieldModel(coefficients, order, errors.reshape(kernels.shape[:3]))


def interpolated(
    kernels: Float[np.ndarray, "rows cols 2 size size"],
    positions: Float[np.ndarray, "*n 2"],
    model: FieldModel | None = None,
) -> Float[np.ndarray, "*n 2 size size"]:
    """Kernels between the cells' centres, interpolated from those of the four cells around.

    Without a model: their bilinear mixture, which is what `blended_tiles.blend` amounts to. A mixture of
    kernels that shift over the field is wider than each of them. With a model: its kernel at the position
    plus the mixture of what it leaves unexplained, cut at zero and normalised to unit sum. Beyond the
    outermost centres the mixture's weights stay constant.
    """
    kernels = np.asarray(kernels)
    rows, cols, _, size, _ = kernels.shape
    rest = kernels if model is None else kernels - model.kernels(cell_positions(rows, cols), size)
    positions = np.asarray(positions)
    along = [
        _hat((positions[..., axis] + 1) * cells / 2 - 0.5, cells) for axis, cells in enumerate((rows, cols))
    ]
    mixed = np.einsum("...r,...c,rcvyx->...vyx", *along, rest, optimize=True)
    if model is not None:
        mixed = np.maximum(mixed + model.kernels(positions, size), 0)
    return (mixed / mixed.sum((-2, -1), keepdims=True)).astype(np.float32)


def _hat(place, cells):
    """Linear weights of the cells at places counted in cells from the first centre."""
    place = np.clip(place, 0, cells - 1)
    return np.maximum(0, 1 - np.abs(place[..., None] - np.arange(cells)))


def _step(t):
    """0 below -1, 1 above 1, and a cubic between."""
    t = jnp.clip(0.5 + 0.5 * t, 0.0, 1.0)
    return t * t * (3 - 2 * t)


def _length(y: Float[Array, "..."], x: Float[Array, "..."]) -> Float[Array, "..."]:
    """√(y² + x²), with a finite derivative at zero."""
    return jnp.sqrt(y * y + x * x + 1e-8)


def _terms(positions: Float[np.ndarray, "*n 2"], order: int) -> Float[np.ndarray, "*n terms"]:
    """Monomials y^a x^b up to a total of `order`, along the last axis."""
    positions = np.asarray(positions, np.float64)
    powers = [(a, total - a) for total in range(order + 1) for a in range(total + 1)]
    return np.stack([positions[..., 0] ** a * positions[..., 1] ** b for a, b in powers], axis=-1)


def _start(cells: Float[np.ndarray, "cells views size size"]) -> Float[np.ndarray, "cells parameters"]:
    """Shift, radius and turn from the kernels' moments; for the rest a soft disc, evenly shared.

    A uniform disc of radius r has a standard deviation of r/2 along each axis.
    """
    apart = np.subtract(centroids(cells[:, 1]), centroids(cells[:, 0]))
    if np.hypot(*apart.T).min() < 0.05:
        raise InputError(
            f"kernel models: the views' centroids are {np.hypot(*apart.T).min():.3f} pixels apart in some "
            "cell; expected kernels out of focus, whose views are shifted against each other"
        )
    mean = cells.mean(1)
    middle = centroids(mean)
    offset = np.arange(cells.shape[-1]) - cells.shape[-1] // 2
    square = (mean.sum(-1) @ offset**2 + mean.sum(-2) @ offset**2) / mean.sum((-2, -1))
    radius = np.sqrt(np.maximum(2 * (square - (middle**2).sum(-1)), 1.0))
    # Turns within half a turn of the mean's, so that they are smooth over the field.
    common = np.arctan2(*apart.mean(0))
    turn = common + (np.arctan2(apart[:, 0], apart[:, 1]) - common + np.pi) % (2 * np.pi) - np.pi
    start = np.zeros((len(cells), len(PARAMETERS)))
    start[:, :2], start[:, 2], start[:, 8] = middle, np.log(radius), turn
    start[:, 3] = np.log(0.35)
    return start


def _least_squares(
    cells: Float[np.ndarray, "cells views size size"],
    first: Float[np.ndarray, "terms parameters"],
    terms: Float[np.ndarray, "cells terms"],
) -> Float[np.ndarray, "terms parameters"]:
    """Coefficients of ``parameters = terms @ coefficients`` for the least relative errors of all kernels.

    A cell's parameters affect its own kernels only. So the triangular factor R of ``[J r] = Q R`` stands for
    the cell's Jacobian J and its residuals r: ten rows instead of one for each pixel, with the same JᵀJ, Jᵀr
    and rᵀr.
    """
    norms = jnp.asarray(np.sqrt((cells**2).sum((-2, -1), keepdims=True)), jnp.float32)
    scaled = jnp.asarray(cells) / norms

    @lru_cache(maxsize=1)  # the optimiser asks for residuals and Jacobian one after the other
    def factors(*coefficients):
        parameters = terms @ np.reshape(coefficients, first.shape)
        found = _triangular_factors(jnp.asarray(parameters, jnp.float32), scaled, norms)
        return np.asarray(found, np.float64)

    def residuals(coefficients):
        return factors(*coefficients)[..., -1].ravel()

    def jacobian(coefficients):
        by_cell = factors(*coefficients)[..., :-1]
        return np.einsum("cip,ct->citp", by_cell, terms).reshape(-1, first.size)

    found = least_squares(residuals, first.ravel(), jacobian, method="lm", x_scale="jac", ftol=LEAST_GAIN)
    return found.x.reshape(first.shape)


@jax.jit
def _triangular_factors(
    parameters: Float[Array, "cells parameters"],
    scaled: Float[Array, "cells views size size"],
    norms: Float[Array, "cells views 1 1"],
) -> Float[Array, "cells columns columns"]:
    """The factor R of each cell's Jacobian with its residuals as last column."""

    def residual(one, target, norm):
        return (model_kernels(one, target.shape[-1]) / norm - target).ravel()

    def of_cell(inputs):
        columns = [jax.jacfwd(residual)(*inputs), residual(*inputs)[:, None]]
        return jnp.linalg.qr(jnp.concatenate(columns, axis=1), mode="r")

    return jax.lax.map(of_cell, (parameters, scaled, norms))


def _kernels_of(
    parameters: Float[np.ndarray, "cells parameters"], size: int
) -> Float[np.ndarray, "cells views size size"]:
    return np.asarray(model_kernels(jnp.asarray(parameters, jnp.float32), size))
