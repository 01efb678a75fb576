"""The frame cut into the cells of the kernels' grid, and windows around them for Fourier transforms.

Axes: images [layers, height, width]; tiles [tiles, ...]. Units: pixels.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.fft import next_fast_len

from dpdefocus.support.errors import InputError


@dataclass(frozen=True)
class Tiling:
    """How a kernel grid cuts an image into tiles. If it does not divide the image, the last tiles extend
    beyond it.
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
        """Half the kernel's width: the reach of the blur."""
        return self.kernel // 2

    @property
    def tile_height(self) -> int:
        return -(-self.height // self.rows)

    @property
    def tile_width(self) -> int:
        return -(-self.width // self.cols)

    @property
    def window_height(self) -> int:
        """Rows of a window: tile and halos, enlarged to a fast FFT length."""
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
    return next_fast_len(length, real=True)


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
    """Adjoint of ``pad``: values in the margins are added to the edge pixels that they were copied from."""
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


def _cut(
    padded: Float[Array, "layers padded_height padded_width"],
    first: Int[Array, ""],
    group: int,
    tiling: Tiling,
    offset: int,
    shape: tuple[int, int],
) -> Float[Array, "layers group height width"]:
    """Pieces of the padded images that start `offset` pixels below and right of their windows' corners."""
    corners = [_corner(first + member, tiling, offset) for member in range(group)]
    cuts = [jax.lax.dynamic_slice(padded, corner, padded.shape[:1] + shape) for corner in corners]
    return jnp.stack(cuts, axis=1)


def _corner(tile: Int[Array, ""], tiling: Tiling, offset: int = 0) -> tuple[int, Array, Array]:
    """Index in the padded images of the pixel `offset` below and right of the corner of a tile's window."""
    top = tile // tiling.cols * tiling.tile_height + offset
    return 0, top, tile % tiling.cols * tiling.tile_width + offset
