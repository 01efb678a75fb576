"""The sharp image for a known defocus map: each layer deconvolved, with sparse gradients, then composited.

For each tile and each layer seen there, ``min_c ½ Σ_v |k_d^v * c − I^v|² + λ Σ |∇c|^ν``. Gradients of natural
images are sparse, and ν = `SPARSENESS`, below one, says so better than total variation does (Krishnan and
Fergus, NIPS 2009). Half-quadratic splitting (Wang et al., SIAM J. Imaging Sci. 2008): gradients are shrunk,
the image is solved for in the Fourier domain, and the coupling between the two grows fourfold from step to
step. The start is the Wiener estimate (27).

Axes: views [views, height, width]; weights [layers, height, width], summing to one over the layers; tiles
as in `overlap`. Views are in units of their own mean times two (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from dpdefocus.occlusion import uncovered
from dpdefocus.overlap import Overlap, fade, frequencies, hats, pad, scaled_spectra
from dpdefocus.progress import progress
from dpdefocus.wiener import noise_to_signal, wiener_estimate

BATCH = 8  # tiles solved together
SPARSENESS = 0.7  # exponent ν of the gradients
FIRST_COUPLING = 5e-3  # of the first step
STEPS = 4


@jax.jit
def layer_weights(
    defocus: Float[Array, "height width"], scales: Float[Array, " layers"]
) -> Float[Array, "layers height width"]:
    """Each layer's share of each pixel: linear between the two layers around its defocus size.

    `scales` fall evenly from the farthest layer to the nearest; sizes beyond them take the end layer.
    """
    step = scales[0] - scales[1]
    inside = jnp.clip(defocus, scales[-1], scales[0])
    return jnp.clip(1 - jnp.abs(inside[None] - scales[:, None, None]) / step, 0, 1)


def deblur(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " layers"],
    weights: Float[Array, "layers height width"],
    reach: float,
    sparsity: float,
) -> Float[Array, "height width"]:
    """The sharp image: every pixel from the deconvolutions of the layers that it belongs to.

    `reach` is the radius in pixels of the calibrated kernels; `sparsity` is λ. What nearer surfaces hide
    of a layer is filled in first (`uncovered`). Only the layers that show in a tile are solved there.
    """
    rows, cols = kernels.shape[:2]
    margin = int(np.ceil(2 * reach * float(jnp.abs(scales).max())))
    overlap = Overlap(*views.shape[-2:], rows, cols, margin)
    padded = _pad_to_cores(weights, overlap)
    seen = _seen(np.asarray(padded), overlap)
    jobs = np.concatenate([seen, np.full((-len(seen) % BATCH, 3), -1)]).reshape(-1, BATCH, 3)
    behind = pad(uncovered(views, scales, weights, reach), overlap)
    canvas = jnp.zeros(padded.shape[1:])
    for job in progress(jobs, "sharp image"):
        canvas = _add_jobs(canvas, jnp.asarray(job), behind, kernels, scales, padded, overlap, sparsity)
    (cell_y, cell_x), (height, width) = overlap.cell, views.shape[-2:]
    return canvas[cell_y // 2 :, cell_x // 2 :][:height, :width]


def _pad_to_cores(weights, overlap):
    """Weights on the canvas that the tiles' cores cover: half a cell more on each side."""
    (cell_y, cell_x), rows, cols = overlap.cell, overlap.rows, overlap.cols
    top, left = cell_y // 2, cell_x // 2
    bottom = (rows + 1) * cell_y - top - overlap.height
    right = (cols + 1) * cell_x - left - overlap.width
    return jnp.pad(weights, ((0, 0), (top, bottom), (left, right)))


def _seen(padded, overlap) -> Int[np.ndarray, "jobs 3"]:
    """Row, column and layer of all tiles in whose core a layer has a share of at least a thousandth."""
    (cell_y, cell_x), layers = overlap.cell, len(padded)
    blocks = padded.reshape(layers, overlap.rows + 1, cell_y, overlap.cols + 1, cell_x).max((2, 4))
    core = np.maximum(blocks[:, :-1], blocks[:, 1:])
    core = np.maximum(core[:, :, :-1], core[:, :, 1:])
    return np.stack(np.nonzero(core.transpose(1, 2, 0) > 1e-3), axis=-1)


