"""Spatially varying blur: every tile of the image convolved with its own kernel, in the Fourier domain.

Axes: images are ``[..., height, width]``. The kernel grid cuts the image into ``rows x cols`` tiles, numbered
row by row; a *window* is a tile with all pixels that its blur reaches, ``[..., window_height,
window_width]``, and is what is transformed. A *group* is several consecutive tiles that are blurred at once.
Spectra are the kernels' transforms ``[tiles, layers, views, window_height, window_width]``. Views are (left,
right); all lengths are in pixels.

Beyond its border the image is continued by its edge pixels. Tiles are not blended.

One complex convolution does two real ones: either two images form the real and the imaginary part and share a
real kernel, or the two views' kernels form one complex kernel ``k_l + i k_r``. All maps here are linear in
the images; the derivative of each is its exact adjoint, written by hand. The kernels are calibration data:
the derivative with respect to spectra is not implemented, and JAX sees zero.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from dpdefocus.optics.tiling import Tiling, add_windows, margins, pad, pad_adjoint, windows


def kernel_spectra(
    kernels: Float[Array, "layers rows cols views kernel kernel"], tiling: Tiling
) -> Complex[Array, "tiles layers views window_height window_width"]:
    """Transforms of the kernels, placed so that a window's blurred tile starts at the window's first pixel.

    The window starts one halo above and to the left of its tile. Convolution with a kernel that starts at its
    own first pixel moves the image by a halo; rolling the kernel back by two halos undoes both. What circular
    convolution wraps around falls outside the tile, since the window is at least a tile and two halos long.
    """
    return tile_spectra(kernels_by_tile(kernels), tiling)


def kernels_by_tile(
    kernels: Float[Array, "layers rows cols views kernel kernel"],
) -> Float[Array, "tiles layers views kernel kernel"]:
    """The kernels in the order of the tiles."""
    layers, rows, cols, *rest = kernels.shape
    return kernels.transpose(1, 2, 0, 3, 4, 5).reshape(rows * cols, layers, *rest)


def tile_spectra(
    kernels: Float[Array, "tiles layers views kernel kernel"], tiling: Tiling
) -> Complex[Array, "tiles layers views window_height window_width"]:
    """As ``kernel_spectra``, of the kernels of some tiles."""
    size, shift = tiling.kernel, -2 * tiling.halo
    room = [(0, 0)] * 3 + [(0, tiling.window_height - size), (0, tiling.window_width - size)]
    return jnp.fft.fft2(jnp.roll(jnp.pad(kernels, room), (shift, shift), (-2, -1)))


def _kernel(spectra, first, layer, view, group):
    """The spectra ``[group, window_height, window_width]`` of one layer's kernels for a view, in a group's
    tiles.

    One slice for each view: XLA does not vectorise code that reads one dynamic slice at two places.
    """
    shape = (group, 1, 1, *spectra.shape[3:])
    return jax.lax.dynamic_slice(spectra, (first, layer, view, 0, 0), shape)[:, 0, 0]


def _crop(transformed, tiling):
    return transformed[..., : tiling.tile_height, : tiling.tile_width]


def _canvas(spectra, group):
    return jnp.zeros((group, *spectra.shape[3:]), spectra.dtype)


def _draw(canvas, real, imag, at=0):
    """A complex image ``[group, height, width]`` drawn into the canvas, from row and column ``at`` on."""
    return jax.lax.dynamic_update_slice(canvas, jax.lax.complex(real, imag), (0, at, at))


@partial(jax.custom_vjp, nondiff_argnums=(3,))
def blur_windows(
    images: Float[Array, "layers group window_height window_width"],
    spectra: Complex[Array, "tiles layers views window_height window_width"],
    first: Int[Array, ""],
    tiling: Tiling,
) -> Float[Array, "layers group views tile_height tile_width"]:
    """A group's tiles of every layer, from tile ``first`` on, blurred for both views: ``k_i^v * x_i``."""
    layers, group = images.shape[:2]

    def step(given):
        layer, image = given
        left, right = (_kernel(spectra, first, layer, view, group) for view in (0, 1))
        spectrum = jnp.fft.fft2(image.astype(spectra.dtype))
        blurred = _crop(jnp.fft.ifft2(spectrum * (left + 1j * right)), tiling)
        return jnp.stack([blurred.real, blurred.imag], axis=1)

    return jax.lax.map(step, (jnp.arange(layers), images))


