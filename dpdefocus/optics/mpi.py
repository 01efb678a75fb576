"""The multiplane image (MPI): layers of intensity and alpha, seen in focus and through the blur.

Axes: layers come first, ordered **back to front**: index 0 is the farthest, and its alpha is one. After the
layers come the views (left, right) where there are two, then height and width in pixels. Units: intensities
and alphas are in [0, 1], intensities in the linear scale of the observed views. Scales are the layers'
defocus sizes.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from dpdefocus.optics.tiled_blur import blur
from dpdefocus.optics.tiling import Tiling


@jax.custom_vjp
def visibility(alphas: Float[Array, " layers *n"]) -> Float[Array, " layers *n"]:
    """Fraction of each layer that the layers in front of it transmit: ``∏_{j>i} (1 − α_j)``."""
    visible = [jnp.ones_like(alphas[0])]
    for alpha in alphas[:0:-1]:
        visible.append(visible[-1] * (1 - alpha))
    return jnp.stack(visible[::-1])


def _visibility_forward(alphas):
    visible = visibility(alphas)
    return visible, (alphas, visible)


def _visibility_adjoint(residuals, cotangent):
    """``∂/∂α_j = −visible_j · behind_j``, with ``behind_j`` the cotangents behind layer j composited over one
    another, ``behind_{j+1} = cotangent_j + (1 − α_j) behind_j``. Nothing is divided by ``1 − α_j``, which
    may be 0.
    """
    alphas, visible = residuals
    behind = [jnp.zeros_like(cotangent[0])]
    for of_layer, alpha in zip(cotangent[:-1], alphas[:-1], strict=True):
        behind.append(of_layer + (1 - alpha) * behind[-1])
    return (-visible * jnp.stack(behind),)


visibility.defvjp(_visibility_forward, _visibility_adjoint)


def transmittance(alphas: Float[Array, " layers *n"]) -> Float[Array, " layers *n"]:
    """Weight of each layer in the sharp image, ``t_i = α_i ∏_{j>i} (1 − α_j)``. The weights sum to one if
    ``α_1 = 1``.
    """
    return alphas * visibility(alphas)


def all_in_focus(
    intensities: Float[Array, "layers height width"], alphas: Float[Array, "layers height width"]
) -> Float[Array, "height width"]:
    """The sharp image ``Î_s = Σ_i t_i c_i`` (1, 14), in the intensities' scale."""
    return (transmittance(alphas) * intensities).sum(0)


def defocus_map(
    alphas: Float[Array, "layers height width"], scales: Float[Array, " layers"]
) -> Float[Array, "height width"]:
    """The signed defocus size of each pixel, ``D̂ = Σ_i t_i d_i`` (15), in the unit of ``scales``."""
    return (transmittance(alphas) * scales[:, None, None]).sum(0)


def composite(
    premultiplied: Float[Array, " layers *n"], alphas: Float[Array, " layers *n"]
) -> Float[Array, "*n"]:
    """Premultiplied layers, composited back to front: ``Σ_i x_i ∏_{j>i} (1 − α_j)``."""
    return (premultiplied * visibility(alphas)).sum(0)


def render(
    intensities: Float[Array, "layers height width"],
    alphas: Float[Array, "layers height width"],
    spectra: Complex[Array, "tiles layers views window_height window_width"],
    tiling: Tiling,
) -> Float[Array, "views height width"]:
    """The defocused views ``Î_b^v = Σ_i (k_i^v * (c_i α_i)) ⊙ ∏_{j>i} (1 − k_j^v * α_j)`` (2, 17)."""
    return composite(blur(intensities * alphas, spectra, tiling), blur(alphas, spectra, tiling))
