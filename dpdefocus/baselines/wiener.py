"""Two-observation Wiener deconvolution by pixel (after Zhou et al., ICCV 2009; Tang & Kutulakos 2012).

The views are deconvolved as if the whole scene had one defocus size, for each of many sizes. The sharp
image so found is blurred again and compared with the views: where the size is right, the two agree. The
defocus map takes in each pixel the size of the smallest difference, and the sharp image the deconvolution
of that size.

Axes: views [views, height, width], left first; kernels [rows, cols, views, kernel, kernel]. Units: sizes
in those of the calibrated kernels; views at middle grey (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from dpdefocus.baselines.stereo import detail
from dpdefocus.fast.wiener import local_energy, noise_to_signal, wiener_estimate
from dpdefocus.optics.blended_tiles import Overlap, blend, cut, frequencies
from dpdefocus.optics.kernels import scaled_spectra
from dpdefocus.support.parabola import fit_parabola
from dpdefocus.support.progress_bar import progress

WINDOW = 4.0  # pixels, standard deviation of the window over which differences are taken


def best_sizes(
    views: Float[np.ndarray, "views height width"],
    kernels: Float[np.ndarray, "rows cols views kernel kernel"],
    sizes: Float[np.ndarray, " sizes"],
    overlap: Overlap,
    reduction: int,
    border: int,
) -> Float[np.ndarray, "height width"]:
    """The size of each window's smallest difference between the views and what they should be.

    Within `border` pixels of the image's edge light from outside plays in (`wiener.local_energy`).
    """
    differences = reblurred_differences(detail(views), kernels, sizes, overlap, reduction)
    energies = sum(local_energy(differences[:, view], border, WINDOW) for view in range(2))
    return fit_parabola(np.asarray(energies), sizes).size


def selected(
    views: Float[np.ndarray, "views height width"],
    kernels: Float[np.ndarray, "rows cols views kernel kernel"],
    sizes: Float[np.ndarray, " sizes"],
    defocus: Float[np.ndarray, "height width"],
    overlap: Overlap,
) -> Float[np.ndarray, "height width"]:
    """The sharp image: each pixel from the deconvolutions of the two sizes around its own."""
    step = sizes[1] - sizes[0]
    spectra = tile_spectra(views, overlap)
    sharp = np.zeros_like(defocus)
    for size in progress(sizes, "Wiener deconvolution"):
        share = np.maximum(1 - np.abs(defocus - size) / step, 0)
        if share.any():
            sharp += share * np.asarray(deconvolved(spectra, kernels, size, overlap))
    return sharp


@partial(jax.jit, static_argnames="overlap")
def tile_spectra(
    views: Float[Array, "views height width"], overlap: Overlap
) -> Complex[Array, "rows cols views tile_height half_width"]:
    """Transforms of the views' tiles."""
    return jnp.moveaxis(jnp.fft.rfft2(cut(views, overlap)), 0, 2)


@partial(jax.jit, static_argnames="overlap")
def deconvolved(
    spectra: Complex[Array, "rows cols views tile_height half_width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    size: Float[Array, ""],
    overlap: Overlap,
) -> Float[Array, "height width"]:
    """The sharp image if all of it had one size, (27)."""
    fy, fx = frequencies(overlap)
    estimate = wiener_estimate(spectra, scaled_spectra(kernels, size, fy, fx), noise_to_signal(fy, fx))
    return blend(jnp.fft.irfft2(estimate, s=overlap.tile), overlap)


@partial(jax.jit, static_argnames=("overlap", "reduction"))
def reblurred_differences(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    sizes: Float[Array, " sizes"],
    overlap: Overlap,
    reduction: int = 1,
) -> Float[Array, "sizes views height width"]:
    """``k_v * Ĉ − I_v`` at each size: the sharp image of that size blurred again, less the views.

    `views` may be reduced by a whole factor; `kernels` and `sizes` stay those of the full size.
    """
    fy, fx = frequencies(overlap, reduction)
    spectra = tile_spectra(views, overlap)

    def difference(size):
        at_size = scaled_spectra(kernels, size, fy, fx)
        estimate = wiener_estimate(spectra, at_size, noise_to_signal(fy, fx))
        rest = jnp.moveaxis(at_size * estimate[..., None, :, :] - spectra, 2, 0)
        return blend(jnp.fft.irfft2(rest, s=overlap.tile), overlap)

    return jax.lax.map(difference, sizes)
