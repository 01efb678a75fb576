"""Overlapping tiles: a filter for each cell of the kernel grid, blended so that no seam shows.

The calibrated kernels hold at the centres of the cells. Each cell's filter runs on a tile that reaches to the
neighbouring centres, and the results are blended with bilinear weights: a pixel halfway between two centres
takes half of each, as if the kernel changed linearly across the field. In a margin around each tile the
image fades to the tile's mean, so that the periodic transform sees no jump at the tile's ends.

Axes: images [..., height, width]; tiles [..., rows, cols, tile_height, tile_width]; kernels [rows, cols,
views, kernel, kernel]; spectra are real-input transforms [..., tile_height, tile_width // 2 + 1]. Unit:
pixels of the given image; of an image reduced by a whole factor kernels stay in full-size pixels.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.optics.tiling import good_fft_length


@dataclass(frozen=True)
class Overlap:
    """Where the tiles lie: image size, grid, and the width of the fading margin in pixels.

    An image that the grid does not divide is extended by its edge pixels to the next multiple.
    """

    height: int
    width: int
    rows: int
    cols: int
    margin: int

    @property
    def cell(self) -> tuple[int, int]:
        """Height and width of a grid cell."""
        return -(-self.height // self.rows), -(-self.width // self.cols)

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of a tile: twice the cell, and the margins, enlarged to a fast FFT length."""
        return tuple(_even_fft_length(2 * cell + 2 * self.margin, cell) for cell in self.cell)

    @property
    def before(self) -> tuple[int, int]:
        """Pixels of a tile above and left of its cell."""
        return tuple((tile - cell) // 2 for tile, cell in zip(self.tile, self.cell, strict=True))


def _even_fft_length(length: int, cell: int) -> int:
    """Smallest fast FFT length that leaves the same margin on both sides of the cell."""
    while (good_fft_length(length) - cell) % 2:
        length = good_fft_length(length) + 1
    return good_fft_length(length)


def cut(
    images: Float[Array, "*n height width"], overlap: Overlap
) -> Float[Array, "*n rows cols tile_height tile_width"]:
    """Tiles of the images, faded in the margins; beyond the border the edge is repeated."""
    (cell_y, cell_x), (tile_y, tile_x) = overlap.cell, overlap.tile
    y = cell_y * jnp.arange(overlap.rows)[:, None] + jnp.arange(tile_y)[None]
    x = cell_x * jnp.arange(overlap.cols)[:, None] + jnp.arange(tile_x)[None]
    return taper(pad_to_tiles(images, overlap)[..., y[:, None, :, None], x[None, :, None, :]], overlap)


def pad_to_tiles(
    images: Float[Array, "*n height width"], overlap: Overlap
) -> Float[Array, "*n padded_height padded_width"]:
    """The images extended by their edge pixels, so that tile (i, j) starts at (i, j) times the cell."""
    (cell_y, cell_x), (before_y, before_x) = overlap.cell, overlap.before
    after_y = overlap.rows * cell_y - overlap.height + before_y
    after_x = overlap.cols * cell_x - overlap.width + before_x
    lead = [(0, 0)] * (images.ndim - 2)
    return jnp.pad(images, [*lead, (before_y, after_y), (before_x, after_x)], mode="edge")


def taper(
    tiles: Float[Array, "*n tile_height tile_width"], overlap: Overlap
) -> Float[Array, "*n tile_height tile_width"]:
    """Tiles that fade to their own mean in the margins."""
    windows = (_fade(tile, 2 * cell) for tile, cell in zip(overlap.tile, overlap.cell, strict=True))
    weights = np.outer(*windows).reshape((1,) * (tiles.ndim - 2) + overlap.tile)
    window = jnp.asarray(weights, tiles.dtype)
    mean = (tiles * window).sum((-2, -1), keepdims=True) / float(weights.sum())
    return mean + (tiles - mean) * window


def _fade(tile: int, core: int) -> np.ndarray:
    """1 in the core, falling to 0 across the margin as a raised cosine."""
    margin = (tile - core) // 2
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(margin) + 0.5) / margin)
    return np.concatenate([ramp, np.ones(tile - 2 * margin), ramp[::-1]])


def blending_weights(cells: int, length: int) -> np.ndarray:
    """Blending weights [cells, 2 length] of each cell over its core: linear, one at its centre, sum one.

    At the two ends of the image, which have no further neighbour, the weight stays one.
    """
    distance = np.abs(np.arange(2 * length) + 0.5 - length)
    weights = np.tile(1 - distance / length, (cells, 1)).astype(np.float32)
    weights[0, :length] = 1
    weights[-1, length:] = 1
    return weights


def blend(
    tiles: Float[Array, "*n rows cols tile_height tile_width"], overlap: Overlap
) -> Float[Array, "*n height width"]:
    """Images from filtered tiles: the sum of the tiles' cores times their blending weights."""
    (cell_y, cell_x), (tile_y, tile_x) = overlap.cell, overlap.tile
    top, left = (tile_y - 2 * cell_y) // 2, (tile_x - 2 * cell_x) // 2
    core = tiles[..., top : top + 2 * cell_y, left : left + 2 * cell_x]
    weights = (
        blending_weights(overlap.rows, cell_y)[:, None, :, None]
        * blending_weights(overlap.cols, cell_x)[None, :, None, :]
    )
    core = core * weights.reshape((1,) * (core.ndim - 4) + weights.shape)
    lines = _add_halves(jnp.swapaxes(core, -3, -2))  # [*n, rows, 2 cell_y, padded width]
    whole = _add_halves(jnp.moveaxis(lines, -1, -3))  # [*n, padded width, padded height]
    whole = jnp.swapaxes(whole, -2, -1)[..., cell_y // 2 :, cell_x // 2 :]
    return whole[..., : overlap.height, : overlap.width]


def _add_halves(cores: Float[Array, "*n cells core"]) -> Float[Array, "*n length"]:
    """Place cores of two cells' length one cell apart, and add them where they overlap."""
    length = cores.shape[-1] // 2
    lead = [(0, 0)] * (cores.ndim - 2)
    first = jnp.pad(cores[..., :length], [*lead, (0, 1), (0, 0)])
    second = jnp.pad(cores[..., length:], [*lead, (1, 0), (0, 0)])
    return (first + second).reshape(*cores.shape[:-2], -1)


def frequencies(
    overlap: Overlap, reduction: int = 1
) -> tuple[Float[Array, " tile_height"], Float[Array, " half_width"]]:
    """Vertical and horizontal frequencies of a tile's transform, in cycles per full-size pixel."""
    height, width = overlap.tile
    return jnp.fft.fftfreq(height) / reduction, jnp.fft.rfftfreq(width) / reduction


def mirrored(width: int) -> Float[np.ndarray, " half_width"]:
    """How many frequencies of the full transform each column of a real-input one stands for: two, or one.

    A real image of `width` columns has the same power at ``fx`` and ``−fx``, and its real-input transform
    keeps one of the two. Only ``fx = 0`` and, for an even width, the last column (the Nyquist frequency)
    stand for themselves alone. A sum over the columns with these weights is the sum over all frequencies.
    """
    counts = np.full(width // 2 + 1, 2, np.float32)
    counts[0] = 1
    if width % 2 == 0:
        counts[-1] = 1
    return counts
