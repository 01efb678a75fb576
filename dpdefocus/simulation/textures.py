"""Procedural, seeded textures in [0, 1]: natural spectra, dead leaves, text, stripes, plain."""

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from numpy.random import Generator

Shape = tuple[int, int]  # height and width
Texture = Float32[np.ndarray, "height width"]


def natural(
    rng: Generator, shape: Shape, low: float = 0.1, high: float = 0.8, exponent: float = 2.0
) -> Texture:
    """A Gaussian random field with the power spectrum 1/f^exponent of natural images (2, Field 1987), in
    [low, high]."""
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal(shape)) * frequency ** (-exponent / 2)
    field = np.fft.irfft2(spectrum, s=shape)
    return (low + (high - low) / (1.0 + np.exp(-1.2 * field / field.std()))).astype(np.float32)


def dead_leaves(
    rng: Generator, shape: Shape, low: float = 0.05, high: float = 0.85, smallest: float = 2.0
) -> Texture:
    """Opaque discs of radii with density r^-3, dropped at random until they cover the plane (Lee, Mumford &
    Huang, IJCV 2001).

    Their occlusions give the scale invariance and the sharp edges of natural images. Anti-aliased.
    """
    largest = 0.2 * min(shape)
    fine = 2
    image = np.zeros((fine * shape[0], fine * shape[1]), np.uint8)
    # Enough leaves for a cover of 8: all but e^-8 of the plane. E[r^2] of the density sets the mean area.
    mean_area = 2 * np.pi * np.log(largest / smallest) / (smallest**-2 - largest**-2)
    count = int(8 * shape[0] * shape[1] / mean_area)
    uniform = rng.random(count)
    radii = (smallest**-2 - uniform * (smallest**-2 - largest**-2)) ** -0.5
    centres = rng.random((count, 2)) * (np.array(shape)[::-1] + 2 * largest) - largest
    levels = rng.integers(0, 256, count)
    image[:] = levels[0]
    for radius, centre, level in zip(radii, centres, levels, strict=True):
        # Four bits of fraction place the discs between pixels.
        x, y = (int(16 * fine * c) for c in centre)
        cv2.circle(image, (x, y), int(16 * fine * radius), int(level), -1, shift=4)
    return _shrink(image, fine, low, high)


def text(rng: Generator, shape: Shape, size: float = 14.0, paper: float = 0.75, ink: float = 0.06) -> Texture:
    """A printed page: lines of made-up words of about `size` pixels height, and headings twice as large."""
    fine = 2
    page = np.zeros((fine * shape[0], fine * shape[1]), np.uint8)
    font = cv2.FONT_HERSHEY_DUPLEX
    y = rng.uniform(0.5, 1.5) * size
    while y < shape[0] + size:
        height = size * (2.0 if rng.random() < 0.2 else 1.0)
        line = " ".join(_word(rng) for _ in range(int(4 + shape[1] / (3 * height))))
        scale = fine * height / 30.0
        start = (int(fine * rng.uniform(0.2, 1.0) * size), int(fine * (y + height)))
        cv2.putText(page, line, start, font, scale, 255, max(1, round(1.5 * scale)), cv2.LINE_AA)
        y += 1.5 * height
    return _shrink(page, fine, paper, ink)


def stripes(
    rng: Generator, shape: Shape, period: float = 24.0, low: float = 0.08, high: float = 0.7
) -> Texture:
    """Straight bars of changing width at one random angle: edges of every phase."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    along = along + 0.15 * period * np.sin(along / (1.7 * period))
    bars = np.clip(0.5 + (np.abs((along / period) % 1.0 - 0.5) - 0.25) * period, 0.0, 1.0)
    return (low + (high - low) * bars).astype(np.float32)


def plain(rng: Generator, shape: Shape, level: float = 0.5) -> Texture:
    """A textureless area: one level with a faint gradient of shading."""
    y, x = np.mgrid[: shape[0], : shape[1]] / max(shape)
    angle = rng.uniform(0, 2 * np.pi)
    shading = 1.0 + 0.15 * (x * np.cos(angle) + y * np.sin(angle) - 0.5)
    return (level * shading).clip(0, 1).astype(np.float32)


def page_texture(rng: Generator, shape: Shape) -> Texture:
    """`text` in a size that suits a page as large as the image."""
    return text(rng, shape, size=max(9.0, min(shape) / 24))


def label_texture(rng: Generator, shape: Shape) -> Texture:
    """`text` smaller and paler, as on a label."""
    return text(rng, shape, size=max(7.0, min(shape) / 40), paper=0.6, ink=0.12)


def _word(rng: Generator) -> str:
    vowels, consonants = "aeiou", "bcdfghlmnprstvw"
    letters = [rng.choice(list(consonants if i % 2 == 0 else vowels)) for i in range(rng.integers(2, 9))]
    word = "".join(letters)
    return word.capitalize() if rng.random() < 0.2 else word


def _shrink(
    image: UInt8[np.ndarray, "fine_height fine_width"], fine: int, low: float, high: float
) -> Texture:
    """Area mean over fine x fine pixels, and levels 0..255 mapped to low..high."""
    small = cv2.resize(image.astype(np.float32), None, fx=1 / fine, fy=1 / fine, interpolation=cv2.INTER_AREA)
    return low + (high - low) * small / np.float32(255)
