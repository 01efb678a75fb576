"""The published objective of the multiplane image, its value and its gradient in one pass (paper, Sec. 4).

Axes: layers first, back to front, then views (left, right) where there are two, height and width in
pixels. The parameters are logits of intensities and alphas; the farthest layer's alpha is one, its logit
+inf. Losses come in the order of ``LOSSES``, weighted.

The pass goes over the kernel grid's tiles, a group of tiles at a time, and only the parameters, their
gradient and the kernels' spectra are ever held for the whole image. Where JAX has several devices, each
takes its share of the tiles, and of the layers where these are computed one by one.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Complex, Float

from dpdefocus.data.capture import MIDDLE_GREY
from dpdefocus.optics.mpi import transmittance, visibility
from dpdefocus.optics.tiled_blur import BlurredMPI, group_size, kernels_by_tile, mpi_tiles, tile_spectra
from dpdefocus.optics.tiling import Tiling, add_windows, margins, pad, pad_adjoint, tiles, windows
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


SHARES = "shares"  # the axis of the devices, among which tiles and layers are shared out


def devices(layers: int, tiling: Tiling) -> Mesh:
    """As many of JAX's devices as tiles and layers can be shared out among evenly.

    A CPU counts as one device unless `share_among_cores` was called: XLA computes the transforms on all
    cores, but nearly all else on one for each device.
    """
    found = jax.devices()
    most = max(n for n in range(1, len(found) + 1) if layers % n == 0 and tiling.tiles % n == 0)
    return Mesh(np.array(found[:most]), (SHARES,))


def _scene_shares():
    """How a scene is shared out: the spectra by their tiles."""
    whole = PartitionSpec()
    return Scene(whole, whole, PartitionSpec(SHARES), whole, whole, whole)


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
    mesh, by_tile = devices(kernels.shape[0], tiling), PartitionSpec(SHARES)
    spectra = jax.shard_map(
        partial(tile_spectra, tiling=tiling), mesh=mesh, in_specs=by_tile, out_specs=by_tile, check_vma=False
    )
    mean = observed.mean()
    whole = jnp.ones((1, tiling.height, tiling.width))
    scene = Scene(
        observed=pad(observed, tiling),
        inside=jnp.pad(whole, [(0, 0), *margins(tiling)]),
        spectra=spectra(kernels_by_tile(kernels)),
        bias=bias_correction(kernels, mean, noise_variance, prior),
        gain=MIDDLE_GREY / mean,
        weights=weights,
    )
    return jax.tree.map(
        lambda array, share: jax.lax.with_sharding_constraint(array, NamedSharding(mesh, share)),
        scene,
        _scene_shares(),
    )


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


def _group_losses(intensities, alphas, first, own_first, scene: Scene, tiling, constants):
    """The weighted losses of the group of tiles from number ``first`` on, summed over its pixels, and
    their total, of the windows of intensities and alphas. The scene's spectra have it at ``own_first``.
    """
    group = alphas.shape[1]
    observed, inside = tiles(scene.observed, first, group, tiling), tiles(scene.inside, first, group, tiling)
    (intensities, alphas), *blurred = mpi_tiles(intensities, alphas, scene.spectra, own_first, tiling)
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
    mesh = devices(intensity_logits.shape[0], tiling)
    of_device = partial(
        _device_value_and_gradient, tiling=tiling, share=tiling.tiles // mesh.size, constants=constants
    )
    by_layer = PartitionSpec(SHARES)
    return jax.shard_map(
        of_device,
        mesh=mesh,
        in_specs=(by_layer, by_layer, _scene_shares()),
        out_specs=(PartitionSpec(), (by_layer, by_layer)),
        check_vma=False,
    )(intensity_logits, alpha_logits, scene)


def _device_value_and_gradient(intensity_logits, alpha_logits, scene, tiling, share, constants):
    """A device's part of ``value_and_gradient``: its ``share`` of the tiles, and the logits of its layers."""
    padded = [
        jax.lax.all_gather(pad(jax.nn.sigmoid(logits), tiling), SHARES, tiled=True)
        for logits in (intensity_logits, alpha_logits)
    ]
    group = min(group_size(tiling), share)
    of_group = jax.value_and_grad(_group_losses, argnums=(0, 1), has_aux=True)

    def step(carry, own_first):
        gradients, terms = carry
        first = jax.lax.axis_index(SHARES) * share + own_first
        windowed = [windows(each, first, group, tiling) for each in padded]
        (_, more), to_windows = of_group(*windowed, first, own_first, scene, tiling, constants)
        gradients = [
            add_windows(gradient, to_window, first, tiling)
            for gradient, to_window in zip(gradients, to_windows, strict=True)
        ]
        return (gradients, terms + more), None

    start = [jnp.zeros_like(each) for each in padded], jnp.zeros(len(LOSSES))
    (gradients, terms), _ = jax.lax.scan(step, start, jnp.arange(0, share, group))
    pixels = tiling.height * tiling.width

    def to_logits(gradient, logits):
        of_own_layers = jax.lax.psum_scatter(gradient, SHARES, tiled=True)
        value = jax.nn.sigmoid(logits)
        return pad_adjoint(of_own_layers, tiling) * (value * (1 - value) / pixels)

    logits = intensity_logits, alpha_logits
    return jax.lax.psum(terms, SHARES) / pixels, tuple(map(to_logits, gradients, logits))