def _blur_windows_forward(images, spectra, first, tiling):
    return blur_windows(images, spectra, first, tiling), (spectra, first)


def _blur_windows_adjoint(tiling, residuals, cotangents):
    spectra, first = residuals
    layers, group = cotangents.shape[:2]

    def step(canvas, given):
        layer, cotangent = given
        left, right = (_kernel(spectra, first, layer, view, group) for view in (0, 1))
        canvas = _draw(canvas, cotangent[:, 0], cotangent[:, 1])
        return canvas, jnp.fft.ifft2(jnp.fft.fft2(canvas) * (left + 1j * right).conj()).real

    gathered = jax.lax.scan(step, _canvas(spectra, group), (jnp.arange(layers), cotangents))[1]
    return gathered, jnp.zeros_like(spectra), None


blur_windows.defvjp(_blur_windows_forward, _blur_windows_adjoint)


class BlurredMPI(NamedTuple):
    """A view's MPI, blurred in the three ways that the losses need: ``k * (c α)``, ``k * α``, ``k * c``."""

    premultiplied: Float[Array, "layers group tile_height tile_width"]
    alphas: Float[Array, "layers group tile_height tile_width"]
    intensities: Float[Array, "layers group tile_height tile_width"]


class SharpMPI(NamedTuple):
    """An unblurred MPI, ``c`` and ``α``, with a margin of one pixel around every tile."""

    intensities: Float[Array, "layers group tile_height_and_2 tile_width_and_2"]
    alphas: Float[Array, "layers group tile_height_and_2 tile_width_and_2"]


@partial(jax.custom_vjp, nondiff_argnums=(4,))
def mpi_tiles(
    intensities: Float[Array, "layers group window_height window_width"],
    alphas: Float[Array, "layers group window_height window_width"],
    spectra: Complex[Array, "tiles layers views window_height window_width"],
    first: Int[Array, ""],
    tiling: Tiling,
) -> tuple[SharpMPI, BlurredMPI, BlurredMPI]:
    """A group's tiles of an MPI, from tile ``first`` on: sharp, and blurred for the left and the right view.

    For each layer two complex transforms forward and three back, and the reverse in the adjoint: ten instead
    of eighteen real ones.
    """
    layers, group = intensities.shape[:2]

    def step(given):
        layer, intensity, alpha = given
        left, right = (_kernel(spectra, first, layer, view, group) for view in (0, 1))
        pair = jnp.fft.fft2(jax.lax.complex(intensity * alpha, alpha))
        single = jnp.fft.fft2(intensity.astype(spectra.dtype))
        products = pair * left, pair * right, single * (left + 1j * right)
        to_left, to_right, both = (_crop(jnp.fft.ifft2(each), tiling) for each in products)
        return (
            SharpMPI(_inside(intensity, tiling), _inside(alpha, tiling)),
            BlurredMPI(to_left.real, to_left.imag, both.real),
            BlurredMPI(to_right.real, to_right.imag, both.imag),
        )

    return jax.lax.map(step, (jnp.arange(layers), intensities, alphas))


def _inside(windowed, tiling):
    """The tiles of these windows, with a margin of one pixel."""
    top = tiling.halo - 1
    return windowed[..., top : top + tiling.tile_height + 2, top : top + tiling.tile_width + 2]


def _mpi_tiles_forward(intensities, alphas, spectra, first, tiling):
    tiled = mpi_tiles(intensities, alphas, spectra, first, tiling)
    return tiled, (intensities, alphas, spectra, first)


