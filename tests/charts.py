"""Small charts for the tests of kernels: discs, random kernels, and the views that they make."""

import numpy as np
from scipy.signal import fftconvolve

SIZE = 7
GRID = (2, 2)


def discs(height, width, pitch=9.0, radius=3.0):
    """White discs on grey, in a grid that is turned a little."""
    y, x = np.mgrid[:height, :width]
    u, v = 0.98 * x - 0.2 * y, 0.2 * x + 0.98 * y
    nearest = np.hypot(u - pitch * np.rint(u / pitch), v - pitch * np.rint(v / pitch))
    return (0.1 + 0.5 * np.clip(radius - nearest + 0.5, 0, 1)).astype(np.float32)


def views_of(sharp, kernels):
    """Each cell blurred with its own kernels; `sharp` reaches half a kernel beyond."""
    rows, cols, _, size, _ = kernels.shape
    height, width = ((n - size + 1) // c for n, c in zip(sharp.shape, (rows, cols), strict=True))
    out = np.empty((2, rows * height, cols * width), np.float32)
    for row in range(rows):
        for col in range(cols):
            top, left = row * height, col * width
            seen = sharp[top : top + height + size - 1, left : left + width + size - 1]
            for view in range(2):
                tile = fftconvolve(seen, kernels[row, col, view], "valid")
                out[view, top : top + height, left : left + width] = tile
    return out


def random_kernels():
    """Random kernels with an empty rim."""
    kernels = np.random.default_rng(0).random((*GRID, 2, SIZE, SIZE)).astype(np.float32) ** 3
    kernels[..., [0, -1], :] = 0
    kernels[..., :, [0, -1]] = 0
    return kernels / kernels.sum((-2, -1), keepdims=True)


def small_chart():
    """Discs over the grid's cells, reaching half a kernel beyond them."""
    return discs(36 + SIZE - 1, 40 + SIZE - 1)
