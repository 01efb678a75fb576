"""The published objective of the multiplane image, its value and its gradient in one pass (paper, Sec. 4).

Axes: layers first, back to front, then views (left, right) where there are two, height and width in
pixels. The parameters are logits of intensities and alphas; the farthest layer's alpha is one, its logit
+inf. Losses come in the order of ``LOSSES``, weighted.

The pass over the tiles is that of `tiled_losses`.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from dpdefocus.data.capture import MIDDLE_GREY
from dpdefocus.optics.mpi import transmittance, visibility
from dpdefocus.optics.tiled_blur import BlurredMPI, mpi_tiles
from dpdefocus.optics.tiled_losses import Group, share_scene, share_spectra, sum_over_tiles
from dpdefocus.optics.tiling import Tiling, margins, pad, tiles
from dpdefocus.paper import losses
from dpdefocus.paper.bias import bias_correction
from dpdefocus.paper.settings import LossSettings

LOSSES = ("data", "auxiliary", "intensity", "alpha", "entropy")


class Scene(NamedTuple):
    """What the objective compares an MPI with.

    ``observed`` are the views, and ``inside`` is one within the image, both padded; ``spectra`` are those
    of the kernels at the layers' sizes; ``bias`` is ``B(d_i)``, ``gain`` the paper's s, ``weights`` those
    of the losses.
    """

    observed: Float[Array, "views padded_height padded_width"]
    inside: Float[Array, "1 padded_height padded_width"]
    spectra: Complex[Array, "tiles layers views window_height window_width"]
    bias: Float[Array, " layers"]
    gain: Float[Array, ""]
    weights: Float[Array, " losses"]


@partial(jax.jit, static_argnames=("tiling",))
def scene_of(
    observed: Float[Array, "views height width"],
    kernels: Float[Array, "layers rows cols views kernel kernel"],
    weights: Float[Array, " losses"],
    noise_variance: Float[Array, ""] | float,
    prior: Float[Array, ""] | float,
    tiling: Tiling,
) -> Scene:
    """The scene of two views divided by their common maximum, and of kernels at the layers' sizes."""
    mean = observed.mean()
    whole = jnp.ones((1, tiling.height, tiling.width))
    scene = Scene(
        observed=pad(observed, tiling),
        inside=jnp.pad(whole, [(0, 0), *margins(tiling)]),
        spectra=share_spectra(kernels, tiling),
        bias=bias_correction(kernels, mean, noise_variance, prior),
        gain=MIDDLE_GREY / mean,
        weights=weights,
    )
    return share_scene(scene, kernels.shape[0], tiling)


def _view_losses(
    blurred: BlurredMPI, observed: Float[Array, "group height width"], scene: Scene, constants: LossSettings
) -> Float[Array, "2 group height width"]:
    """Data and auxiliary loss (8, 9) of one view in a group's tiles, ``[group, height, width]``."""
    visible = visibility(blurred.alphas)
    seen = blurred.alphas * visible
    rendered = (blurred.premultiplied * visible).sum(0)
    bias = (seen * losses.by_layer(scene.bias, seen)).sum(0)
    return jnp.stack(
        [
            losses.data_loss(rendered, observed, bias, constants.gamma),
            losses.auxiliary_loss(blurred.intensities, seen, observed, scene.bias, constants.gamma),
        ]
    )


def _group_losses(
    intensities: Float[Array, "layers group window_height window_width"],
    alphas: Float[Array, "layers group window_height window_width"],
    group: Group,
    scene: Scene,
    tiling: Tiling,
    constants: LossSettings,
) -> tuple[Float[Array, ""], Float[Array, " losses"]]:
    """The weighted losses of a group of tiles, summed over its pixels: their total, and each of them."""
    observed, inside = (
        tiles(each, group.first, alphas.shape[1], tiling) for each in (scene.observed, scene.inside)
    )
    (intensities, alphas), *blurred = mpi_tiles(intensities, alphas, scene.spectra, group.own_first, tiling)
    left, right = (_view_losses(*view, scene, constants) for view in zip(blurred, observed, strict=True))
    of_views = scene.gain * 0.5 * (left + right)

    shares = transmittance(alphas)
    alpha_roots, share_roots = losses.root(alphas), losses.root(shares)
    sharp = (shares * intensities).sum(0, keepdims=True)
    of_intensities = losses.local_variance(scene.gain * jnp.concatenate([sharp, intensities]))
    (sharp_variance,), layer_variances = jnp.split(of_intensities, [1])

    maps = (
        of_views[0],
        of_views[1],
        losses.intensity_loss(sharp_variance, layer_variances, shares[..., 1:-1, 1:-1], constants),
        losses.alpha_loss(
            losses.local_variance(alpha_roots), losses.local_variance(share_roots), sharp_variance, constants
        ),
        losses.entropy_loss(alpha_roots[..., 1:-1, 1:-1], share_roots[..., 1:-1, 1:-1]),
    )
    terms = scene.weights * jnp.stack([(inside[0] * loss).sum() for loss in maps])
    return terms.sum(), terms


@partial(jax.jit, static_argnames=("tiling", "constants"))
def value_and_gradient(
    intensity_logits: Float[Array, "layers height width"],
    alpha_logits: Float[Array, "layers height width"],
    scene: Scene,
    tiling: Tiling,
    constants: LossSettings = LossSettings(),
) -> tuple[
    Float[Array, " losses"], tuple[Float[Array, "layers height width"], Float[Array, "layers height width"]]
]:
    """The five weighted losses (42), means over the pixels, and the gradient of their sum to both sets of
    logits.
    """
    logits = intensity_logits, alpha_logits
    return sum_over_tiles(_group_losses, len(LOSSES), logits, scene, tiling, constants)
