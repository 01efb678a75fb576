"""Noise bias of the defocus estimate, and its correction (paper, Sec. 4.2 and C.2).

Axes: kernels are ``[layers, rows, cols, views, kernel, kernel]``, each summing to one; the result has one
number for each layer, in squared intensity of the observed views.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

MIDDLE_GREY = 0.5  # the mean intensity for which the published constants are meant


def bias_correction(
    kernels: Float[Array, "layers rows cols views kernel kernel"],
    mean_intensity: Float[Array, ""] | float,
    noise_variance: Float[Array, ""] | float,
    prior: Float[Array, ""] | float,
) -> Float[Array, " layers"]:
    """The part ``B(d)`` of the expected energy that noise alone makes depend on the defocus size (5).

    ``B(d) = σ² · mean_f σ²|Φ|² / (Σ_v |K_d^v|² + σ²|Φ|²)``, the mean over the frequencies of the kernels'
    own field and over the kernels of the grid. A smaller kernel passes more, which makes ``B`` smaller:
    uncorrected, noise would favour little blur.

    Args:
        kernels: the calibrated kernels at each layer's defocus size.
        mean_intensity: mean of the observed views. ``σ²`` is meant for middle grey; the correction
        follows the mean,
            as the variance of photon noise does.
        noise_variance: ``σ²`` at middle grey.
        prior: ``|Φ|²``, the inverse of the expected power of a sharp image, alike at all frequencies.
    """
    power = (jnp.abs(jnp.fft.fft2(kernels)) ** 2).sum(3)
    # One minus the small rest: the terms themselves are close to one, and their float32 sum would lose
    # digits.
    passed = power / (power + noise_variance * prior)
    return noise_variance * (1 - passed.mean((1, 2, 3, 4))) * mean_intensity / MIDDLE_GREY