def _mpi_tiles_adjoint(tiling, residuals, cotangents):
    intensities, alphas, spectra, first = residuals
    layers, group = intensities.shape[:2]

    def step(canvases, given):
        layer, intensity, alpha, (sharp, of_left, of_right) = given
        left, right = (_kernel(spectra, first, layer, view, group) for view in (0, 1))
        canvases = (
            _draw(canvases[0], of_left.premultiplied, of_left.alphas),
            _draw(canvases[1], of_right.premultiplied, of_right.alphas),
            _draw(canvases[2], of_left.intensities, of_right.intensities),
            _draw(canvases[3], sharp.intensities, sharp.alphas, tiling.halo - 1),
        )
        from_left, from_right, both = (jnp.fft.fft2(canvas) for canvas in canvases[:3])
        pair = jnp.fft.ifft2(from_left * left.conj() + from_right * right.conj())
        single = jnp.fft.ifft2(both * (left + 1j * right).conj())
        of_intensity = single.real + pair.real * alpha + canvases[3].real
        of_alpha = pair.imag + pair.real * intensity + canvases[3].imag
        return canvases, (of_intensity, of_alpha)

    canvases = tuple(_canvas(spectra, group) for _ in range(4))
    gathered = jax.lax.scan(step, canvases, (jnp.arange(layers), intensities, alphas, cotangents))[1]
    return *gathered, jnp.zeros_like(spectra), None


mpi_tiles.defvjp(_mpi_tiles_forward, _mpi_tiles_adjoint)


def group_size(tiling: Tiling) -> int:
    """How many tiles to blur at once: all on an accelerator; one on a CPU, where more would leave the
    cache.
    """
    return 1 if jax.default_backend() == "cpu" else tiling.tiles


def group_starts(tiling: Tiling) -> Int[Array, " groups"]:
    """The first tile of each group."""
    return jnp.arange(0, tiling.tiles, group_size(tiling))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def blur(
    images: Float[Array, "layers height width"],
    spectra: Complex[Array, "tiles layers views window_height window_width"],
    tiling: Tiling,
) -> Float[Array, "layers views height width"]:
    """Every layer blurred for both views by its own, spatially varying kernels: ``k_i^v * x_i``."""
    padded, group = pad(images, tiling), group_size(tiling)
    blurred = jax.lax.map(
        lambda first: blur_windows(windows(padded, first, group, tiling), spectra, first, tiling),
        group_starts(tiling),
    )
    grid = jnp.moveaxis(blurred, 1, 2).reshape(tiling.rows, tiling.cols, images.shape[0], *blurred.shape[3:])
    whole = grid.transpose(2, 3, 0, 4, 1, 5).reshape(images.shape[0], grid.shape[3], *_covered(tiling))
    return whole[..., : tiling.height, : tiling.width]


def _covered(tiling):
    """Height and width of all tiles together."""
    return tiling.rows * tiling.tile_height, tiling.cols * tiling.tile_width


def _blur_forward(images, spectra, tiling):
    return blur(images, spectra, tiling), spectra


def _blur_adjoint(tiling, spectra, cotangent):
    group = group_size(tiling)
    layers, views = cotangent.shape[:2]
    (above, below), (left, right) = margins(tiling)
    height, width = _covered(tiling)
    overhang = (0, height - tiling.height), (0, width - tiling.width)
    cotangent = jnp.pad(cotangent, [(0, 0), (0, 0), *overhang])
    grid = cotangent.reshape(layers, views, tiling.rows, tiling.tile_height, tiling.cols, tiling.tile_width)
    grid = grid.transpose(2, 4, 0, 1, 3, 5)
    by_group = jnp.moveaxis(grid.reshape(tiling.tiles // group, group, *grid.shape[2:]), 1, 2)

    def step(padded, given):
        first, cotangents = given
        gathered, _, _ = _blur_windows_adjoint(tiling, (spectra, first), cotangents)
        return add_windows(padded, gathered, first, tiling), None

    blank = jnp.zeros((layers, above + tiling.height + below, left + tiling.width + right), cotangent.dtype)
    padded, _ = jax.lax.scan(step, blank, (group_starts(tiling), by_group))
    return pad_adjoint(padded, tiling), jnp.zeros_like(spectra)


blur.defvjp(_blur_forward, _blur_adjoint)
