"""The published constants, and those that the authors set by hand for each of their scenes."""

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float


@dataclass(frozen=True)
class Schedule:
    """Adam's ``iterations``, while its rate falls exponentially from ``first_rate`` to ``last_rate``."""

    iterations: int
    first_rate: float
    last_rate: float


@dataclass(frozen=True)
class PublishedSettings:
    """The published constants. ``nearest``, ``farthest``, ``alpha`` and ``entropy`` were set by hand for
    each scene.

    Args:
        nearest, farthest: defocus sizes of the first and the last layer, in units of the calibrated kernels.
        layers: how many layers, evenly spaced in defocus size.
        data, auxiliary, intensity: weights of these losses.
        alpha: weight of the alpha loss for twelve layers; it goes with the square of their number.
        entropy: weight of the entropy loss, before it is divided by the entropy's maximum, log(layers).
        noise_variance: ``σ²`` at middle grey, for views divided by their common maximum.
        prior: ``|Φ|²``.
        iterations: of Adam, while the learning rate falls exponentially from ``first_rate`` to ``last_rate``.
    """

    nearest: float
    farthest: float
    layers: int = 12
    data: float = 2.5e4
    auxiliary: float = 2.5e4
    intensity: float = 30.0
    alpha: float = 7.5e4
    entropy: float = 30.0
    noise_variance: float = 5e-5
    prior: float = 1e2
    iterations: int = 10_000
    first_rate: float = 0.3
    last_rate: float = 0.1

    @property
    def schedule(self) -> Schedule:
        """What the optimiser needs to know: all other constants are part of the scene."""
        return Schedule(self.iterations, self.first_rate, self.last_rate)

    @property
    def scales(self) -> Float[Array, " layers"]:
        """The layers' defocus sizes, back to front."""
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
