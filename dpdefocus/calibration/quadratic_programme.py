"""The quadratic programme behind the kernels: its data, its objective with its gradient, its minimiser.

    min_k  ½ ‖s*k − b‖² + ½ λ_g ‖∂(s*k − b)‖² + ½ λ_s ‖∇k‖² + λ_c Σ (r² / r_max²) k
    subject to  k ≥ 0,  Σ k = 1,  and zero on the rim,

with s the sharp chart and b the view, over the pixels of a cell (paper, Sec. B; after Mannan and Langer, CRV
2016). It is convex. s extends around the cell as far as the kernel reaches, so that a cell's kernel explains
the cell's own pixels only, whatever the neighbours' kernels are. The mean of the residual over a cell is
ignored (`fit` says why).

Axes   fields of the programme [cells, views, ...], the cells row by row; kernels [cells, views, size, size].
Units  images divided by √Σ(s − mean)² of the cell, so that the weights λ depend neither on the exposure nor
       on the size of the cell.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float
from scipy.ndimage import maximum_filter

from dpdefocus.optics.tiling import good_fft_length
from dpdefocus.support.errors import InputError
from dpdefocus.support.progress_bar import progress

STRIDE = 20  # iterations between two checks of the stopping rule

# Iterations of the power method that estimates the largest curvature. After so many it is a few percent too
# low; the accelerated method tolerates a third.
POWER_ITERATIONS = 40

# Energies are in units of the cell's contrast; float32 resolves no smaller difference between them.
LEAST_ENERGY = 1e-6
LEAST_KNOWN = 0.25  # fraction of a cell's pixels that a fit needs


Residual = Float[Array, "cells views height width"]

# Of the minimiser: kernels, the point ahead of them that momentum leads to, and each kernel's clock.
State = tuple[
    Float[Array, "cells views size size"], Float[Array, "cells views size size"], Float[Array, "cells views"]
]


class Weights(NamedTuple):
    """λ_g, λ_s and λ_c of the programme."""

    gradients: float
    smoothness: float
    compactness: float


class Cells(NamedTuple):
    """The programme's data, cell by cell, divided by √Σ(s − mean)².

    The mean of s, `mean`, is subtracted from s and from b. As Σk = 1 that changes no residual, and it removes
    the one direction that would dominate all others. `known` is 1 where a pixel counts.
    """

    sharp: Complex[Array, "cells window_height half_width"]
    target: Float[Array, "cells views height width"]
    known: Float[Array, "cells views height width"]
    contrast: Float[Array, " cells"]
    mean: Float[Array, " cells"]


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
    # A blurred pixel is known if all pixels that its blur may come from are.
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


@jax.jit
def blurred(
    cells: Cells, kernels: Float[Array, "cells views size size"]
) -> Float[Array, "cells views height width"]:
    """s*k on the pixels of the cell, by a transform as long as the cell and the reach of its blur."""
    first = kernels.shape[-1] - 1
    height, width = cells.target.shape[-2:]
    window = _window(cells, kernels.shape[-1])
    whole = jnp.fft.irfft2(jnp.fft.rfft2(kernels, window) * cells.sharp[:, None], window)
    return whole[..., first : first + height, first : first + width]


@partial(jax.jit, static_argnames="size")
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


@jax.jit
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


@jax.jit
def residual_variance(
    cells: Cells,
    kernels: Float[Array, "cells views size size"],
    known: Float[Array, "cells views height width"],
) -> Float[Array, "cells views"]:
    """Variance of s*k − b over the pixels that are `known`."""
    residual = blurred(cells, kernels) - cells.target
    return (_about_mean(residual, known) ** 2).sum((-2, -1)) / known.sum((-2, -1))


def _about_mean(residual: Residual, known: Residual) -> Residual:
    """The residual less its mean over the known pixels, and zero on the others."""
    mean = (residual * known).sum((-2, -1), keepdims=True) / known.sum((-2, -1), keepdims=True)
    return (residual - mean) * known


def _weigh(residual: Residual, known: Residual, gradients: Float[Array, ""] | float) -> Residual:
    """Gradient of the data term in the residual: W (r − mean) + λ_g Σ ∂ᵀ W W₊ ∂ r, W₊ the neighbour's W."""
    total = _about_mean(residual, known)
    for axis in (-2, -1):
        both = jax.lax.slice_in_dim(known, 1, None, axis=axis) * jax.lax.slice_in_dim(known, 0, -1, axis=axis)
        ends = [(1, 1) if axis == other - 4 else (0, 0) for other in range(4)]
        flux = jnp.pad(both * jnp.diff(residual, axis=axis), ends)
        total -= gradients * jnp.diff(flux, axis=axis)
    return total


def _negative_laplacian(
    kernels: Float[Array, "cells views size size"],
) -> Float[Array, "cells views size size"]:
    """∇ᵀ∇k, with zero outside the field."""
    around = jnp.pad(kernels, [(0, 0)] * 2 + [(1, 1)] * 2)
    vertical = around[..., 2:, 1:-1] + around[..., :-2, 1:-1]
    return 4 * kernels - vertical - around[..., 1:-1, 2:] - around[..., 1:-1, :-2]


