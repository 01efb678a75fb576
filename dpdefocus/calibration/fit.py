"""Blur kernels from a sharp chart and its blurred views: a quadratic programme in each cell, weights by rule.

Axes   sharp chart [height, width]; views [views, height, width], (left, right); kernels in the result [rows,
       cols, views, size, size]; fields of the programme as in `quadratic_programme`.
Units  linear raw in [0, 1]; the views have the brightness of the sharp chart: correct vignetting before.

Brightness   Vignetting is hardly known to better than half a percent. A view brighter than the chart by that
much would move centroids by a tenth of a pixel. So the fit ignores the mean of the residual over a cell. A
first fit gives the gain, mean b over mean s*k; b is divided by it, and the fit goes on.

Centroids   The pixel [size // 2, size // 2] of a kernel stands for no shift, and the axes run down and to the
right: a kernel with its centroid at (1, 0) moves the chart down by one pixel. The shift common to both views
therefore depends on where the chart is taken to lie; only the difference between the views is a property of
the camera. `centre_kernels` removes the common shift.

A centroid weights light by its distance: one percent of it, 30 pixels away, moves it by a third of a pixel. A
chart whose discs are closer together than the kernels are wide hardly determines such faint light (`chart`,
on the pitch), which then absorbs other errors: with the Pixel 4's kernels, 61 pixels wide, centroids were off
by up to half a pixel with discs 48 pixels apart.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.calibration.quadratic_programme import (
    STRIDE,
    Weights,
    blurred,
    cut_cells,
    first_guess,
    minimise,
    residual_variance,
)
from dpdefocus.optics.kernels import centroids, relative_errors
from dpdefocus.support.errors import InputError
from dpdefocus.support.progress_bar import progress

BLOCK = 4  # side of the blocks of pixels that are held out

# Held-out errors within this fraction of the least count as the least: `fit_kernels` says why.
AS_GOOD = 0.01


@dataclass(frozen=True)
class KernelFitSettings:
    """How kernels are fitted. Held-out pixels choose among several candidates for a weight.

    Args:
        gradients: λ_g, weight of differences between neighbouring pixels of the residual.
        smoothness: candidates for λ_s, the largest first.
        compactness: candidates for λ_c, the largest first.
        trial_cells: how many cells, spread over the grid, the candidates are tried on.
        held_out: fraction of the trial cells' pixels that judge the candidates.
        tolerance: a fit ends when its energy is proved to be within this fraction of the minimum.
        most_iterations: of a fit.
        seed: of the pixels held out.
    """

    gradients: float = 0.1
    smoothness: tuple[float, ...] = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
    compactness: tuple[float, ...] = (1e-2, 1e-3, 1e-4, 1e-5)
    trial_cells: int = 4
    held_out: float = 0.25
    tolerance: float = 0.1
    most_iterations: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("smoothness", "compactness"):
            candidates = getattr(self, name)
            if not candidates or min(candidates) < 0 or list(candidates) != sorted(candidates, reverse=True):
                raise InputError(
                    f"KernelFitSettings: {name} is {candidates}; expected candidates from the largest to the "
                    "smallest, none negative"
                )
        if not (0 < self.held_out < 1 and self.gradients >= 0 and self.tolerance > 0):
            raise InputError(
                f"KernelFitSettings: held_out {self.held_out}, gradients {self.gradients}, tolerance "
                f"{self.tolerance}; expected held_out in (0, 1), gradients >= 0 and tolerance > 0"
            )
        if self.trial_cells < 1 or self.most_iterations < STRIDE:
            raise InputError(
                f"KernelFitSettings: trial_cells {self.trial_cells}, most_iterations {self.most_iterations}; "
                f"expected at least 1 and {STRIDE}"
            )


@dataclass(frozen=True)
class KernelFit:
    """Fitted kernels and how well they explain the views.

    kernels: each at least zero, with unit sum and a rim of zeros. residuals: standard deviation of s*k − b
    over each cell, linear raw. gains: mean of b over that of s*k, by which b was divided; far from one, the
    views and the chart differ in brightness. weights: as chosen. trials: for each candidate tried, the
    variance of the residual on the pixels held out, in units of the cells' contrast. iterations: of both
    fits. gap: bound on the energy above its minimum, as a fraction of it; the worst of all cells and views.
    """

    kernels: Float[np.ndarray, "rows cols views size size"]
    residuals: Float[np.ndarray, "rows cols views"]
    gains: Float[np.ndarray, "rows cols views"]
    weights: Weights
    trials: dict[Weights, float]
    iterations: int
    gap: float


def fit_kernels(
    sharp: Float[Array | np.ndarray, "sharp_height sharp_width"],
    views: Float[Array | np.ndarray, "views height width"],
    grid: tuple[int, int],
    size: int = 61,
    settings: KernelFitSettings = KernelFitSettings(),
) -> KernelFit:
    """Fit one kernel to each cell of a `rows x cols` grid over the views, for each view on its own.

    Args:
        sharp: the chart without blur. It may extend beyond the views, equally on opposite sides; pixels whose
            blur needs what is NaN or beyond it are left out.
        views: linear, vignetting-corrected, with the brightness of `sharp`; NaN pixels are left out.
        grid: (rows, cols); if it does not divide the views the last cells extend beyond them, as in `tiling`.
        size: width of the kernels, odd, pixels.

    The weights are chosen on some cells, first the smoothness and then the compactness: each time the largest
    whose mean square residual on held-out pixels is within 1 % of the least. This is the simplest model
    within a tolerance of the best (Kuhn and Johnson, Applied Predictive Modeling, 2013, Sec. 4.6), not the
    best, since held-out pixels hardly show some errors of a kernel: at frequencies that the chart lacks, and
    of light moved by a whole pitch. Both weights suppress these. Errors of the chart's geometry are common to
    held-out and fitted pixels. The rule of one standard error (Breiman et al. 1984) does not serve here: over
    cells, the error is as large as cells differ; of the difference to the best, it is too uncertain with a
    few cells.

    Raises:
        InputError: shapes that do not fit, or a cell with no discs or too few known pixels; names the cell.
    """
    sharp, views = np.asarray(sharp, np.float32), np.asarray(views, np.float32)
    _check(sharp, views, grid, size)
    cells = cut_cells(sharp, views, grid, size)
    trial = _trial_cells(len(cells.contrast), settings.trial_cells)
    weights, trials = _choose(jax.tree.map(lambda field: field[trial], cells), size, settings)
    tolerance, most = settings.tolerance, settings.most_iterations
    start = first_guess(len(cells.contrast), len(views), size)
    kernels, _, first = minimise(cells, weights, start, 10 * tolerance, most, "kernels, first")
    gains = _gains(cells, kernels)
    cells = _divided(cells, gains)
    kernels, gap, second = minimise(cells, weights, kernels, tolerance, most, "kernels")
    residuals = jnp.sqrt(residual_variance(cells, kernels, cells.known)) * cells.contrast[:, None]
    return KernelFit(
        np.asarray(kernels).reshape(*grid, len(views), size, size),
        np.asarray(residuals).reshape(*grid, len(views)),
        np.asarray(gains).reshape(*grid, len(views)),
        weights,
        trials,
        first + second,
        gap,
    )


def grade(
    kernel: Float[Array | np.ndarray, "size size"], truth: Float[Array | np.ndarray, "size size"]
) -> dict[str, bool]:
    """Requirements on a calibrated kernel, and whether this one meets them."""
    kernel, truth = np.asarray(kernel, np.float64), np.asarray(truth, np.float64)
    if kernel.shape != truth.shape:
        raise InputError(f"grade: found a kernel of shape {kernel.shape}, expected {truth.shape}")
    if not np.isfinite(kernel).all() or not kernel.sum() > 0:
        raise InputError("grade: the kernel holds no light, or values that are not numbers")
    rim = np.abs(kernel).sum() - np.abs(kernel[1:-1, 1:-1]).sum()
    error = relative_errors(kernel, truth)
    shift = np.linalg.norm(centroids(kernel) - centroids(truth))
    return {
        "nowhere negative": bool(kernel.min() >= -1e-6),
        "sums to one": bool(abs(kernel.sum() - 1) < 1e-3),
        "zero on the rim": bool(rim < 1e-3),
        "within 5 % of the truth (relative L2)": bool(error < 0.05),
        "centroid within 0.1 pixels": bool(shift < 0.1),
    }


def _choose(cells, size, settings):
    """Weights by held-out pixels of some cells, and each candidate's mean square residual there."""
    rng = np.random.default_rng(settings.seed)
    shape = cells.target.shape
    blocks = rng.random((*shape[:2], -(-shape[2] // BLOCK), -(-shape[3] // BLOCK))) < settings.held_out
    held = blocks.repeat(BLOCK, axis=2).repeat(BLOCK, axis=3)[..., : shape[2], : shape[3]]
    judging = cells.known * held
    fitted = cells._replace(known=cells.known * ~held)
    errors = {}
    kernels = first_guess(*shape[:2], size)

    def try_out(weights: Iterable[Weights], name: str):
        nonlocal kernels
        for candidate in progress(weights, f"{name} on trial"):
            if candidate not in errors:
                kernels, _, _ = minimise(
                    fitted,
                    candidate,
                    kernels,
                    settings.tolerance,
                    settings.most_iterations,
                    "kernels on trial",
                )
                errors[candidate] = float(residual_variance(cells, kernels, judging).mean())

    middle = settings.compactness[len(settings.compactness) // 2]
    smooth = [Weights(settings.gradients, value, middle) for value in settings.smoothness]
    try_out(smooth, "smoothness")
    chosen = _strongest(smooth, errors)
    compact = [chosen._replace(compactness=value) for value in settings.compactness]
    try_out(compact, "compactness")
    return _strongest(compact, errors), errors


def _strongest(candidates, errors):
    """Of candidates with falling weight, the first that is as good as the best."""
    least = min(errors[candidate] for candidate in candidates)
    return next(candidate for candidate in candidates if errors[candidate] <= (1 + AS_GOOD) * least)


@jax.jit
def _gains(cells, kernels):
    """Mean of b over that of s*k, on the known pixels."""
    mean = cells.mean[:, None, None, None]
    light = ((cells.target + mean) * cells.known).sum((-2, -1))
    return light / ((blurred(cells, kernels) + mean) * cells.known).sum((-2, -1))


def _divided(cells, gains):
    """The programme with its views divided by their gains."""
    mean = cells.mean[:, None, None, None]
    target = ((cells.target + mean) / gains[..., None, None] - mean) * cells.known
    return cells._replace(target=target)


def _trial_cells(count, wanted):
    """Cells spread evenly over the grid's list."""
    wanted = min(wanted, count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(int)


def _check(sharp, views, grid, size):
    if size % 2 == 0 or size < 5:
        raise InputError(f"fit_kernels: size is {size}; expected an odd number of pixels, at least 5")
    beyond = np.subtract(sharp.shape, views.shape[1:])
    if beyond.min() < 0 or (beyond % 2).any():
        raise InputError(
            f"fit_kernels: the sharp chart is {sharp.shape[0]} x {sharp.shape[1]} pixels, the views "
            f"{views.shape[1]} x {views.shape[2]}; expected the same, or as much more on opposite sides"
        )
    if min(grid) < 1:
        raise InputError(f"fit_kernels: a grid of {grid[0]} x {grid[1]} cells; expected at least 1 x 1")
