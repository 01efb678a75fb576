"""The sharp image for a known defocus map: each layer deconvolved with total variation, then composited.

For each tile and each layer seen there, ``min_c ½ Σ_v |k_d^v * c − I^v|² + λ Σ |∇c|`` by half-quadratic
splitting (Wang et al., SIAM J. Imaging Sci. 2008): gradients are shrunk by a threshold, the image is solved
for in the Fourier domain, and the coupling between the two grows fourfold from step to step. The start is
the Wiener estimate (27).

Axes: views [views, height, width]; weights [layers, height, width], summing to one over the layers; tiles
as in `overlap`. Views are in units of their own mean times two (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from dpdefocus.overlap import Overlap, fade, frequencies, hats, pad, scaled_spectra
from dpdefocus.progress import progress
from dpdefocus.wiener import noise_to_signal, wiener_estimate

BATCH = 8  # tiles solved together
FIRST_COUPLING = 5e-3  # of the first step
STEPS = 4
DEPTH_GAP = 0.15  # difference in defocus size from which a surface stands in front of another
BLOCK = 4
FILLED = 0.6  # share of the views that is filled in where a nearer surface covers a layer


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
    variation: float,
) -> Float[Array, "height width"]:
    """The sharp image: every pixel from the deconvolutions of the layers that it belongs to.

    `reach` is the radius in pixels of the calibrated kernels; `variation` is λ. What nearer surfaces hide
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
        canvas = _add_jobs(canvas, jnp.asarray(job), behind, kernels, scales, padded, overlap, variation)
    (cell_y, cell_x), (height, width) = overlap.cell, views.shape[-2:]
    return canvas[cell_y // 2 :, cell_x // 2 :][:height, :width]


@jax.jit
def uncovered(
    views: Float[Array, "views height width"],
    scales: Float[Array, " layers"],
    weights: Float[Array, "layers height width"],
    reach: float | Float[Array, ""],
) -> Float[Array, "layers views height width"]:
    """The views as each layer would have them without the surfaces in front of it.

    At an outline the far side's kernel would mix in the near side's light, which never went through it, and
    the deconvolution would ring. Where a layer nearer by more than `DEPTH_GAP` throws most of its light,
    within half its kernel's reach, the views are filled in smoothly from around; but only to the share
    `FILLED`, since an outline that the map misses would otherwise cost what is really there.
    """
    light = _dilated(weights, jnp.floor(0.5 * reach * jnp.abs(scales)))
    # A surface between two layers is shared by both, so the layers' light adds up.
    from_here_on = jnp.concatenate([jnp.cumsum(light[::-1], axis=0)[::-1], jnp.zeros_like(light[:1])])
    first_nearer = (scales[None] >= scales[:, None] - DEPTH_GAP).sum(1)
    covered = jnp.minimum(from_here_on[first_nearer], 1)
    return jax.lax.map(lambda known: FILLED * fill(views, known) + (1 - FILLED) * views, 1 - covered)


def _dilated(
    images: Float[Array, "layers height width"], radii: Float[Array, " layers"]
) -> Float[Array, "layers height width"]:
    """Largest value within a square of at least each layer's half width, on blocks of pixels for speed.

    A square is grown by a block at a time, so that one program serves all half widths.
    """
    block, step = (1, BLOCK, BLOCK), (1, 3, 3)
    height, width = images.shape[1:]
    whole = jnp.pad(images, ((0, 0), (0, -height % BLOCK), (0, -width % BLOCK)))
    blocks = jax.lax.reduce_window(whole, 0.0, jax.lax.max, block, block, "VALID")
    steps = jnp.ceil(radii / BLOCK)

    def grow(number, grown):
        wider = jax.lax.reduce_window(grown, 0.0, jax.lax.max, step, (1, 1, 1), "SAME")
        return jnp.where(number < steps[:, None, None], wider, grown)

    largest = jax.lax.fori_loop(0, steps.max().astype(int), grow, blocks)
    return jnp.repeat(jnp.repeat(largest, BLOCK, 1), BLOCK, 2)[:, :height, :width]


def fill(
    images: Float[Array, "*n height width"], known: Float[Array, "height width"]
) -> Float[Array, "*n height width"]:
    """Images with their unknown pixels filled in from known ones, near ones first (push-pull on a pyramid).

    `known` in [0, 1] is each pixel's weight. Means over ever larger blocks, weighted by what is known,
    replace what is not.
    """
    height, width = known.shape
    even = ((0, height % 2), (0, width % 2))
    known = known + 1e-6
    share = known.reshape((1,) * (images.ndim - 2) + known.shape)
    if min(height, width) == 1:
        return jnp.broadcast_to((images * share).sum((-2, -1), keepdims=True) / known.sum(), images.shape)

    def coarse(image):
        padded = jnp.pad(image, [(0, 0)] * (image.ndim - 2) + list(even))
        return padded.reshape(*image.shape[:-2], padded.shape[-2] // 2, 2, padded.shape[-1] // 2, 2).sum(
            (-3, -1)
        )

    total = coarse(known)
    means = coarse(images * share) / jnp.maximum(coarse(share), 1e-12)
    around = fill(means, jnp.minimum(total, 1))
    around = _doubled(_doubled(around, -2), -1)[..., :height, :width]
    return images * share + around * (1 - share)


def _doubled(image, axis):
    """Twice the samples along an axis, linear between them, the ends repeated."""
    image = jnp.moveaxis(image, axis, -1)
    ends = jnp.concatenate([image[..., :1], image, image[..., -1:]], -1)
    nearer_before, nearer_after = (
        0.75 * image + 0.25 * ends[..., shift : shift + image.shape[-1]] for shift in (0, 2)
    )
    doubled = jnp.stack([nearer_before, nearer_after], -1).reshape(*image.shape[:-1], -1)
    return jnp.moveaxis(doubled, -1, axis)


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
def _add_jobs(canvas, jobs, views, kernels, scales, weights, overlap, variation):
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
    sharp = total_variation_deconvolution(spectra, transforms, overlap.tile, fy, fx, variation)
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


def total_variation_deconvolution(
    spectra: Complex[Array, "*n views h half"],
    kernels: Complex[Array, "*n views h half"],
    shape: tuple[int, int],
    fy: Float[Array, " h"],
    fx: Float[Array, " half"],
    variation: float | Float[Array, ""],
) -> Float[Array, "*n h w"]:
    """``min_c ½ Σ_v |k^v * c − I^v|² + λ Σ |∇c|`` on periodic tiles, from transforms of views and kernels."""
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
        shrink = jnp.maximum(1 - variation / (coupling * length), 0)
        divergence = jnp.conj(gradient_y) * jnp.fft.rfft2(dy * shrink)
        divergence += jnp.conj(gradient_x) * jnp.fft.rfft2(dx * shrink)
        return (matched + coupling * divergence) / (power + coupling * laplacian + 1e-9)

    start = wiener_estimate(spectra, kernels, noise_to_signal(fy, fx))
    return jnp.fft.irfft2(jax.lax.fori_loop(0, STEPS, step, start), s=shape)
