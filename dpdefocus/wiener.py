"""Two-observation Wiener deconvolution (27) and the energy of each defocus hypothesis (26).

Axes: views [views, height, width], left first; tiles and spectra as in `overlap`. Views are in units of
their own mean times two (mean 0.5), so that the constants fit every exposure. Energies are squares of that
unit.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from dpdefocus.overlap import Overlap, blend, cut, frequencies, mirrored, scaled_spectra

# The prior of (23): the noise-to-signal ratio σ²|Φ(f)|² grows as f², the inverse power of natural images.
NOISE_TO_SIGNAL = 3e-4
CORNER = 0.01  # cycles per full-size pixel, where the ratio has doubled


def noise_to_signal(fy: Float[Array, " h"], fx: Float[Array, " w"]) -> Float[Array, "h w"]:
    """``σ²|Φ(f)|²`` of a natural image: constant up to the corner frequency and growing as f² beyond it."""
    return NOISE_TO_SIGNAL * (1 + (fy[:, None] ** 2 + fx[None] ** 2) / CORNER**2)


def wiener_estimate(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Complex[Array, "*n h w"]:
    """The sharp image at one hypothesis, (27): ``Ĉ = Σ_v K̄^v I^v / (Σ_v |K^v|² + σ²|Φ|²)``."""
    return (jnp.conj(kernels) * spectra).sum(-3) / _denominator(kernels, ratio)


def hypothesis_energy(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Float[Array, "*n h w"]:
    """The energy at its minimiser, by frequency, (26) with (27): ``Σ_v |I^v|² − |Σ_v K̄^v I^v|² / B``."""
    explained = jnp.abs((jnp.conj(kernels) * spectra).sum(-3)) ** 2 / _denominator(kernels, ratio)
    return (jnp.abs(spectra) ** 2).sum(-3) - explained


def cross_residual(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Complex[Array, "*n h w"]:
    """What no sharp image explains at one hypothesis: ``(I^l K^r − I^r K^l) / √B``.

    By the Lagrange identity the energy (26) splits into this residual's power and the prior's share, ``E =
    |I^l K^r − I^r K^l|² / B + σ²|Φ|² Σ_v |I^v|² / B``. The first is zero for noise-free views of a plane at
    the hypothesis's size whatever the scene, and it is a linear filter of the views: so it can be taken
    back to the image and looked at pixel by pixel.
    """
    left, right = spectra[..., 0, :, :], spectra[..., 1, :, :]
    crossed = left * kernels[..., 1, :, :] - right * kernels[..., 0, :, :]
    return crossed / jnp.sqrt(_denominator(kernels, ratio))


def _denominator(kernels, ratio):
    """``B = Σ_v |K^v|² + σ²|Φ|²``."""
    power = (jnp.abs(kernels) ** 2).sum(-3)
    return power + ratio.reshape((1,) * (power.ndim - 2) + ratio.shape)


@partial(jax.jit, static_argnames=("overlap", "reduction"))
def residual_images(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " hypotheses"],
    overlap: Overlap,
    reduction: int = 1,
) -> Float[Array, "hypotheses height width"]:
    """The cross residual of each hypothesis as an image, with the kernels changing smoothly over the field.

    `views` may be reduced by a whole factor; `kernels` and `scales` stay those of the full size.
    """
    fy, fx = frequencies(overlap, reduction)
    spectra = jnp.moveaxis(jnp.fft.rfft2(cut(views, overlap)), 0, 2)
    ratio = noise_to_signal(fy, fx)

    def residual(scale):
        crossed = cross_residual(spectra, scaled_spectra(kernels, scale, fy, fx), ratio)
        return blend(jnp.fft.irfft2(crossed, s=overlap.tile), overlap)

    return jax.lax.map(residual, scales)


def kernel_reach(kernels: Float[Array, "rows cols views kernel kernel"], share: float) -> float:
    """Radius in pixels, about the centre of the field, that holds the given share of every kernel."""
    kernels = np.asarray(kernels)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    radius = np.hypot(offset[:, None], offset).ravel()
    order = np.argsort(radius)
    held = np.cumsum(np.maximum(kernels, 0).reshape(-1, radius.size)[:, order], axis=1)
    first = (held < share * held[:, -1:]).sum(1).max()
    return float(radius[order][min(first, radius.size - 1)])


def kernel_deviation(kernels: Float[Array, "rows cols views kernel kernel"]) -> float:
    """Standard deviation of the kernels along an axis, in pixels: root mean square over both and the grid."""
    kernels = np.maximum(np.asarray(kernels), 0)
    kernels = kernels / kernels.sum((-2, -1), keepdims=True)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    along_y, along_x = kernels.sum(-1), kernels.sum(-2)
    square = sum((line * offset**2).sum(-1) - (line * offset).sum(-1) ** 2 for line in (along_y, along_x))
    return float(np.sqrt(square.mean() / 2))


@partial(jax.jit, static_argnames=("border", "window"))
def local_energy(
    residuals: Float[Array, "hypotheses height width"], border: int, window: float
) -> Float[Array, "hypotheses height width"]:
    """Windowed power of each residual: a Gaussian mean of σ = `window` pixels over what can be judged.

    Within `border` pixels of the image's edge light from outside plays in, and a residual says nothing
    about the depth there; those pixels count with a weight near zero, so that the mean rests on what lies
    further in.
    """
    height, width = residuals.shape[-2:]
    inside_y = _inside(height, border)
    inside_x = _inside(width, border)
    weight = jnp.outer(inside_y, inside_x)
    radius = int(3 * window + 0.5)
    offset = np.arange(-radius, radius + 1)
    gaussian = np.exp(-0.5 * (offset / window) ** 2)
    gaussian = jnp.asarray(gaussian / gaussian.sum(), jnp.float32)

    def mean(image):
        along_y = jax.vmap(lambda line: jnp.convolve(line, gaussian, mode="same"), 1, 1)(image)
        return jax.vmap(lambda line: jnp.convolve(line, gaussian, mode="same"))(along_y)

    total = mean(weight)
    return jax.lax.map(lambda residual: mean(residual**2 * weight) / total, residuals)


def _inside(length: int, border: int) -> Float[Array, " length"]:
    position = np.arange(length)
    edge = np.minimum(position, length - 1 - position)
    return jnp.asarray(np.where(edge >= border, 1.0, 1e-3), jnp.float32)


@partial(jax.jit, static_argnames=("overlap", "reduction"))
def noise_energy(
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " hypotheses"],
    overlap: Overlap,
    reduction: int = 1,
) -> Float[Array, " hypotheses"]:
    """Power that white noise of variance one in either view leaves in the cross residual of each hypothesis.

    ``mean_f P(f) Σ_v |K_d^v|² / B``, and the mean over the grid: the right view's kernel filters the left
    view's noise and the other way round. ``P`` is the noise's power after the reduction of the views, whose
    low-pass filter is a triangle of twice the factor's width along either axis.

    Args:
        kernels: the calibration, size 1, at full size.
        scales: the hypotheses.
        overlap: tiles of the reduced views.
        reduction: the whole factor by which the views were reduced.

    Returns:
        Variance of a residual's pixels for each unit of the variance of a view's pixels at full size: a pure
        number. Times the noise variance, it has the unit of the energies, the views' own squared.
    """
    fy, fx = frequencies(overlap, reduction)
    ratio = noise_to_signal(fy, fx)
    offset = np.arange(-reduction, reduction + 1) + (0.5 if reduction % 2 == 0 else 0)
    triangle = np.maximum(1 - np.abs(offset) / reduction, 0)
    triangle = triangle / triangle.sum()
    variance, shared = (triangle**2).sum(), (triangle[reduction:] * triangle[: reduction + 1]).sum()
    along_y, along_x = (variance + 2 * shared * jnp.cos(2 * jnp.pi * f * reduction) for f in (fy, fx))
    height, width = overlap.tile
    power = along_y[:, None] * (along_x * mirrored(width))[None] / (height * width)

    def of_scale(scale):
        passed = (jnp.abs(scaled_spectra(kernels, scale, fy, fx)) ** 2).sum(2)
        return (power[None, None] * passed / (passed + ratio[None, None])).sum((-2, -1)).mean()

    return jax.lax.map(of_scale, scales)
