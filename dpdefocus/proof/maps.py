"""Noise bias on whole captures: defocus of each pixel with and without the correction, and where it helps.

Axes: views [views, height, width], left first; maps and energies [..., height, width]; tiles and spectra as
in `blended_tiles`. Defocus in units of the calibrated kernels. Energies are squares of the views' unit, which
is that of the published program: the largest value of either view is one.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.data.capture import MIDDLE_GREY, Calibration, Capture
from dpdefocus.fast.defocus import estimate_defocus
from dpdefocus.fast.settings import FAST
from dpdefocus.fast.solve import at_middle_grey, measure_noise
from dpdefocus.fast.wiener import cross_residual, local_energy
from dpdefocus.optics.blended_tiles import Overlap, blend, cut, frequencies, mirrored
from dpdefocus.optics.kernels import centre_kernels, kernel_reach, scaled_spectra
from dpdefocus.proof.trials import CORRECTIONS, minimum
from dpdefocus.simulation.simulate import Simulated
from dpdefocus.solver import PRESETS

# Sizes tried for every scene, in units of the calibrated kernels: they cover the ranges that the paper set by
# hand.
SIZES = np.linspace(0.1, 1.6, 16, dtype=np.float32)


class PlaneEnergies(NamedTuple):
    """For each hypothesis the windowed energy (26), and the two corrections per unit of noise variance."""

    energy: Float[Array, "hypotheses height width"]
    paper: Float[Array, " hypotheses"]
    evidence: Float[Array, " hypotheses"]


@partial(jax.jit, static_argnames=("overlap", "border", "window"))
def plane_energies(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    sizes: Float[Array, " hypotheses"],
    ratio: Float[Array, ""] | float,
    overlap: Overlap,
    border: int,
    window: float,
) -> PlaneEnergies:
    """The energy (26) of a single plane around each pixel, for each hypothesis, and the corrections of it.

    By Lagrange's identity the energy at its minimiser is ``|I^l K^r − I^r K^l|²/B + r Σ_v |I^v|²/B`` with ``B
    = Σ_v |K^v|² + r``: the powers of three images, each a linear filter of the views. So they are transformed
    back to pixels, squared, and averaged over a window; nothing is optimised or smoothed. The corrections,
    ``mean_f r/B`` (5) and ``mean_f log((2 + r)/B)``, are means over the grid and over the same frequencies.

    Args:
        views: without their means; the light of a plain surface says nothing about its blur.
        kernels: the calibration, size 1.
        sizes: the hypotheses.
        ratio: ``r = σ²|Φ|²``.
        overlap: tiles of the views.
        border: width in pixels of the frame's rim that windows leave out.
        window: standard deviation of the Gaussian window, in pixels.
    """
    fy, fx = frequencies(overlap)
    spectra = jnp.moveaxis(jnp.fft.rfft2(cut(views, overlap)), 0, 2)
    ratios = jnp.full((fy.size, fx.size), ratio, jnp.float32)
    share = jnp.asarray(mirrored(overlap.tile[1]) / (overlap.tile[0] * overlap.tile[1]))

    def of_size(size):
        scaled = scaled_spectra(kernels, size, fy, fx)
        power = (jnp.abs(scaled) ** 2).sum(2)
        denominator = power + ratio
        shrunk = jnp.sqrt(ratio / denominator)[:, :, None] * spectra
        crossed = cross_residual(spectra, scaled, ratios)
        parts = jnp.stack([crossed, shrunk[:, :, 0], shrunk[:, :, 1]])
        images = blend(jnp.fft.irfft2(parts, s=overlap.tile), overlap)
        paper = (ratio / denominator * share[None, None, None]).sum((-2, -1)).mean()
        evidence = (jnp.log((2 + ratio) / denominator) * share[None, None, None]).sum((-2, -1)).mean()
        return local_energy(images, border, window).sum(0), paper, evidence

    return PlaneEnergies(*jax.lax.map(of_size, sizes))


def plane_maps(
    capture: Capture,
    calibration: Calibration,
    noise_variance: float,
    prior: float,
    sizes: Float[np.ndarray, " hypotheses"] = SIZES,
    window: float = 8.0,
) -> dict[str, Float[np.ndarray, "height width"]]:
    """Defocus maps of a capture for each of `CORRECTIONS`: for each pixel the size of least energy.

    As in the published program the views are divided by their largest value, and the correction is multiplied
    by their mean over middle grey, 0.5. If ``B(d)`` grows with d, a corrected minimum cannot lie below the
    uncorrected one: a capture only shows how far it moves, and whether towards the truth.
    """
    views = capture.views / capture.views.max()
    variance = noise_variance * float(views.mean()) / MIDDLE_GREY
    kernels = centre_kernels(jnp.asarray(calibration.kernels))
    reach = kernel_reach(kernels, FAST.reach)
    margin = int(np.ceil(2 * reach * float(sizes[-1])))
    overlap = Overlap(*views.shape[1:], *kernels.shape[:2], margin)
    centred_views = jnp.asarray(views - views.mean((1, 2), keepdims=True))
    found = plane_energies(
        centred_views,
        kernels,
        jnp.asarray(sizes),
        noise_variance * prior,
        overlap,
        int(np.ceil(reach)),
        window,
    )
    energies = np.moveaxis(np.asarray(found.energy), 0, -1)
    taken_off = dict(zip(CORRECTIONS, (0 * found.paper, found.paper, found.evidence), strict=True))
    return {
        which: minimum(sizes, energies - variance * np.asarray(each)) for which, each in taken_off.items()
    }


def with_photon_noise(
    clean: Float[np.ndarray, "views height width"], noise_variance: float, seed: int
) -> Float[np.ndarray, "views height width"]:
    """Views with photon noise only, in linear raw as before.

    A photo-electron is ``a = σ² mean(I) / 0.5²`` of linear raw. Multiplied by ``0.5 / mean(I)``, as in the
    solver, the views then have the noise variance ``2 σ² I``: σ² at middle grey, which is ``0.5² / σ²``
    photo-electrons. Their number is drawn from a normal distribution: a generator of Poisson numbers whose
    input differs in its last digit, as on another machine, continues with other noise. Light stays at or
    above zero; nothing is clipped at the top.

    Args:
        clean: views without noise.
        noise_variance: ``σ²``, in squares of views of mean 0.5.
        seed: of the noise.
    """
    light = np.maximum(clean, 0).astype(np.float64)
    electron = noise_variance * light.mean() / MIDDLE_GREY**2
    # A stream of its own: the generator of the seed itself draws the textures.
    rng = np.random.default_rng((seed, 1))
    noisy = light + np.sqrt(electron * light) * rng.normal(size=light.shape)
    return np.maximum(noisy, 0).astype(np.float32)


def noisy_capture(simulated: Simulated, noise_variance: float, seed: int) -> tuple[Capture, Calibration]:
    """The simulated views `with_photon_noise` only, as a capture in which no pixel is saturated."""
    views = with_photon_noise(simulated.clean_views, noise_variance, seed)
    name = f"simulated, noise variance {noise_variance:g}"
    return Capture(views, name, np.zeros_like(simulated.saturated)), Calibration(simulated.kernels)


def map_error(capture: Capture, calibration: Calibration, simulated: Simulated, preset: str) -> float:
    """Mean absolute error of the defocus map that a preset's settings give, in units of the kernels."""
    settings = PRESETS[preset]
    gain, views = at_middle_grey(capture)
    kernels = centre_kernels(jnp.asarray(calibration.kernels))
    noise = measure_noise(capture, settings, gain)
    found = estimate_defocus(views, kernels, settings, capture.name, noise)
    return float(np.abs(np.asarray(found.defocus) - simulated.defocus_map).mean())
