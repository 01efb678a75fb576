"""Tiled blur by direct convolution."""

import numpy as np
from scipy.signal import convolve2d


def direct_blur(images, kernels):
    """Every tile cut from the whole image convolved with the tile's kernel, the edge replicated."""
    layers, rows, cols, views, size, _ = kernels.shape
    _, height, width = images.shape
    tile_height, tile_width = -(-height // rows), -(-width // cols)
    blurred = np.zeros((layers, views, height, width))
    for layer, row, col, view in np.ndindex(layers, rows, cols, views):
        padded = np.pad(images[layer].astype(np.float64), size // 2, mode="edge")
        whole = convolve2d(padded, kernels[layer, row, col, view].astype(np.float64), mode="valid")
        y = slice(row * tile_height, (row + 1) * tile_height)
        x = slice(col * tile_width, (col + 1) * tile_width)
        blurred[layer, view, y, x] = whole[y, x]
    return blurred
