"""The published constants, and those that the authors set by hand for each of their scenes.

Units: sizes are defocus sizes, in units of the calibrated kernels; light is that of views divided by their
common maximum, at middle grey where that is said.
"""

import math
from dataclasses import dataclass, replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.support.errors import InputError
from dpdefocus.support.nested import require


@dataclass(frozen=True)
class Schedule:
    """Adam's ``iterations``, while its rate falls exponentially from ``first_rate`` to ``last_rate``."""

    iterations: int
    first_rate: float
    last_rate: float


@dataclass(frozen=True)
class LossSettings:
    """The shape of the robust losses (Sec. 4.3, C.3).

    Args:
        gamma: γ, where ``ℓ`` turns from quadratic to linear, in intensity.
        beta: β, the local contrast that counts as an edge (40).
    """

    gamma: float = 0.1
    beta: float = 1 / 32


@dataclass(frozen=True)
class FinishSettings:
    """The bilateral filter that finishes the sharp image, as the released program has it.

    Args:
        space: standard deviation in pixels.
        value: standard deviation in intensity, at middle grey.
        radius: of its window, in pixels.
    """

    space: float = 3.0
    value: float = 0.05
    radius: int = 9


@dataclass(frozen=True)
class RangeSettings:
    """The layers' range where none is given: that of the default preset's map, within these bounds.

    Args:
        least_size: of the nearest layer. No layer of the published method is quite sharp.
        least_range: between the nearest layer and the farthest.
    """

    least_size: float = 0.1
    least_range: float = 0.1


@dataclass(frozen=True)
class PublishedSettings:
    """The published constants. ``nearest``, ``farthest``, ``alpha`` and ``entropy`` were set by hand for
    each scene (`HAND_SETTINGS`).

    Args:
        nearest, farthest: defocus sizes of the first and the last layer, both or neither; without them
            they are found (`RangeSettings`).
        layers: number of layers, evenly spaced in defocus size.
        data, auxiliary, intensity: weights of these losses.
        alpha: weight of the alpha loss for twelve layers; it grows with the square of their number.
        entropy: weight of the entropy loss, before it is divided by the entropy's maximum, log(layers).
        frame_height: lines of the frames that ``intensity`` and ``alpha`` are meant for (`for_frame`).
        noise_variance: ``σ²`` at middle grey.
        prior: ``|Φ|²``.
        iterations: of Adam, while the learning rate falls exponentially from ``first_rate`` to ``last_rate``.
    """

    nearest: float | None = None
    farthest: float | None = None
    layers: int = 12
    data: float = 2.5e4
    auxiliary: float = 2.5e4
    intensity: float = 30.0
    alpha: float = 7.5e4
    entropy: float = 30.0
    frame_height: int = 1008
    noise_variance: float = 5e-5
    prior: float = 1e2
    iterations: int = 10_000
    first_rate: float = 0.3
    last_rate: float = 0.1
    loss: LossSettings = LossSettings()
    finish: FinishSettings = FinishSettings()
    range: RangeSettings = RangeSettings()

    def __post_init__(self) -> None:
        if (self.nearest is None) != (self.farthest is None):
            raise InputError(
                f"nearest {self.nearest}, farthest {self.farthest}: expected both sizes, or neither to have "
                "them found"
            )
        require(self.layers >= 2, "layers", self.layers, "2 or more")
        require(self.iterations >= 1, "iterations", self.iterations, "1 or more")
        require(self.frame_height >= 1, "frame_height", self.frame_height, "lines of a frame")

    def for_frame(self, height: int) -> "PublishedSettings":
        """The settings with the smoothness weights that belong to frames of so many lines.

        Both smoothness losses are means over the pixels of what lies along edges and outlines. Edges cover
        a share of the pixels that is inversely proportional to the frame's height, so the weights of
        intensity and alpha are multiplied by ``height / frame_height``: their balance with the data loss
        stays that of the published frames. To use the plain weights on a smaller frame, say that they are
        meant for it: ``PublishedSettings(frame_height=height)``.
        """
        share = height / self.frame_height
        intensity, alpha = share * self.intensity, share * self.alpha
        return replace(self, intensity=intensity, alpha=alpha, frame_height=height)

    @property
    def schedule(self) -> Schedule:
        """What the optimiser needs to know: all other constants are part of the scene."""
        return Schedule(self.iterations, self.first_rate, self.last_rate)

    @property
    def scales(self) -> Float[Array, " layers"]:
        """The layers' defocus sizes, back to front; the settings must name their range."""
        return jnp.linspace(self.farthest, self.nearest, self.layers)

    def weights(self, layers: int) -> Float[Array, " losses"]:
        """What the losses of so many layers are multiplied by."""
        alpha, entropy = self.alpha * (layers / 12) ** 2, self.entropy / math.log(layers)
        return jnp.array([self.data, self.auxiliary, self.intensity, alpha, entropy])


# The authors' hand settings for their scenes 001-017.
_NEAREST = (0.5, 0.5, 0.7, 0.7, 0.1, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.3, 0.1, 0.1, 0.3, 0.2)
_FARTHEST = (1.6, 1.6, 1.6, 1.6, 1.3, 1.4, 1.4, 1.5, 1.5, 1.5, 1.5, 1.5, 1.6, 1.5, 1.6, 1.5, 1.6)
_ALPHA = (1.5e4,) * 4 + (7.5e4,) * 13
_ENTROPY = (20.0,) * 4 + (30.0,) * 8 + (20.0,) * 5
HAND_SETTINGS = {
    f"{number:03d}": PublishedSettings(nearest=nearest, farthest=farthest, alpha=alpha, entropy=entropy)
    for number, (nearest, farthest, alpha, entropy) in enumerate(
        zip(_NEAREST, _FARTHEST, _ALPHA, _ENTROPY, strict=True), start=1
    )
}
