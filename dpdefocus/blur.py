"""Spatially varying blur: every tile of the image convolved with its own kernel, in the Fourier domain.

Axes: images are ``[..., height, width]``. The kernel grid cuts the image into ``rows x cols`` tiles,
numbered row by row; a *window* is a tile with all the surroundings that its blur can see, ``[...,
window_height, window_width]``, and is what is transformed. Some consecutive tiles are blurred at once, a
*group*. Spectra are the kernels' transforms ``[tiles, layers, views, window_height, window_width]``.
Views are (left, right); all lengths are in pixels.

Beyond its border the image is continued by its edge pixels. Tiles are not blended.

Two real convolutions cost one complex one: either two images ride as real and imaginary part through the same
real kernel, or the two views' kernels ride as one complex kernel ``k_l + i k_r``. All maps here are
linear in the images; each carries its exact adjoint, written by hand, as its derivative. The kernels are
calibration data: the derivative with respect to spectra is not implemented, and is zero to JAX.
"""

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from dpdefocus.errors import InputError


@dataclass(frozen=True)
class Tiling:
    """How a kernel grid cuts an image into tiles. When it does not divide the image, the last tiles
    overhang it.
    """

    height: int
    width: int
    rows: int
    cols: int
    kernel: int

    def __post_init__(self):
        if min(self.height, self.width, self.rows, self.cols) < 1:
            raise InputError(
                f"an image of {self.height} x {self.width} pixels and a kernel grid of "
                f"{self.rows} x {self.cols}: neither may be empty"
            )
        if self.kernel % 2 == 0:
            raise InputError(
                f"kernels are {self.kernel} pixels wide; expected an odd width, to have a centre pixel"
            )

    @property
    def tiles(self) -> int:
        return self.rows * self.cols

    @property
    def halo(self) -> int:
        """Half the kernel's width: how far a blurred pixel sees."""
        return self.kernel // 2

    @property
    def tile_height(self) -> int:
        return -(-self.height // self.rows)

    @property
    def tile_width(self) -> int:
        return -(-self.width // self.cols)

    @property
    def window_height(self) -> int:
        """Rows of a window: tile and halos, enlarged to a length that the FFT likes."""
        return good_fft_length(self.tile_height + 2 * self.halo)

    @property
    def window_width(self) -> int:
        return good_fft_length(self.tile_width + 2 * self.halo)


def tiling_of(
    height: int, width: int, kernels: Float[Array | np.ndarray, "*layers rows cols views kernel kernel"]
) -> Tiling:
    """The tiling of a ``height x width`` image by the grid of ``kernels``."""
    rows, cols, _, kernel, _ = kernels.shape[-5:]
    return Tiling(height, width, rows, cols, kernel)


def good_fft_length(length: int) -> int:
    """The least product of twos, threes and fives that is no less than ``length``."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def kernel_spectra(
    kernels: Float[Array, "layers rows cols views kernel kernel"], tiling: Tiling
) -> Complex[Array, "tiles layers views window_height window_width"]:
    """Transforms of the kernels, placed so that a window's blurred tile starts at the window's first pixel.

    The window starts one halo above and to the left of its tile. Convolution with a kernel that starts at
    its own first pixel moves the image by a halo; rolling the kernel back by two halos undoes both. What
    circular convolution wraps around falls outside the tile, since the window is at least a tile and two
    halos long.
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


# --- windows: a padded copy of the image, read and added to a group of tiles at a time -------------


def margins(tiling: Tiling) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels that ``pad`` adds (above, below), (left, right)."""
    below = (tiling.rows - 1) * tiling.tile_height + tiling.window_height - tiling.halo - tiling.height
    right = (tiling.cols - 1) * tiling.tile_width + tiling.window_width - tiling.halo - tiling.width
    return (tiling.halo, below), (tiling.halo, right)


def pad(
    images: Float[Array, "layers height width"], tiling: Tiling
) -> Float[Array, "layers padded_height padded_width"]:
    """The images with their edge pixels replicated, so that every tile has its whole window."""
    return jnp.pad(images, [(0, 0)] * (images.ndim - 2) + list(margins(tiling)), mode="edge")


def pad_adjoint(
    padded: Float[Array, "layers padded_height padded_width"], tiling: Tiling
) -> Float[Array, "layers height width"]:
    """Adjoint of ``pad``: what was gathered in the margins returns to the edge pixels it was copied from."""
    (above, below), (left, right) = margins(tiling)
    rows = padded[..., above : padded.shape[-2] - below, :]
    rows = rows.at[..., 0, :].add(padded[..., :above, :].sum(-2))
    rows = rows.at[..., -1, :].add(padded[..., padded.shape[-2] - below :, :].sum(-2))
    image = rows[..., left : rows.shape[-1] - right]
    image = image.at[..., 0].add(rows[..., :left].sum(-1))
    return image.at[..., -1].add(rows[..., rows.shape[-1] - right :].sum(-1))


def windows(
    padded: Float[Array, "layers padded_height padded_width"],
    first: Int[Array, ""],
    group: int,
    tiling: Tiling,
) -> Float[Array, "layers group window_height window_width"]:
    """The windows of ``group`` tiles from number ``first`` on, cut from padded images."""
    return _cut(padded, first, group, tiling, 0, (tiling.window_height, tiling.window_width))


def tiles(
    padded: Float[Array, "layers padded_height padded_width"],
    first: Int[Array, ""],
    group: int,
    tiling: Tiling,
) -> Float[Array, "layers group tile_height tile_width"]:
    """``group`` tiles from number ``first`` on, cut from padded images."""
    return _cut(padded, first, group, tiling, tiling.halo, (tiling.tile_height, tiling.tile_width))


def add_windows(
    padded: Float[Array, "layers padded_height padded_width"],
    values: Float[Array, "layers group window_height window_width"],
    first: Int[Array, ""],
    tiling: Tiling,
) -> Float[Array, "layers padded_height padded_width"]:
    """Adjoint of ``windows``: ``values`` added to the padded images where the windows were cut."""
    for member in range(values.shape[1]):
        corner, value = _corner(first + member, tiling), values[:, member]
        added = jax.lax.dynamic_slice(padded, corner, value.shape) + value
        padded = jax.lax.dynamic_update_slice(padded, added, corner)
    return padded


def _cut(padded, first, group, tiling, offset, shape):
    """Pieces of the padded images that start `offset` pixels below and right of their windows' corners."""
    corners = [_corner(first + member, tiling, offset) for member in range(group)]
    cuts = [jax.lax.dynamic_slice(padded, corner, padded.shape[:1] + shape) for corner in corners]
    return jnp.stack(cuts, axis=1)


def _corner(tile, tiling, offset=0):
    top = tile // tiling.cols * tiling.tile_height + offset
    return 0, top, tile % tiling.cols * tiling.tile_width + offset


# --- blur of windows -------------------------------------------------------------------------------
#
# A group's windows, one layer at a time, so that what is transformed stays in the cache. The adjoints draw
# what they transform onto canvases that outlast the steps: the zero border that makes a blurred tile a
# window again is drawn just once.


def _kernel(spectra, first, layer, view, group):
    """The spectra ``[group, window_height, window_width]`` of one layer's kernels for a view, in a group's
    tiles.

    A slice for each view: XLA does not vectorise what reads one dynamic slice at two places.
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
    """An MPI as it is, ``c`` and ``α``, with a margin of one pixel around every tile."""

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

    Two complex transforms of each layer and three back, and the reverse in the adjoint: ten instead of
    eighteen real ones.
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
    """The tiles, with a margin of one pixel, of their windows."""
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


# --- blur of whole images --------------------------------------------------------------------------


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
