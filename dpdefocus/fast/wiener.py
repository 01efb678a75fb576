"""Two-observation Wiener deconvolution (27) and the energy of each defocus hypothesis (26).

Axes: views [views, height, width], left first; tiles and spectra as in `blended_tiles`. Views are in units of
their own mean times two (mean 0.5), so that the constants fit every exposure. Energies are squares of that
unit.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from dpdefocus.fast.images import gaussian_means
from dpdefocus.fast.settings import BrightnessSettings, EnergySettings, NaturalImagePrior
from dpdefocus.optics.blended_tiles import Overlap, blend, cut, frequencies, mirrored
from dpdefocus.optics.kernels import scaled_spectra


def noise_to_signal(
    fy: Float[Array, " h"], fx: Float[Array, " w"], prior: NaturalImagePrior = NaturalImagePrior()
) -> Float[Array, "h w"]:
    """``σ²|Φ(f)|²`` of (23): constant up to the corner frequency and growing as f² beyond it.

    f² is the inverse power of natural images. Frequencies are in cycles per full-size pixel.
    """
    return prior.level * (1 + (fy[:, None] ** 2 + fx[None] ** 2) / prior.corner**2)


@jax.jit
def wiener_estimate(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Complex[Array, "*n h w"]:
    """The sharp image at one hypothesis, (27): ``Ĉ = Σ_v K̄^v I^v / (Σ_v |K^v|² + σ²|Φ|²)``."""
    return (jnp.conj(kernels) * spectra).sum(-3) / _denominator(kernels, ratio)


@jax.jit
def hypothesis_energy(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Float[Array, "*n h w"]:
    """The energy at its minimiser, by frequency, (26) with (27): ``Σ_v |I^v|² − |Σ_v K̄^v I^v|² / B``."""
    explained = jnp.abs((jnp.conj(kernels) * spectra).sum(-3)) ** 2 / _denominator(kernels, ratio)
    return (jnp.abs(spectra) ** 2).sum(-3) - explained


def crossed_views(
    spectra: Complex[Array, "*n views h w"],
    kernels: Complex[Array, "*n views h w"],
    ratio: Float[Array, "h w"],
) -> Complex[Array, "*n views h w"]:
    """Each view through the other's kernel, ``J = (I^l K^r, I^r K^l) / √B``: alike at the right size."""
    scale = jax.lax.rsqrt(_denominator(kernels, ratio))
    return spectra * kernels[..., ::-1, :, :] * scale[..., None, :, :]


@jax.jit
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
    left, right = jnp.moveaxis(crossed_views(spectra, kernels, ratio), -3, 0)
    return left - right


def _denominator(kernels, ratio):
    """``B = Σ_v |K^v|² + σ²|Φ|²``."""
    power = (jnp.abs(kernels) ** 2).sum(-3)
    return power + ratio.reshape((1,) * (power.ndim - 2) + ratio.shape)


@partial(jax.jit, static_argnames=("overlap", "reduction", "prior"))
def cross_blurred_views(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " hypotheses"],
    overlap: Overlap,
    reduction: int = 1,
    prior: NaturalImagePrior = NaturalImagePrior(),
) -> Float[Array, "hypotheses views height width"]:
    """The crossed views of each hypothesis as images, with the kernels changing smoothly over the field.

    Their difference is the cross residual. `views` may be reduced by a whole factor; `kernels` and `scales`
    stay those of the full size.
    """
    fy, fx = frequencies(overlap, reduction)
    spectra = jnp.moveaxis(jnp.fft.rfft2(cut(views, overlap)), 0, 2)
    ratio = noise_to_signal(fy, fx, prior)

    def images(scale):
        crossed = crossed_views(spectra, scaled_spectra(kernels, scale, fy, fx), ratio)
        return blend(jnp.moveaxis(jnp.fft.irfft2(crossed, s=overlap.tile), 2, 0), overlap)

    return jax.lax.map(images, scales)