@partial(jax.jit, static_argnames="overlap", donate_argnames="canvas")
def _add_jobs(canvas, jobs, views, kernels, scales, weights, overlap, sparsity):
    """Solve a batch of (row, column, layer), and add each core, weighted, to the canvas. Row −1 is no job."""
    (cell_y, cell_x), (tile_y, tile_x) = overlap.cell, overlap.tile
    core_y, core_x = 2 * cell_y, 2 * cell_x
    fy, fx = frequencies(overlap)
    row, col, layer = jobs.T

    def tile_of(row, col, layer):
        corner = layer, 0, row * cell_y, col * cell_x
        return jax.lax.dynamic_slice(views, corner, (1, views.shape[1], tile_y, tile_x))[0]

    spectra = jnp.fft.rfft2(fade(jax.vmap(tile_of)(row, col, layer), overlap))
    transforms = jax.vmap(lambda cell, scale: scaled_spectra(cell, scale, fy, fx))(
        kernels[row, col], scales[layer]
    )
    sharp = sparse_deconvolution(spectra, transforms, overlap.tile, fy, fx, sparsity)
    top, left = (tile_y - core_y) // 2, (tile_x - core_x) // 2
    hat_y, hat_x = jnp.asarray(hats(overlap.rows, cell_y)), jnp.asarray(hats(overlap.cols, cell_x))

    def add(number, canvas):
        corner = row[number] * cell_y, col[number] * cell_x
        share = jax.lax.dynamic_slice(weights, (layer[number], *corner), (1, core_y, core_x))[0]
        share = share * jnp.outer(hat_y[row[number]], hat_x[col[number]]) * (row[number] >= 0)
        core = sharp[number, top : top + core_y, left : left + core_x] * share
        return jax.lax.dynamic_update_slice(
            canvas, jax.lax.dynamic_slice(canvas, corner, core.shape) + core, corner
        )

    return jax.lax.fori_loop(0, len(jobs), add, canvas)


def sparse_deconvolution(
    spectra: Complex[Array, "*n views h half"],
    kernels: Complex[Array, "*n views h half"],
    shape: tuple[int, int],
    fy: Float[Array, " h"],
    fx: Float[Array, " half"],
    sparsity: float | Float[Array, ""],
) -> Float[Array, "*n h w"]:
    """``min_c ½ Σ_v |k^v * c − I^v|² + λ Σ |∇c|^ν`` on periodic tiles, from transforms of views and kernels.

    A gradient g is shrunk by the slope of its own cost, to ``g max(1 − λ ν |g|^(ν−2) / β, 0)`` with coupling
    β; for ν = 1 that is the threshold of total variation, and exact; for less it is one step towards the
    minimum.
    """
    gradient_y = (jnp.exp(2j * jnp.pi * fy) - 1)[:, None]
    gradient_x = (jnp.exp(2j * jnp.pi * fx) - 1)[None]
    laplacian = jnp.abs(gradient_y) ** 2 + jnp.abs(gradient_x) ** 2
    lead = (1,) * (spectra.ndim - 3)
    gradient_y, gradient_x, laplacian = (
        g.reshape(lead + g.shape) for g in (gradient_y, gradient_x, laplacian)
    )
    matched = (jnp.conj(kernels) * spectra).sum(-3)
    power = (jnp.abs(kernels) ** 2).sum(-3)

    def step(number, sharp):
        coupling = FIRST_COUPLING * 4.0**number
        dy = jnp.fft.irfft2(gradient_y * sharp, s=shape)
        dx = jnp.fft.irfft2(gradient_x * sharp, s=shape)
        length = jnp.sqrt(dy**2 + dx**2 + 1e-20)
        shrink = jnp.maximum(1 - sparsity * SPARSENESS * length ** (SPARSENESS - 2) / coupling, 0)
        divergence = jnp.conj(gradient_y) * jnp.fft.rfft2(dy * shrink)
        divergence += jnp.conj(gradient_x) * jnp.fft.rfft2(dx * shrink)
        return (matched + coupling * divergence) / (power + coupling * laplacian + 1e-9)

    start = wiener_estimate(spectra, kernels, noise_to_signal(fy, fx))
    return jnp.fft.irfft2(jax.lax.fori_loop(0, STEPS, step, start), s=shape)
