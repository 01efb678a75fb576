"""Views moved apart by known shifts."""

import numpy as np
from scipy import ndimage

HEIGHT, WIDTH = 64, 96


SIZES = np.linspace(0, 2, 11, dtype=np.float32)


RIM = 16


def texture(seed=0, shape=(HEIGHT + 2 * RIM, WIDTH + 2 * RIM)):
    return ndimage.gaussian_filter(np.random.default_rng(seed).random(shape), 1.5).astype(np.float32) * 4


def shifted_views(image, half_x, half_y=0.0):
    """Views of one image moved apart, by Fourier phases: no interpolation in common with the matching.

    They lose their rim, where the image wraps around.
    """
    fy, fx = np.fft.fftfreq(image.shape[0])[:, None], np.fft.rfftfreq(image.shape[1])[None]
    spectrum = np.fft.rfft2(image)
    moved = [
        np.fft.irfft2(spectrum * np.exp(-2j * np.pi * sign * (half_y * fy + half_x * fx)), s=image.shape)
        for sign in (1, -1)
    ]
    return np.stack(moved).astype(np.float32)[:, RIM:-RIM, RIM:-RIM]


def constant_shifts(x, y=0.0):
    return np.broadcast_to(np.float32([y, x])[:, None, None], (2, HEIGHT, WIDTH)).copy()