@partial(jax.jit, static_argnames=("border", "window", "border_weight"))
def local_energy(
    residuals: Float[Array, "hypotheses height width"],
    border: int,
    window: float,
    border_weight: float = EnergySettings.border_weight,
) -> Float[Array, "hypotheses height width"]:
    """Power of each residual around each pixel: a Gaussian mean of σ = `window` pixels.

    Within `border` pixels of the image's edge light from outside plays in, and a residual says nothing
    about the depth there: those pixels count with the `border_weight`, so that the mean rests on what lies
    further in.
    """
    weight = _border_weights(residuals.shape[-2:], border, border_weight)
    total = gaussian_means(weight, window)
    return jax.lax.map(lambda residual: gaussian_means(residual**2 * weight, window) / total, residuals)


@partial(jax.jit, static_argnames=("border", "window", "widening", "limit", "border_weight"))
def relative_brightness(
    crossed: Float[Array, "hypotheses views height width"],
    border: int,
    window: float,
    deviation: float | Float[Array, ""],
    widening: float = BrightnessSettings.window,
    limit: float = BrightnessSettings.limit,
    border_weight: float = EnergySettings.border_weight,
) -> Float[Array, "height width"]:
    """Fraction η by which the left view is brighter than the right one, beyond what the calibration says.

    The white sheets' ratio is right for the light of a white sheet. What the two halves of the aperture
    receive from a surface in a scene differs from it by up to some percent, from surface to surface (gloss
    and stray light among the causes). It leaves a residual at every hypothesis, which hides what tells them
    apart.

    With J^l and J^r the `crossed` views at the hypothesis of least `local_energy` (`window` is that
    energy's), ``J^l − J^r = η J^r + noise`` is fitted in a Gaussian window `widening` times as wide, with a
    normal prior of standard deviation `deviation` on η: ``η = ⟨(J^l − J^r) J^r⟩ / (⟨(J^r)²⟩ + v /
    deviation²)``, v the fit's own mean square error, within ± `limit`. The window is wide, lest η
    explain a parallax, and v counts as that of a single observation: errors of neighbours go together, and
    more pixels make η no surer.
    """
    left, right = crossed[:, 0], crossed[:, 1]
    best = local_energy(left - right, border, window, border_weight).argmin(0)[None]
    left, right = (jnp.take_along_axis(each, best, axis=0)[0] for each in (left, right))
    weight = _border_weights(left.shape, border, border_weight)
    wide = widening * window
    difference = left - right
    product, square, power = (
        gaussian_means(weight * each, wide) for each in (difference * right, right**2, difference**2)
    )
    error = jnp.maximum(power - product**2 / (square + 1e-12), 0)
    found = product * deviation**2 / (square * deviation**2 + error + 1e-12)  # without light: none
    return jnp.clip(found, -limit, limit)


def _border_weights(shape: tuple[int, int], border: int, outside: float) -> Float[Array, "height width"]:
    """One further than `border` pixels inside the image's edges; times `outside` nearer to either of them."""

    def along(length):
        position = np.arange(length)
        edge = np.minimum(position, length - 1 - position)
        return jnp.asarray(np.where(edge >= border, 1.0, outside), jnp.float32)

    return jnp.outer(*map(along, shape))


@partial(jax.jit, static_argnames=("overlap", "reduction", "prior"))
def noise_energy(
    kernels: Float[Array, "rows cols views kernel kernel"],
    scales: Float[Array, " hypotheses"],
    overlap: Overlap,
    reduction: int = 1,
    prior: NaturalImagePrior = NaturalImagePrior(),
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
        prior: that of the residuals.

    Returns:
        Variance of a residual's pixels for each unit of the variance of a view's pixels at full size: a pure
        number. Times the noise variance, it has the unit of the energies, the views' own squared.
    """
    fy, fx = frequencies(overlap, reduction)
    ratio = noise_to_signal(fy, fx, prior)
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
