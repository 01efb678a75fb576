"""Blur kernels from a sharp chart and its blurred views: a convex quadratic programme for each cell and view.

    min_k  ½ ‖s*k − b‖² + ½ λ_g ‖∂(s*k − b)‖² + ½ λ_s ‖∇k‖² + λ_c Σ (r² / r_max²) k
    subject to  k ≥ 0,  Σ k = 1,  and zero on the rim,

with s the sharp chart and b the view, over the pixels of the cell (paper, Sec. B; after Mannan and Langer,
CRV 2016). s is seen as far around the cell as the kernel reaches, so that a cell's kernel answers for the
cell's own pixels only, whatever its neighbours' are.

Axes   images [height, width], the views (left, right) first; fields of the programme [cells, views, ...],
       the cells row by row; kernels [cells, views, size, size], in the result [rows, cols, views, ...].
Units  linear raw in [0, 1]; the views on the brightness of the sharp chart: correct vignetting before. The
       programme is solved for images divided by √Σ(s − mean)² of the cell: its weights λ depend neither on
       the exposure nor on the size of the cell.

Brightness   A view half a percent brighter than the chart, and vignetting is hardly known better, would move
centroids by a tenth of a pixel. So the mean of the residual over a cell counts for nothing, and once a first
fit has told the gain, mean b over mean s*k, b is divided by it and the fit goes on.

Centroids   The pixel [size // 2, size // 2] of a kernel stands for no shift, and the axes run down and to the
right: a kernel with its centroid at (1, 0) draws the chart one pixel lower than `sharp` shows it. What both
views have in common therefore depends on where the chart was taken to lie; the camera's own is the difference
between the views. `overlap.centred` takes the common shift away.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.ndimage import maximum_filter

from dpdefocus.blur import good_fft_length
from dpdefocus.errors import InputError
from dpdefocus.progress import progress

__all__ = [
    "KernelFit",
    "KernelFitSettings",
    "Cells",
    "Weights",
    "fit_kernels",
    "centroids",
    "grade",
    "cut_cells",
    "blurred",
    "blurred_adjoint",
    "energy_and_gradient",
    "project",
    "minimise",
]

STRIDE = 20  # iterations between two looks at the stopping rule
# Of the power iteration that bounds the curvature. It comes from below, by a few percent after so many; the
# accelerated method bears a third.
POWER_ITERATIONS = 40
# Energies are in units of the cell's contrast; float32 tells no smaller difference between them.
LEAST_ENERGY = 1e-6
BLOCK = 4  # side of the blocks of pixels that are held out
LEAST_KNOWN = 0.25  # share of a cell's pixels that a fit needs


@dataclass(frozen=True)
class KernelFitSettings:
    """How kernels are fitted. Of several candidates for a weight, pixels that the fit has not seen decide.

    Args:
        gradients: λ_g, what a difference between neighbouring pixels of the residual counts.
        smoothness: candidates for λ_s, from the smoothest.
        compactness: candidates for λ_c, from the most compact.
        trial_cells: how many cells, spread over the grid, the candidates are tried on.
        held_out: share of the trial cells' pixels that judge the candidates.
        tolerance: a fit ends when its energy is proved to be within this share of the least.
        most_iterations: and at the latest after these.
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


class Weights(NamedTuple):
    """λ_g, λ_s and λ_c of the programme."""

    gradients: float
    smoothness: float
    compactness: float


@dataclass(frozen=True)
class KernelFit:
    """Fitted kernels and how well they explain the views.

    kernels: each at least zero, with unit sum and a rim of zeros. residuals: standard deviation of s*k − b
    over each cell, linear raw. gains: mean of b over that of s*k, by which b was divided; far from one, the
    views are not on the brightness of the chart. weights: as chosen. trials: for each candidate tried, the
    variance of the residual on the pixels held out, in units of the cells' contrast. iterations: of both
    fits. gap: the most that the energy can lie above the least, as a share of it, the worst of all cells
    and views.
    """

    kernels: Float[np.ndarray, "rows cols views size size"]
    residuals: Float[np.ndarray, "rows cols views"]
    gains: Float[np.ndarray, "rows cols views"]
    weights: Weights
    trials: dict[Weights, float]
    iterations: int
    gap: float


class Cells(NamedTuple):
    """What the programme is made of, cell by cell, divided by √Σ(s − mean)².

    The mean of s, `mean`, is taken from s and from b. As Σk = 1 that changes no residual, and it takes out
    the one direction that would dwarf all others. `known` is 1 where a pixel counts.
    """

    sharp: Complex[Array, "cells window_height half_width"]
    target: Float[Array, "cells views height width"]
    known: Float[Array, "cells views height width"]
    contrast: Float[Array, " cells"]
    mean: Float[Array, " cells"]


