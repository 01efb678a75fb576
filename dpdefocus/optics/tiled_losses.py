"""A sum of losses over the tiles of a multiplane image: its value and its gradient in one pass.

A method gives the losses of a group of tiles, from windows of its layers' intensities and alphas; this room
goes over the tiles, a group at a time. Only the parameters, their gradient and the kernels' spectra are ever
held for the whole image. Where JAX has several devices, each takes its share of the tiles, and of the layers
where these are computed one by one.

Axes: layers first, back to front, then height and width in pixels. The parameters are logits of intensities
and alphas; the farthest layer's alpha is one, its logit +inf.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Complex, Float, Int

from dpdefocus.optics.tiled_blur import group_size, kernels_by_tile, tile_spectra
from dpdefocus.optics.tiling import Tiling, add_windows, pad, pad_adjoint, windows

Logits = tuple[Float[Array, "layers height width"], Float[Array, "layers height width"]]
Losses = Callable[..., tuple[Float[Array, ""], Float[Array, " losses"]]]


class Group(NamedTuple):
    """Where a group of tiles is: it starts with number ``first`` of the image, and with ``own_first`` of
    the spectra, of which a device has its share only.
    """

    first: Int[Array, ""]
    own_first: Int[Array, ""]


SHARES = "shares"  # the axis of the devices, among which tiles and layers are shared out


def devices(layers: int, tiling: Tiling) -> Mesh:
    """As many of JAX's devices as tiles and layers can be shared out among evenly.

    A CPU counts as one device unless `share_among_cores` was called: XLA computes the transforms on all
    cores, but nearly all else on one for each device.
    """
    found = jax.devices()
    most = max(n for n in range(1, len(found) + 1) if layers % n == 0 and tiling.tiles % n == 0)
    return Mesh(np.array(found[:most]), (SHARES,))


def share_spectra(
    kernels: Float[Array, "layers rows cols views kernel kernel"], tiling: Tiling
) -> Complex[Array, "tiles layers views window_height window_width"]:
    """The kernels' spectra, each tile's on the device that goes over it."""
    mesh, by_tile = devices(kernels.shape[0], tiling), PartitionSpec(SHARES)
    spectra = jax.shard_map(
        partial(tile_spectra, tiling=tiling), mesh=mesh, in_specs=by_tile, out_specs=by_tile, check_vma=False
    )
    return spectra(kernels_by_tile(kernels))


def share_scene(scene: Any, layers: int, tiling: Tiling) -> Any:
    """The scene, a named tuple with ``spectra``, shared out among the devices: the spectra by their tiles."""
    mesh = devices(layers, tiling)
    return jax.tree.map(
        lambda array, share: jax.lax.with_sharding_constraint(array, NamedSharding(mesh, share)),
        scene,
        _scene_shares(scene),
    )


def _scene_shares(scene: Any) -> Any:
    return jax.tree.map(lambda _: PartitionSpec(), scene)._replace(spectra=PartitionSpec(SHARES))


def state_shares(state: Any, layers: int, tiling: Tiling) -> Any:
    """How an optimiser's state is shared out: stacks of layers by their layers, single numbers not at all."""
    mesh = devices(layers, tiling)
    shares = {0: NamedSharding(mesh, PartitionSpec()), 3: NamedSharding(mesh, PartitionSpec(SHARES))}
    return jax.tree.map(lambda leaf: shares[leaf.ndim], state)


def sum_over_tiles(
    losses: Losses, count: int, logits: Logits, scene: Any, tiling: Tiling, constants: Any
) -> tuple[Float[Array, " losses"], Logits]:
    """Losses, as means over the pixels, and the gradient of the total to both sets of logits.

    Args:
        losses: ``losses(intensities, alphas, group, scene, tiling, constants)`` gives the total and the terms
            of a group's tiles, summed over its pixels, from windows [layers, group, window_height,
            window_width].
        count: number of terms.
        logits: of intensities and alphas.
        scene: a named tuple of arrays with ``spectra``, as `share_scene` shares it out.
        tiling: how the kernels' grid cuts the image.
        constants: handed to the losses.
    """
    mesh = devices(logits[0].shape[0], tiling)
    of_device = partial(
        _of_device,
        losses=losses,
        count=count,
        tiling=tiling,
        share=tiling.tiles // mesh.size,
        constants=constants,
    )
    by_layer = PartitionSpec(SHARES)
    return jax.shard_map(
        of_device,
        mesh=mesh,
        in_specs=(by_layer, by_layer, _scene_shares(scene)),
        out_specs=(PartitionSpec(), (by_layer, by_layer)),
        check_vma=False,
    )(*logits, scene)


def _of_device(
    intensity_logits: Float[Array, "own_layers height width"],
    alpha_logits: Float[Array, "own_layers height width"],
    scene: Any,
    losses: Losses,
    count: int,
    tiling: Tiling,
    share: int,
    constants: Any,
) -> tuple[Float[Array, " losses"], Logits]:
    """A device's part of ``sum_over_tiles``: its ``share`` of the tiles, and the logits of its layers."""
    padded = [
        jax.lax.all_gather(pad(jax.nn.sigmoid(logits), tiling), SHARES, tiled=True)
        for logits in (intensity_logits, alpha_logits)
    ]
    size = min(group_size(tiling), share)
    of_group = jax.value_and_grad(losses, argnums=(0, 1), has_aux=True)

    def step(carry, own_first):
        gradients, terms = carry
        group = Group(jax.lax.axis_index(SHARES) * share + own_first, own_first)
        windowed = [windows(each, group.first, size, tiling) for each in padded]
        (_, more), to_windows = of_group(*windowed, group, scene, tiling, constants)
        gradients = [
            add_windows(gradient, to_window, group.first, tiling)
            for gradient, to_window in zip(gradients, to_windows, strict=True)
        ]
        return (gradients, terms + more), None

    start = [jnp.zeros_like(each) for each in padded], jnp.zeros(count)
    (gradients, terms), _ = jax.lax.scan(step, start, jnp.arange(0, share, size))
    pixels = tiling.height * tiling.width

    def to_logits(gradient, logits):
        of_own_layers = jax.lax.psum_scatter(gradient, SHARES, tiled=True)
        value = jax.nn.sigmoid(logits)
        return pad_adjoint(of_own_layers, tiling) * (value * (1 - value) / pixels)

    logits = intensity_logits, alpha_logits
    return jax.lax.psum(terms, SHARES) / pixels, tuple(map(to_logits, gradients, logits))