def _squared_radius(size: int) -> Float[Array, "1 1 size size"]:
    """r² / r_max² of a kernel's pixels, r_max at its corners, with axes for cells and views."""
    offset = jnp.arange(size) - size // 2
    squared = (offset[:, None] ** 2 + offset[None] ** 2).astype(jnp.float32)
    return (squared / squared.max())[None, None]


@jax.jit
def project(kernels: Float[Array, "cells views size size"]) -> Float[Array, "cells views size size"]:
    """The nearest kernels that are at least zero, sum to one, and are zero on their rim.

    Inside the rim that is max(k − τ, 0) with the τ that makes the sum one. Newton's method finds τ in
    finitely many steps (Michelot 1986): starting from the τ of all pixels, each step drops the pixels below
    τ, and never takes one back.
    """
    inner = kernels[..., 1:-1, 1:-1]
    axes = (-2, -1)

    def step(state):
        threshold, count, _ = state
        kept = inner > threshold
        fewer = kept.sum(axes, keepdims=True)
        higher = (jnp.where(kept, inner, 0).sum(axes, keepdims=True) - 1) / jnp.maximum(fewer, 1)
        # τ never falls. Rounding could lower it, and then some kernels of many would alternate for ever.
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
    tolerance: float,
    most_iterations: int,
    description: str,
) -> tuple[Float[Array, "cells views size size"], float, int]:
    """Kernels of least energy, a bound on the energy above its minimum (as a fraction), and the iterations.

    Accelerated projected gradients (Beck and Teboulle 2009), restarted where the momentum points uphill
    (O'Donoghue and Candès 2015), for each cell and view on its own. For any feasible k' convexity gives

        E(k') ≥ E(k) + ⟨∇E(k), k' − k⟩ ≥ E(k) − [⟨∇E(k), k⟩ − min ∇E(k)],

    the minimum over the pixels inside the rim. The bracket, the duality gap, bounds how far E(k) lies above
    the least energy, and stops the iteration.
    """
    weights = Weights(*(jnp.float32(weight) for weight in weights))
    # Given to the program: XLA would work out a constant one number by number while it compiles.
    vector = jax.random.normal(jax.random.key(0), start.shape)
    step = 1 / _curvature(cells, weights, vector)
    state = start, start, jnp.ones(start.shape[:2])
    worst = np.inf
    with progress(range(STRIDE, most_iterations + 1, STRIDE), description) as bar:
        for iterations in bar:  # noqa: B007 the last one is told
            state, energy, gap = _iterate(cells, weights, step, state)
            worst = float((gap / jnp.maximum(energy - gap, LEAST_ENERGY)).max())
            bar.set_postfix_str(f"energy within {worst:.1%} of the least")
            if worst <= tolerance:
                break
    return state[0], worst, iterations


@jax.jit
def _iterate(
    cells: Cells, weights: Weights, step: Float[Array, "cells views"], state: State
) -> tuple[State, Float[Array, "cells views"], Float[Array, "cells views"]]:
    """The state after `STRIDE` iterations, its energies, and their duality gaps."""

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


@jax.jit
def _curvature(
    cells: Cells, weights: Weights, vector: Float[Array, "cells views size size"]
) -> Float[Array, "cells views"]:
    """Largest eigenvalue of the energy's second derivative, by power iteration from a random vector."""
    linear = cells._replace(target=jnp.zeros_like(cells.target))
    quadratic = weights._replace(compactness=jnp.zeros(()))

    def multiply(_, vector):
        length = jnp.sqrt((vector**2).sum((-2, -1), keepdims=True))
        return energy_and_gradient(linear, vector / length, quadratic)[1]

    vector = jax.lax.fori_loop(0, POWER_ITERATIONS, multiply, vector)
    return jnp.sqrt((vector**2).sum((-2, -1)))


def _window(cells: Cells, size: int) -> tuple[int, int]:
    """Height and width of a transform that holds a cell's pixels and their blur."""
    return tuple(good_fft_length(length + size - 1) for length in cells.target.shape[-2:])


def _reaching(
    sharp: Float[np.ndarray, "sharp_height sharp_width"], shape: tuple[int, int], halo: int
) -> Float[np.ndarray, "whole_height whole_width"]:
    """The sharp chart, cut or continued by NaN to reach half a kernel beyond the views on all sides."""
    for axis, length in enumerate(shape):
        beyond = (sharp.shape[axis] - length) // 2
        cut = max(beyond - halo, 0)
        sharp = np.take(sharp, range(cut, sharp.shape[axis] - cut), axis=axis)
        widths = [(max(halo - beyond, 0),) * 2 if axis == other else (0, 0) for other in range(2)]
        sharp = np.pad(sharp, widths, constant_values=np.nan)
    return sharp
