"""The sharp image for a known defocus map: each layer deconvolved, with sparse gradients, then composited.

For each tile and each layer seen there, ``min_c ½ Σ_v |k_d^v * c − I^v|² + λ Σ |∇c|^ν``. Gradients of natural
images are sparse, and an exponent ν below one says so better than total variation does (Krishnan and Fergus,
NIPS 2009). Half-quadratic splitting (Wang et al., SIAM J. Imaging Sci. 2008): gradients are shrunk,
the image is solved for in the Fourier domain, and the coupling between the two grows fourfold from step to
step. The start is the Wiener estimate (27).

The map may be wrong, and a layer from which too much blur is removed rings. Blurred again, ringing does not
reproduce the views; then the pixel goes to a nearer layer (`reassign_to_nearer_layers`).

Axes: views [layers, views, height, width]; weights [layers, height, width], summing to one over the layers;
tiles as in `blended_tiles`. Views are in units of their own mean times two (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from dpdefocus.fast.settings import DeconvolutionSettings, NaturalImagePrior, SplittingSettings
from dpdefocus.fast.wiener import noise_to_signal, wiener_estimate
from dpdefocus.optics.blended_tiles import Overlap, blending_weights, frequencies, pad_to_tiles, taper
from dpdefocus.optics.kernels import scaled_spectra
from dpdefocus.support.progress_bar import progress

BATCH = 8  # tiles solved together


def tile_margin(reach: float, scales: Float[Array, " layers"]) -> int:
    """Pixels around a tile from which blur of any layer reaches into it; `reach` is that of size 1."""
    return int(np.ceil(2 * reach * float(jnp.abs(scales).max())))


def deblur(
    views: Float[Array, "layers views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " layers"],
    weights: Float[Array, "layers height width"],
    reach: float,
    margin: int,
    settings: DeconvolutionSettings = DeconvolutionSettings(),
    prior: NaturalImagePrior = NaturalImagePrior(),
) -> tuple[Float[Array, "height width"], Float[Array, "layers height width"]]:
    """The sharp image, and each layer's share of it.

    Each pixel is put together from the deconvolutions of the layers that it belongs to. In each tile the
    layers that show there are solved, and their `rivals`.

    Args:
        views: those of each layer without what stands in front of it (`occlusion.remove_occluders`).
        kernels: the calibrated ones.
        scales: the layers' sizes.
        weights: the layers' shares of each pixel, before layers that do not explain the views lose theirs.
        reach: radius of the calibrated kernels, in pixels.
        margin: around each tile, in pixels (`tile_margin`).
        settings: λ and everything else.
        prior: of the Wiener estimate that deconvolution starts from.
    """
    rows, cols = kernels.shape[:2]
    overlap = Overlap(*views.shape[-2:], rows, cols, margin)
    weights = jnp.where(weights > settings.least_share, weights, 0)
    padded, weights = (
        pad_to_tiles(views, overlap),
        _pad_to_cores(weights / weights.sum(0, keepdims=True), overlap),
    )
    seen = _cores(weights > 0, overlap)
    solved = np.zeros_like(seen)
    for layer, others in enumerate(rivals(len(seen), settings.nearer)):
        solved[others] |= seen[layer]
    stack = jnp.zeros((2, *weights.shape))
    for job in progress(_batches(solved), "sharp image"):
        stack = _add_jobs(
            stack,
            jnp.asarray(job),
            padded,
            kernels,
            scales,
            reach,
            settings.sparsity,
            overlap=overlap,
            residual_window=settings.residual_window,
            splitting=settings.splitting,
            prior=prior,
        )
    shares = reassign_to_nearer_layers(
        weights, stack[1], settings.residual_tolerance, settings.leeway, settings.nearer
    )
    (cell_y, cell_x), (height, width) = overlap.cell, views.shape[-2:]
    inside = np.s_[:, cell_y // 2 : cell_y // 2 + height, cell_x // 2 : cell_x // 2 + width]
    shares = shares[inside]
    return (shares * stack[0][inside]).sum(0), shares


def rivals(
    layers: int, nearer: tuple[int, ...] = DeconvolutionSettings.nearer
) -> Int[np.ndarray, "layers rivals"]:
    """Each layer itself, those `nearer` by so many layers, and the nearest one; from the farthest on."""
    steps = np.array([0, *nearer, layers])
    return np.minimum(np.arange(layers)[:, None] + steps, layers - 1)


@partial(jax.jit, static_argnames=("leeway", "nearer"))
def reassign_to_nearer_layers(
    weights: Float[Array, "layers height width"],
    residuals: Float[Array, "layers height width"],
    tolerance: float | Float[Array, ""],
    leeway: float = DeconvolutionSettings.leeway,
    nearer: tuple[int, ...] = DeconvolutionSettings.nearer,
) -> Float[Array, "layers height width"]:
    """Each layer's share of each pixel, after layers that do not explain the views have lost theirs.

    `residuals` are the differences between the views and a layer's sharp image, blurred again: mean squares
    around a pixel, summed over the views. Removing more blur than there was rings, and blurred ringing does
    not reproduce the views; removing less leaves the image slightly soft. So a layer's share moves along its
    `rivals`, nearer and nearer, while their residual exceeds ``limit = leeway · (smallest residual of them) +
    tolerance``; all of it moves from twice the limit on. Shares move only to the side on which a mistake is
    harmless, and never past the rival of the smallest residual.
    """

    def one(shares, layer):
        weight, others = layer
        left = residuals[others]
        limit = leeway * left.min(0) + tolerance
        for rival, each in zip(others, left, strict=True):
            kept = weight * jnp.clip(2 - each / jnp.maximum(limit, 1e-12), 0, 1)
            shares, weight = shares.at[rival].add(kept), weight - kept
        return shares, None

    each_layers = jnp.asarray(rivals(len(weights), nearer))
    return jax.lax.scan(one, jnp.zeros_like(weights), (weights, each_layers))[0]


def _pad_to_cores(
    weights: Float[Array, "layers height width"], overlap: Overlap
) -> Float[Array, "layers canvas_height canvas_width"]:
    """Weights on the canvas that the tiles' cores cover: half a cell more on each side."""
    (cell_y, cell_x), rows, cols = overlap.cell, overlap.rows, overlap.cols
    top, left = cell_y // 2, cell_x // 2
    bottom = (rows + 1) * cell_y - top - overlap.height
    right = (cols + 1) * cell_x - left - overlap.width
    return jnp.pad(weights, ((0, 0), (top, bottom), (left, right)))


