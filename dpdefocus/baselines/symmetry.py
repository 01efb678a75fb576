"""Defocus by the symmetry of the two views' kernels (after Punnappurath et al., ICCP 2020).

The left view, blurred once more by the right kernel, is the right view blurred by the left one: ``I_l *
k_r = I_r * k_l``, whatever the scene, if the kernels have the scene's defocus size. So the energy of
their difference over a window tells the size. The paper's kernels are parametric and mirror images of
each other; here they are the calibrated ones, which are not.

Axes: views [views, height, width], left first; differences [sizes, height, width]. Units: sizes in those
of the calibrated kernels; views at middle grey (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from dpdefocus.baselines.smoothing import edge_aware
from dpdefocus.baselines.stereo import detail
from dpdefocus.fast.wiener import local_energy
from dpdefocus.optics.blended_tiles import Overlap, blend, cut, frequencies
from dpdefocus.optics.kernels import scaled_spectra
from dpdefocus.support.parabola import fit_parabola

WINDOW = 4.0  # pixels, standard deviation of the window over which the energy is taken
SPREAD = 0.4  # of the shorter side: how far a size spreads where the image has no edge
CONTRAST = 0.02  # step between neighbours at which spreading falls to 1/e


def symmetric_sizes(
    views: Float[np.ndarray, "views height width"],
    kernels: Float[np.ndarray, "rows cols views kernel kernel"],
    sizes: Float[np.ndarray, " sizes"],
    overlap: Overlap,
    reduction: int,
    border: int,
) -> Float[np.ndarray, "height width"]:
    """The defocus map: the size of the smallest energy, refined along the edges of the image.

    Within `border` pixels of the image's edge light from outside plays in (`wiener.local_energy`).
    """
    differences = crossed_differences(detail(views), kernels, sizes, overlap, reduction)
    found = fit_parabola(np.asarray(local_energy(differences, border, WINDOW)), sizes)
    return edge_aware(found.size, found.certainty, views.mean(0), SPREAD * min(views.shape[1:]), CONTRAST)


@partial(jax.jit, static_argnames=("overlap", "reduction"))
def crossed_differences(
    views: Float[Array, "views height width"],
    kernels: Float[Array, "rows cols views kernel kernel"],
    sizes: Float[Array, " sizes"],
    overlap: Overlap,
    reduction: int = 1,
) -> Float[Array, "sizes height width"]:
    """``I_l * k_r − I_r * k_l`` at each size, with the kernels changing smoothly over the field.

    `views` may be reduced by a whole factor; `kernels` and `sizes` stay those of the full size.
    """
    fy, fx = frequencies(overlap, reduction)
    spectra = jnp.moveaxis(jnp.fft.rfft2(cut(views, overlap)), 0, 2)

    def difference(size):
        at_size = scaled_spectra(kernels, size, fy, fx)
        crossed = (
            spectra[..., 0, :, :] * at_size[..., 1, :, :] - spectra[..., 1, :, :] * at_size[..., 0, :, :]
        )
        return blend(jnp.fft.irfft2(crossed, s=overlap.tile), overlap)

    return jax.lax.map(difference, sizes)
