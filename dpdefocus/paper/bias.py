"""Noise bias of the defocus estimate, and its correction (paper, Sec. 4.2 and C.2).

Axes: kernels are ``[layers, rows, cols, views, kernel, kernel]``, each summing to one; spectra are
``[views, height, width]``, the transforms of the kernels over the image's own field; views
``[views, height, width]``. Transforms of images are unitary, so that white noise of variance σ² has the power
σ² at every frequency. Energies and corrections are squared intensities, by frequency or by pixel; the paper's
sums over frequencies are means here, which do not grow with the image.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from dpdefocus.data.capture import MIDDLE_GREY


def bias_correction(
    kernels: Float[Array, "layers rows cols views kernel kernel"],
    mean_intensity: Float[Array, ""] | float,
    noise_variance: Float[Array, ""] | float,
    prior: Float[Array, ""] | float,
) -> Float[Array, " layers"]:
    """The part ``B(d)`` of the expected energy's noise term that depends on the defocus size alone (5).

    ``B(d) = σ² · mean_f σ²|Φ|² / (Σ_v |K_d^v|² + σ²|Φ|²)``, the mean over the frequencies of the kernels'
    own field and over the kernels of the grid. A smaller kernel passes more, which makes ``B`` smaller:
    uncorrected, noise would favour little blur.

    Args:
        kernels: the calibrated kernels at each layer's defocus size.
        mean_intensity: mean of the observed views. ``σ²`` holds at middle grey; the correction is
            proportional to the mean, as the variance of photon noise is.
        noise_variance: ``σ²`` at middle grey.
        prior: ``|Φ|²``, the inverse of the expected power of a sharp image, alike at all frequencies.
    """
    blocked = blocked_share(kernels, noise_variance * prior)
    return noise_variance * blocked * mean_intensity / MIDDLE_GREY


def poisson_gaussian_correction(
    kernels: Float[Array, "layers rows cols views kernel kernel"],
    local_mean: Float[Array, "height width"],
    gain: Float[Array, ""] | float,
    offset: Float[Array, ""] | float,
    ratio: Float[Array, ""] | float,
) -> Float[Array, "layers height width"]:
    """The correction (5) for a noise variance that grows with the light, ``a I + b``: one map for each layer.

    ``B(d, x) = (a I(x) + b) · mean_f r / (Σ_v |K_d^v|² + r)``. Noise that is independent between pixels has a
    white power spectrum even if its variance changes from pixel to pixel, so (5) keeps its form; its factor
    σ² becomes the variance at the local light. ``r = σ²|Φ|²`` belongs to the estimator, and stays one number.

    Args:
        kernels: the calibrated kernels at each layer's defocus size.
        local_mean: ``I(x)``, a smoothed view, in linear raw.
        gain: ``a``, variance for each unit of light.
        offset: ``b``, variance in the dark.
        ratio: ``r``, the estimator's noise-to-signal ratio.
    """
    return blocked_share(kernels, ratio)[:, None, None] * (gain * local_mean + offset)[None]


@jax.jit
def blocked_share(
    kernels: Float[Array, "layers rows cols views kernel kernel"], ratio: Float[Array, ""] | float
) -> Float[Array, " layers"]:
    """Mean of ``r / (Σ_v |K_d^v|² + r)`` over frequencies and grid: the share of a sharp image that cannot be
    restored.
    """
    power = (jnp.abs(jnp.fft.fft2(kernels)) ** 2).sum(3)
    # One minus the small rest: the terms themselves are close to one, and their float32 sum would lose
    # digits.
    return 1 - (power / (power + ratio)).mean((1, 2, 3, 4))


class EnergyTerms(NamedTuple):
    """The two terms of the expected energy (4), by frequency: inconsistent kernels, and noise."""

    mismatch: Float[Array, "height width"]
    noise: Float[Array, "height width"]


@jax.jit
def expected_energy(
    truth: Inexact[Array, "views height width"],
    hypothesis: Inexact[Array, "views height width"],
    noise_variance: Float[Array, ""] | float,
    prior: Float[Array, "height width"] | Float[Array, ""] | float,
) -> EnergyTerms:
    """The two terms of the expected energy (37) of a hypothesis, by frequency.

    ``|Φ|⁻² |K⋆^l K_d^r − K⋆^r K_d^l|² / B`` and ``σ² [(Σ_v |K⋆^v|² + σ²|Φ|²) / B + 1]``, where
    ``B = Σ_v |K_d^v|² + σ²|Φ|²``.

    Args:
        truth: ``K⋆``, the kernels' spectra at the true defocus size.
        hypothesis: ``K_d``, those at the size in question.
        noise_variance: ``σ²``.
        prior: ``|Φ|²``, the inverse of the expected power of a sharp image.
    """
    variances = jnp.full(2, noise_variance, jnp.float32)
    return expected_energy_of_noise(truth, hypothesis, variances, 1 / prior, noise_variance * prior)


@jax.jit
def expected_energy_of_noise(
    truth: Inexact[Array, "views height width"],
    hypothesis: Inexact[Array, "views height width"],
    variances: Float[Array, " views"],
    scene_power: Float[Array, "height width"] | Float[Array, ""] | float,
    ratio: Float[Array, "height width"] | Float[Array, ""] | float,
) -> EnergyTerms:
    """(37) for any noise and ratio: the expected energy if the noise is not what the estimator assumes.

    ``p |K⋆^l K_d^r − K⋆^r K_d^l|² / B`` and ``p r Σ_v |K⋆^v|² / B + Σ_v σ_v² (1 − |K_d^v|² / B)``, where
    ``B = Σ_v |K_d^v|² + r``. With both ``σ_v²`` alike and ``p r = σ²`` this is (37).

    Args:
        truth: ``K⋆``, the kernels' spectra at the true defocus size.
        hypothesis: ``K_d``, those at the size in question.
        variances: ``σ_v²``, the noise's mean variance in each view. For Poisson–Gaussian noise
            ``a mean(I^v) + b``: only the mean light of a view enters.
        scene_power: ``p = E|C|²`` of the sharp image.
        ratio: ``r``, the noise-to-signal ratio that the estimator uses.
    """
    power = jnp.abs(hypothesis) ** 2
    denominator = power.sum(0) + ratio
    crossed = jnp.abs(truth[0] * hypothesis[1] - truth[1] * hypothesis[0]) ** 2
    left_over = (variances[:, None, None] * (1 - power / denominator[None])).sum(0)
    shrunk = scene_power * ratio * (jnp.abs(truth) ** 2).sum(0) / denominator
    return EnergyTerms(scene_power * crossed / denominator, shrunk + left_over)


@jax.jit
def evidence_correction(
    hypothesis: Inexact[Array, "views height width"],
    noise_variance: Float[Array, ""] | float,
    prior: Float[Array, "height width"] | Float[Array, ""] | float,
) -> Float[Array, "height width"]:
    """The correction after whose subtraction the expected energy is least at the true size, by frequency.

    ``σ² log((2 + σ²|Φ|²) / B)``, zero without blur. The energy (26) is that of the best sharp image; the
    probability of the views given the size alone averages over all sharp images, and its negative logarithm
    is ``E(d)/σ² + Σ_f log B`` and a constant. Its expectation is least at the truth, by Gibbs' inequality,
    whatever the truth is: unlike (5), it neglects nothing.
    """
    ratio = noise_variance * prior
    return noise_variance * jnp.log((2 + ratio) / ((jnp.abs(hypothesis) ** 2).sum(0) + ratio))