def fit_kernels(
    sharp: Float[Array | np.ndarray, "sharp_height sharp_width"],
    views: Float[Array | np.ndarray, "views height width"],
    grid: tuple[int, int],
    size: int = 61,
    settings: KernelFitSettings = KernelFitSettings(),
) -> KernelFit:
    """One kernel for each cell of a `rows x cols` grid over the views, and each view on its own.

    Args:
        sharp: the chart as it would be seen without blur. It may reach beyond the views, by the same on
            opposite sides; pixels whose blur comes from where it is not known, or NaN, are left out.
        views: linear, vignetting-corrected, on the brightness of `sharp`; NaN pixels are left out.
        grid: (rows, cols); where it does not divide the views the last cells overhang, as in `blur`.
        size: width of the kernels, odd, pixels.

    The weights are chosen on some cells: first the smoothness, the one with the least residual on pixels
    held out; then the compactness, the largest whose residual there is not worse than the least by more than
    a standard error. Held-out pixels cannot tell apart kernels that draw the same chart (shifted by a whole
    pitch, for instance), and of these the compact one is meant.

    Raises:
        InputError: shapes that do not fit, or a cell with no discs or too few known pixels; names the cell.
    """
    sharp, views = np.asarray(sharp, np.float32), np.asarray(views, np.float32)
    _check(sharp, views, grid, size)
    cells = cut_cells(sharp, views, grid, size)
    trial = _trial_cells(len(cells.contrast), settings.trial_cells)
    weights, trials = _choose(jax.tree.map(lambda field: field[trial], cells), size, settings)
    start = first_guess(len(cells.contrast), len(views), size)
    rough = replace(settings, tolerance=10 * settings.tolerance)
    kernels, _, first = minimise(cells, weights, start, rough, "kernels, first")
    gains = _gains(cells, kernels)
    cells = _divided(cells, gains)
    kernels, gap, second = minimise(cells, weights, kernels, settings, "kernels")
    residuals = jnp.sqrt(_variance(cells, kernels, cells.known)) * cells.contrast[:, None]
    return KernelFit(
        np.asarray(kernels).reshape(*grid, len(views), size, size),
        np.asarray(residuals).reshape(*grid, len(views)),
        np.asarray(gains).reshape(*grid, len(views)),
        weights,
        trials,
        first + second,
        gap,
    )


def centroids(kernels: Float[np.ndarray, "*n size size"]) -> Float[np.ndarray, "*n 2"]:
    """First moment (y, x) of each kernel in pixels, from its middle pixel, down and to the right."""
    kernels = np.asarray(kernels)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    total = kernels.sum((-2, -1))
    return np.stack([kernels.sum(-1) @ offset, kernels.sum(-2) @ offset], axis=-1) / total[..., None]


def grade(
    kernel: Float[Array | np.ndarray, "size size"], truth: Float[Array | np.ndarray, "size size"]
) -> dict[str, bool]:
    """What is asked of a calibrated kernel, and whether this one has it."""
    kernel, truth = np.asarray(kernel, np.float64), np.asarray(truth, np.float64)
    if kernel.shape != truth.shape:
        raise InputError(f"grade: found a kernel of shape {kernel.shape}, expected {truth.shape}")
    if not np.isfinite(kernel).all() or not kernel.sum() > 0:
        raise InputError("grade: the kernel holds no light, or values that are not numbers")
    rim = np.abs(kernel).sum() - np.abs(kernel[1:-1, 1:-1]).sum()
    error = np.linalg.norm(kernel - truth) / np.linalg.norm(truth)
    shift = np.linalg.norm(centroids(kernel) - centroids(truth))
    return {
        "nowhere negative": bool(kernel.min() >= -1e-6),
        "sums to one": bool(abs(kernel.sum() - 1) < 1e-3),
        "zero on the rim": bool(rim < 1e-3),
        "within 5 % of the truth (relative L2)": bool(error < 0.05),
        "centroid within 0.1 pixels": bool(shift < 0.1),
    }