def _cores(
    where: Bool[Array, "layers canvas_height canvas_width"], overlap: Overlap
) -> Bool[np.ndarray, "layers rows cols"]:
    """In the core of which tiles a layer has any of these pixels of the canvas."""
    (cell_y, cell_x), layers = overlap.cell, len(where)
    blocks = where.reshape(layers, overlap.rows + 1, cell_y, overlap.cols + 1, cell_x).any((2, 4))
    blocks = np.asarray(blocks)
    core = blocks[:, :-1] | blocks[:, 1:]
    return core[:, :, :-1] | core[:, :, 1:]


def _batches(jobs: Bool[np.ndarray, "layers rows cols"]) -> Int[np.ndarray, "batches batch 3"]:
    """Row, column and layer of the tiles to solve, some together, neighbours first; row −1 is no job."""
    found = np.stack(np.nonzero(jobs.transpose(1, 2, 0)), axis=-1)
    return np.concatenate([found, np.full((-len(found) % BATCH, 3), -1)]).reshape(-1, BATCH, 3)


@partial(
    jax.jit,
    static_argnames=("overlap", "residual_window", "splitting", "prior"),
    donate_argnames="stack",
)
def _add_jobs(
    stack: Float[Array, "2 layers canvas_height canvas_width"],
    jobs: Int[Array, "batch 3"],
    views: Float[Array, "layers views padded_height padded_width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " layers"],
    reach: float | Float[Array, ""],
    sparsity: float | Float[Array, ""],
    *,
    overlap: Overlap,
    residual_window: float,
    splitting: SplittingSettings,
    prior: NaturalImagePrior,
) -> Float[Array, "2 layers canvas_height canvas_width"]:
    """Solve a batch of (row, column, layer), and add each core, with its weights, to the stack of that layer:
    first the sharp image, then its residual. Row −1 is no job.
    """
    (cell_y, cell_x), (tile_y, tile_x) = overlap.cell, overlap.tile
    core_y, core_x = 2 * cell_y, 2 * cell_x
    fy, fx = frequencies(overlap)
    row, col, layer = jobs.T

    def tile_of(row, col, layer):
        corner = layer, 0, row * cell_y, col * cell_x
        return jax.lax.dynamic_slice(views, corner, (1, views.shape[1], tile_y, tile_x))[0]

    tiles = taper(jax.vmap(tile_of)(row, col, layer), overlap)
    transforms = jax.vmap(lambda cell, scale: scaled_spectra(cell, scale, fy, fx))(
        kernels[row, col], scales[layer]
    )
    spectra = jnp.fft.rfft2(tiles)
    sharp = sparse_deconvolution(spectra, transforms, overlap.tile, fy, fx, sparsity, splitting, prior)
    missed = jnp.fft.irfft2(transforms * jnp.fft.rfft2(sharp)[:, None] - spectra, s=overlap.tile)
    deviation = jnp.maximum(reach / residual_window, 0.5)  # a reach of 0 has no window
    means_y, means_x = _window_means(tile_y, core_y, deviation), _window_means(tile_x, core_x, deviation)
    unexplained = jnp.einsum("ya,nab,xb->nyx", means_y, (missed**2).sum(1), means_x)
    top, start = (tile_y - core_y) // 2, (tile_x - core_x) // 2
    both = jnp.stack([sharp[:, top : top + core_y, start : start + core_x], unexplained])
    hat_y, hat_x = (
        jnp.asarray(blending_weights(overlap.rows, cell_y)),
        jnp.asarray(blending_weights(overlap.cols, cell_x)),
    )

    def add(number, stack):
        corner = 0, layer[number], row[number] * cell_y, col[number] * cell_x
        share = jnp.outer(hat_y[row[number]], hat_x[col[number]]) * (row[number] >= 0)
        core = (both[:, number] * share[None])[:, None]
        return jax.lax.dynamic_update_slice(
            stack, jax.lax.dynamic_slice(stack, corner, core.shape) + core, corner
        )

    return jax.lax.fori_loop(0, len(jobs), add, stack)


def _window_means(tile: int, core: int, deviation: float | Float[Array, ""]) -> Float[Array, "core tile"]:
    """Matrix [core, tile] from a line of a tile to Gaussian means around the pixels of its core."""
    position, centre = jnp.arange(tile)[None], (tile - core) // 2 + jnp.arange(core)[:, None]
    window = jnp.exp(-0.5 * ((position - centre) / deviation) ** 2)
    return window / window.sum(1, keepdims=True)


@partial(jax.jit, static_argnames=("shape", "splitting", "prior"))
def sparse_deconvolution(
    spectra: Complex[Array, "*n views h half"],
    kernels: Complex[Array, "*n views h half"],
    shape: tuple[int, int],
    fy: Float[Array, " h"],
    fx: Float[Array, " half"],
    sparsity: float | Float[Array, ""],
    splitting: SplittingSettings = SplittingSettings(),
    prior: NaturalImagePrior = NaturalImagePrior(),
) -> Float[Array, "*n h w"]:
    """``min_c ½ Σ_v |k^v * c − I^v|² + λ Σ |∇c|^ν`` on periodic tiles, from transforms of views and kernels.

    A gradient g is shrunk by the slope of its own cost, to ``g max(1 − λ ν |g|^(ν−2) / β, 0)`` with coupling
    β; for ν = 1 that is the threshold of total variation, and exact; for less it is one step towards the
    minimum.
    """
    along_y, along_x = (jnp.abs(jnp.exp(2j * jnp.pi * f) - 1) ** 2 for f in (fy, fx))
    laplacian = along_y[:, None] + along_x[None]
    laplacian = laplacian.reshape((1,) * (spectra.ndim - 3) + laplacian.shape)
    matched = (jnp.conj(kernels) * spectra).sum(-3)
    power = (kernels.real**2 + kernels.imag**2).sum(-3)

    def step(number, sharp):
        coupling = splitting.first_coupling * splitting.growth**number
        dy, dx = (jnp.roll(sharp, -1, axis) - sharp for axis in (-2, -1))
        # As a power of the square, in logarithms: XLA's own power runs number by number.
        slope = jnp.exp((splitting.sparseness / 2 - 1) * jnp.log(dy**2 + dx**2 + 1e-20))
        shrink = jnp.maximum(1 - sparsity * splitting.sparseness / coupling * slope, 0)
        dy, dx = dy * shrink, dx * shrink
        divergence = jnp.roll(dy, 1, -2) - dy + jnp.roll(dx, 1, -1) - dx
        explained = matched + coupling * jnp.fft.rfft2(divergence)
        return jnp.fft.irfft2(explained * (1 / (power + coupling * laplacian + 1e-9)), s=shape)

    start = jnp.fft.irfft2(wiener_estimate(spectra, kernels, noise_to_signal(fy, fx, prior)), s=shape)
    return jax.lax.fori_loop(0, splitting.steps, step, start)
