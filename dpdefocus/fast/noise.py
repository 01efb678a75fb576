"""The noise of a capture, measured in the capture itself.

Axes: views [views, height, width]. Units: linear raw in [0, 1]; variances in its square.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import chi2

from dpdefocus.fast.settings import NoiseSettings
from dpdefocus.support.errors import InputError

# Noise is measured where smooth surfaces leave nothing else: in second differences along both axes.
SECOND_DIFFERENCE = np.outer([1.0, -2.0, 1.0], [1.0, -2.0, 1.0])

# Neighbouring second differences share pixels: a block of n of them counts as n / 3.78 independent ones,
# which is the sum of their squared correlations (1, -4, 6, -4, 1)/6 along either axis.
SHARED = (1 + 2 * ((4 / 6) ** 2 + (1 / 6) ** 2)) ** 2
ROUNDS = 100  # of the fit, which converges within some tens of them


class NoiseModel(NamedTuple):
    """Noise variance over light, ``a I + b``: `gain` a in linear raw, `offset` b in linear raw squared."""

    gain: float
    offset: float

    def brightened(self, factor: float) -> "NoiseModel":
        """The noise of views multiplied by the factor."""
        return NoiseModel(factor * self.gain, factor**2 * self.offset)


def estimate_noise(
    views: Float[np.ndarray, "views height width"],
    saturated: Bool[np.ndarray, "height width"] | None = None,
    settings: NoiseSettings = NoiseSettings(),
) -> NoiseModel:
    """Gain a and offset b of the noise variance ``a I + b``, from one capture.

    In focus both views show the same, and out of focus and on plain surfaces neither shows fine detail: in
    ``(I^l − I^r)/√2`` at the finest scale mostly noise is left, of variance a I + b. Its second differences
    give one variance for each block of pixels. The line is fitted to the quieter half of the blocks (and
    brought up by what that half of a χ² distribution lacks), so that blocks with detail left in them do not
    count.

    The views' vignetting is taken as alike. A view that was brightened by w to correct for it has its noise
    brightened too, and b then comes out as the average of what it is in either view.

    Raises:
        InputError: too few unsaturated blocks, or no difference in brightness to tell a from b.
    """
    left, right = np.asarray(views, np.float64)
    detail = _second_difference((left - right) / np.sqrt(2)) ** 2 / (SECOND_DIFFERENCE**2).sum()
    light = ((left + right) / 2)[1:-1, 1:-1]
    clipped = np.zeros(light.shape) if saturated is None else np.asarray(saturated, float)[1:-1, 1:-1]
    variance, light, clipped = (_block_means(image, settings.block) for image in (detail, light, clipped))
    usable = (clipped == 0) & (light > 0) & (variance > 0)
    variance, light = variance[usable], light[usable]
    if variance.size < settings.least_blocks:
        raise InputError(
            f"views: {variance.size} unsaturated blocks of {settings.block} x {settings.block} pixels; "
            f"expected {settings.least_blocks} or more to measure noise. Give a larger or less bright part "
            "of the capture."
        )
    dark, bright = np.quantile(light, [0.05, 0.95])
    if bright < settings.least_contrast * dark:
        raise InputError(
            f"views: brightness runs from {dark:.3g} to {bright:.3g}; expected a factor of "
            f"{settings.least_contrast:g} or more, to tell noise that grows with the light from other noise."
        )
    return _line_through_quieter_half(light, variance, settings)


def _line_through_quieter_half(
    light: Float[np.ndarray, " blocks"], variance: Float[np.ndarray, " blocks"], settings: NoiseSettings
) -> NoiseModel:
    """Weighted fit of a + b through the blocks below the median of their own predicted distribution."""
    degrees = settings.block**2 / SHARED
    middle = chi2.median(degrees) / degrees
    # Mean of χ²/degrees, given that it is below its median.
    mean_below = chi2.cdf(degrees * middle, degrees + 2) / 0.5
    gain, offset = _line_through_quiet_of_each_light(light, variance, settings)
    for _ in range(ROUNDS):
        predicted = gain * light + offset
        quiet = variance < middle * predicted
        gain, offset = _line(light[quiet], variance[quiet] / mean_below, 1 / predicted[quiet])
    return NoiseModel(gain, offset)


def _line_through_quiet_of_each_light(
    light: Float[np.ndarray, " blocks"], variance: Float[np.ndarray, " blocks"], settings: NoiseSettings
) -> tuple[float, float]:
    """A start: the quiet blocks of each brightness, lest those of the dark part set the level of all."""
    order = np.argsort(light)
    middles, levels = [], []
    for blocks in np.array_split(order, settings.lights):
        middles.append(light[blocks].mean())
        levels.append(np.quantile(variance[blocks], settings.quiet))
    return _line(np.array(middles), np.array(levels), 1 / np.array(levels))


def _line(
    light: Float[np.ndarray, " n"], variance: Float[np.ndarray, " n"], weight: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Gain and offset by weighted least squares; variance neither falls with the light nor is below zero."""
    design = np.stack([light, np.ones(light.size)], 1)
    fits = [np.linalg.lstsq(design * weight[:, None], variance * weight, rcond=None)[0]]
    if fits[0].min() < 0:
        fits = [_one_column(design, variance, weight, column) for column in (0, 1)]
    gain, offset = min(fits, key=lambda fit: np.sum((weight * (design @ fit - variance)) ** 2))
    return float(gain), float(offset)


def _one_column(
    design: Float[np.ndarray, "n 2"],
    target: Float[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    column: int,
) -> Float[np.ndarray, "2"]:
    """Gain and offset with one of them zero."""
    fit = np.zeros(2)
    fit[column] = (weight**2 * design[:, column] * target).sum() / (weight**2 * design[:, column] ** 2).sum()
    return fit


def _second_difference(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "h w"]:
    along_y = image[2:] - 2 * image[1:-1] + image[:-2]
    return along_y[:, 2:] - 2 * along_y[:, 1:-1] + along_y[:, :-2]


def _block_means(image: Float[np.ndarray, "height width"], side: int) -> Float[np.ndarray, "rows cols"]:
    """Means over whole blocks; a rest at the edges is left out."""
    rows, cols = (length // side for length in image.shape)
    whole = image[: rows * side, : cols * side]
    return whole.reshape(rows, side, cols, side).mean((1, 3))