def cut_cells(
    sharp: Float[np.ndarray, "sharp_height sharp_width"],
    views: Float[np.ndarray, "views height width"],
    grid: tuple[int, int],
    size: int,
) -> Cells:
    """The programme's data from the images.

    Raises:
        InputError: a cell with no discs or too few known pixels.
    """
    rows, cols = grid
    height, width = -(-views.shape[1] // rows), -(-views.shape[2] // cols)
    halo = size // 2
    sharp = _reaching(sharp, views.shape[1:], halo)
    # A blurred pixel is known if all that its blur may come from is.
    unseen = maximum_filter(np.isnan(sharp), size)[halo : halo + views.shape[1], halo : halo + views.shape[2]]
    known = ~unseen & np.isfinite(views)
    overhang = (0, rows * height - views.shape[1]), (0, cols * width - views.shape[2])
    sharp = np.pad(sharp, overhang, constant_values=np.nan)
    known, views = (np.pad(image, ((0, 0), *overhang)) for image in (known, views))
    window = good_fft_length(height + 2 * halo), good_fft_length(width + 2 * halo)
    cut = []
    for row in range(rows):
        for col in range(cols):
            top, left = row * height, col * width
            seen = sharp[top : top + height + 2 * halo, left : left + width + 2 * halo]
            inner = seen[halo : halo + height, halo : halo + width]
            place = (slice(None), slice(top, top + height), slice(left, left + width))
            used = known[place]
            if used.mean((1, 2)).min() < LEAST_KNOWN:
                raise InputError(
                    f"fit_kernels: of cell ({row}, {col}) only {used.mean((1, 2)).min():.0%} of the pixels "
                    f"are known; expected at least {LEAST_KNOWN:.0%}. Give a sharp chart that reaches beyond "
                    "the views by half a kernel, larger cells, or smaller kernels"
                )
            mean = np.nanmean(inner)
            contrast = np.sqrt(np.nansum((inner - mean) ** 2))
            if not contrast > 1e-3 * abs(mean) * np.sqrt(inner.size):
                raise InputError(
                    f"fit_kernels: the sharp chart is flat in cell ({row}, {col}); a kernel can only be "
                    "told from the blur of edges. Expected discs in each cell: take a finer chart or a "
                    "coarser grid"
                )
            spectrum = np.fft.rfft2(np.nan_to_num((seen - mean) / contrast), window)
            target = np.where(used, (views[place] - mean) / contrast, 0)
            cut.append((spectrum.astype(np.complex64), target, used, contrast, mean / contrast))
    spectra, *others = (np.stack(field) for field in zip(*cut, strict=True))
    real = (jnp.asarray(field, jnp.float32) for field in others)
    return Cells(jnp.asarray(spectra), *real)


def first_guess(cells: int, views: int, size: int) -> Float[Array, "cells views size size"]:
    """A broad bump, zero on the rim, of unit sum."""
    profile = jnp.cos(jnp.pi * (jnp.arange(size) - size // 2) / (size - 1)) ** 2
    bump = jnp.outer(profile, profile)
    return jnp.broadcast_to(bump / bump.sum(), (cells, views, size, size))


def blurred(
    cells: Cells, kernels: Float[Array, "cells views size size"]
) -> Float[Array, "cells views height width"]:
    """s*k on the pixels of the cell, by a transform as long as the cell and what its blur sees."""
    first = kernels.shape[-1] - 1
    height, width = cells.target.shape[-2:]
    window = _window(cells, kernels.shape[-1])
    whole = jnp.fft.irfft2(jnp.fft.rfft2(kernels, window) * cells.sharp[:, None], window)
    return whole[..., first : first + height, first : first + width]


def blurred_adjoint(
    cells: Cells, residual: Float[Array, "cells views height width"], size: int
) -> Float[Array, "cells views size size"]:
    """Adjoint of `blurred`: the correlation of s with a residual, at the shifts of the kernel's pixels."""
    window = _window(cells, size)
    lead = [(0, 0)] * (residual.ndim - 2)
    place = [
        (size - 1, whole - part - size + 1) for whole, part in zip(window, residual.shape[-2:], strict=True)
    ]
    spectrum = jnp.fft.rfft2(jnp.pad(residual, [*lead, *place])) * jnp.conj(cells.sharp)[:, None]
    return jnp.fft.irfft2(spectrum, window)[..., :size, :size]


def energy_and_gradient(
    cells: Cells, kernels: Float[Array, "cells views size size"], weights: Weights
) -> tuple[Float[Array, "cells views"], Float[Array, "cells views size size"]]:
    """The programme's objective, and its gradient, written out: it costs one blur and one adjoint."""
    size = kernels.shape[-1]
    residual = blurred(cells, kernels) - cells.target
    weighted = _weigh(residual, cells.known, weights.gradients)
    roughness = _negative_laplacian(kernels)
    distance = _squared_radius(size)
    energy = 0.5 * residual * weighted
    prior = 0.5 * weights.smoothness * kernels * roughness + weights.compactness * distance * kernels
    gradient = blurred_adjoint(cells, weighted, size)
    gradient += weights.smoothness * roughness + weights.compactness * distance
    return energy.sum((-2, -1)) + prior.sum((-2, -1)), gradient


def project(kernels: Float[Array, "cells views size size"]) -> Float[Array, "cells views size size"]:
    """The nearest kernels that are at least zero, sum to one, and are zero on their rim.

    Inside the rim that is max(k − τ, 0) with the τ that makes the sum one. Newton's method finds τ in
    finitely many steps (Michelot 1986): from τ of all pixels, each drops the pixels below τ, and never takes
    one back.
    """
    inner = kernels[..., 1:-1, 1:-1]
    axes = (-2, -1)

    def step(state):
        threshold, count, _ = state
        kept = inner > threshold
        fewer = kept.sum(axes, keepdims=True)
        higher = (jnp.where(kept, inner, 0).sum(axes, keepdims=True) - 1) / jnp.maximum(fewer, 1)
        # τ never falls. Rounding may make it, and then some kernels of many would take turns without end.
        higher = jnp.where(fewer > 0, jnp.maximum(higher, threshold), threshold)
        return higher, fewer, (fewer < count).any()

    pixels = inner.shape[-1] * inner.shape[-2]
    threshold = (inner.sum(axes, keepdims=True) - 1) / pixels
    count = jnp.full(threshold.shape, pixels)
    threshold, _, _ = jax.lax.while_loop(lambda state: state[2], step, (threshold, count, jnp.array(True)))
    rim = [(0, 0)] * (kernels.ndim - 2) + [(1, 1), (1, 1)]
    return jnp.pad(jnp.maximum(inner - threshold, 0), rim)


def minimise(
    cells: Cells,
    weights: Weights,
    start: Float[Array, "cells views size size"],
    settings: KernelFitSettings,
    description: str,
) -> tuple[Float[Array, "cells views size size"], float, int]:
    """Kernels of least energy, the share by which it may lie above the least at the most, and the iterations.

    Accelerated projected gradients (Beck and Teboulle 2009), started afresh where the momentum points uphill
    (O'Donoghue and Candès 2015), each cell and view by its own clock. For any feasible k' convexity gives

        E(k') ≥ E(k) + ⟨∇E(k), k' − k⟩ ≥ E(k) − [⟨∇E(k), k⟩ − min ∇E(k)],

    the minimum over the pixels inside the rim. What stands in brackets, the duality gap, bounds how far E(k)
    lies above the least energy, and stops the iteration.
    """
    weights = Weights(*(jnp.float32(weight) for weight in weights))
    step = 1 / _curvature(cells, weights, start.shape[-1])
    state = start, start, jnp.ones(start.shape[:2])
    worst = np.inf
    with progress(range(STRIDE, settings.most_iterations + 1, STRIDE), description) as bar:
        for iterations in bar:
            state, energy, gap = _iterate(cells, weights, step, state)
            worst = float((gap / jnp.maximum(energy - gap, LEAST_ENERGY)).max())
            bar.set_postfix_str(f"energy within {worst:.1%} of the least")
            if worst <= settings.tolerance:
                break
    return state[0], worst, iterations


@jax.jit
def _iterate(cells, weights, step, state):
    def iteration(_, state):
        kernels, ahead, clock = state
        gradient = energy_and_gradient(cells, ahead, weights)[1]
        moved = project(ahead - step[..., None, None] * gradient)
        uphill = ((ahead - moved) * (moved - kernels)).sum((-2, -1)) > 0
        clock = jnp.where(uphill, 1.0, clock)
        later = 0.5 * (1 + jnp.sqrt(1 + 4 * clock**2))
        momentum = jnp.where(uphill, 0.0, (clock - 1) / later)
        return moved, moved + momentum[..., None, None] * (moved - kernels), later

    state = jax.lax.fori_loop(0, STRIDE, iteration, state)
    energy, gradient = energy_and_gradient(cells, state[0], weights)
    gap = (gradient * state[0]).sum((-2, -1)) - gradient[..., 1:-1, 1:-1].min((-2, -1))
    return state, energy, jnp.maximum(gap, 0)


@partial(jax.jit, static_argnames="size")
def _curvature(cells, weights, size):
    """Largest eigenvalue of the energy's second derivative, by power iteration."""
    linear = cells._replace(target=jnp.zeros_like(cells.target))
    quadratic = weights._replace(compactness=jnp.zeros(()))

    def multiply(_, vector):
        length = jnp.sqrt((vector**2).sum((-2, -1), keepdims=True))
        return energy_and_gradient(linear, vector / length, quadratic)[1]

    shape = (*cells.target.shape[:2], size, size)
    vector = jax.lax.fori_loop(0, POWER_ITERATIONS, multiply, jax.random.normal(jax.random.key(0), shape))
    return jnp.sqrt((vector**2).sum((-2, -1)))


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

    def tried(weights: Iterable[Weights]):
        nonlocal kernels
        for candidate in weights:
            if candidate not in errors:
                kernels, _, _ = minimise(fitted, candidate, kernels, settings, "weights on trial")
                errors[candidate] = np.asarray(_variance(cells, kernels, judging)).ravel()
        return list(weights)

    middle = settings.compactness[len(settings.compactness) // 2]
    smooth = tried([Weights(settings.gradients, value, middle) for value in settings.smoothness])
    best = min(smooth, key=lambda candidate: errors[candidate].mean())
    compact = tried([best._replace(compactness=value) for value in settings.compactness])
    best = min(compact, key=lambda candidate: errors[candidate].mean())
    chosen = next(candidate for candidate in compact if _no_worse(errors[candidate], errors[best]))
    return chosen, {candidate: float(error.mean()) for candidate, error in errors.items()}


def _no_worse(errors, best):
    """Whether errors exceed the best ones, cell by cell, by at most a standard error of the mean."""
    excess = errors - best
    return excess.mean() <= excess.std() / np.sqrt(max(len(excess) - 1, 1))


@jax.jit
def _variance(cells, kernels, known):
    residual = blurred(cells, kernels) - cells.target
    return (_about_mean(residual, known) ** 2).sum((-2, -1)) / known.sum((-2, -1))


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


def _about_mean(residual, known):
    """The residual less its mean over the known pixels, and zero on the others."""
    mean = (residual * known).sum((-2, -1), keepdims=True) / known.sum((-2, -1), keepdims=True)
    return (residual - mean) * known


def _trial_cells(count, wanted):
    """Cells spread evenly over the grid's list, from within."""
    wanted = min(wanted, count)
    return ((np.arange(wanted) + 0.5) * count / wanted).astype(int)


def _weigh(residual, known, gradients):
    """The data term's gradient by the residual: W (r − mean) + λ_g Σ ∂ᵀ W W₊ ∂ r, W₊ the neighbour's W."""
    total = _about_mean(residual, known)
    for axis in (-2, -1):
        both = jax.lax.slice_in_dim(known, 1, None, axis=axis) * jax.lax.slice_in_dim(known, 0, -1, axis=axis)
        ends = [(1, 1) if axis == other - 4 else (0, 0) for other in range(4)]
        flux = jnp.pad(both * jnp.diff(residual, axis=axis), ends)
        total -= gradients * jnp.diff(flux, axis=axis)
    return total


def _negative_laplacian(kernels):
    """∇ᵀ∇k, with zero outside the field."""
    around = jnp.pad(kernels, [(0, 0)] * 2 + [(1, 1)] * 2)
    vertical = around[..., 2:, 1:-1] + around[..., :-2, 1:-1]
    return 4 * kernels - vertical - around[..., 1:-1, 2:] - around[..., 1:-1, :-2]


def _squared_radius(size):
    """r² / r_max² of a kernel's pixels, r_max at its corners, with axes for cells and views."""
    offset = jnp.arange(size) - size // 2
    squared = (offset[:, None] ** 2 + offset[None] ** 2).astype(jnp.float32)
    return (squared / squared.max())[None, None]


def _window(cells, size):
    return tuple(good_fft_length(length + size - 1) for length in cells.target.shape[-2:])


def _reaching(sharp, shape, halo):
    """The sharp chart, cut or continued by NaN to reach half a kernel beyond the views on all sides."""
    for axis, length in enumerate(shape):
        beyond = (sharp.shape[axis] - length) // 2
        cut = max(beyond - halo, 0)
        sharp = np.take(sharp, range(cut, sharp.shape[axis] - cut), axis=axis)
        widths = [(max(halo - beyond, 0),) * 2 if axis == other else (0, 0) for other in range(2)]
        sharp = np.pad(sharp, widths, constant_values=np.nan)
    return sharp


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
