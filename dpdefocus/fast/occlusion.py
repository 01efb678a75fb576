"""What a layer would show if nothing stood in front of it: the views, filled in where nearer surfaces are.

At an outline the far side's kernel would mix in the near side's light, which never went through it, and the
deconvolution would ring.

Axes: views [views, height, width]; weights [layers, height, width], summing to one over the layers, which
fall from the farthest to the nearest in defocus size; blocks [.., h, w] are means over squares of
`OcclusionSettings.block` pixels. Views are in units of their own mean times two (mean 0.5).
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.fast.images import block_means, double_bilinear, enlarge_blocks
from dpdefocus.fast.settings import LayerSettings, OcclusionSettings


@partial(jax.jit, static_argnames=("settings", "depth_gap"))
def remove_occluders(
    views: Float[Array, "views height width"],
    scales: Float[Array, " layers"],
    weights: Float[Array, "layers height width"],
    reach: float | Float[Array, ""],
    settings: OcclusionSettings = OcclusionSettings(),
    depth_gap: float = LayerSettings.depth_gap,
) -> Float[Array, "layers views height width"]:
    """The views as each layer would have them without the surfaces in front of it.

    A layer nearer by more than `depth_gap` throws most of its light within half its kernel's reach (`reach`
    is that of kernels of size 1, in pixels). There a view differs from ``far``, the light of the layer
    around, continued smoothly, by ``a (near - far) + texture``: a fraction a of the light comes from the
    nearer surfaces, and ``near`` is the light of these around. The map does not tell a, since outlines are
    found to a few pixels only. So both terms are taken as random with mean zero, and the views are moved
    towards ``far`` by the first term's share of the variance, ``A² (near - far)² / (A² (near - far)² + Var
    texture + noise)`` with A = `coverage`, in the mean over the views. Light on a bare wall beside a bright
    object is the object's; contrast on a page beside something about as bright as paper is text.
    """
    block = settings.block
    half = settings.reach * reach * jnp.abs(scales)
    first_nearer = (scales[None] >= scales[:, None] - depth_gap).sum(1)

    def nearer(shares):
        # A surface between two layers is shared by both, so the layers add up.
        from_here_on = jnp.concatenate([jnp.cumsum(shares[::-1], axis=0)[::-1], jnp.zeros_like(shares[:1])])
        return jnp.minimum(from_here_on[first_nearer], 1)

    shares = block_means(weights, block)
    reached = nearer(_dilated(shares, half, block))
    in_front = nearer(shares)
    well_inside = 1 - _dilated(1 - in_front, half, block)
    own = jnp.maximum(well_inside, settings.outline * in_front)
    means, squares = block_means(views, block), block_means(views**2, block)
    size = views.shape[-2:]

    def without(given):
        reached, own = given
        far, near = fill(means, 1 - reached), fill(means, own)
        spill = settings.coverage**2 * (near - far) ** 2
        variance = texture(means, squares, 1 - reached, settings.texture_block)
        share = reached * (spill / (spill + variance + settings.noise)).mean(0)
        return views + enlarge_blocks(share, block, size)[None] * (enlarge_blocks(far, block, size) - views)

    return jax.lax.map(without, (reached, own))


@partial(jax.jit, static_argnames="side")
def texture(
    means: Float[Array, "views h w"],
    squares: Float[Array, "views h w"],
    known: Float[Array, "h w"],
    side: int = OcclusionSettings.texture_block,
) -> Float[Array, "views h w"]:
    """Variance of the views within `side` blocks of each block, from the means of values and squares.

    Only known blocks count. Where none is known for a long way, as behind a fence that fills the frame, it
    is that of all blocks.
    """
    known = known + 1e-6
    weight = block_means(known, side)
    mean, square = (block_means(each * known[None], side) / weight[None] for each in (means, squares))
    return enlarge_blocks(fill(jnp.maximum(square - mean**2, 0), jnp.minimum(weight, 1)), side, known.shape)


def _dilated(
    blocks: Float[Array, "layers h w"], radii: Float[Array, " layers"], side: int
) -> Float[Array, "layers h w"]:
    """Largest value within a square of at least each layer's half width in pixels.

    A square is grown by a block at a time, so that one program serves all half widths.
    """
    step = (1, 3, 3)
    steps = jnp.ceil(radii / side)

    def grow(number, grown):
        wider = jax.lax.reduce_window(grown, 0.0, jax.lax.max, step, (1, 1, 1), "SAME")
        return jnp.where(number < steps[:, None, None], wider, grown)

    return jax.lax.fori_loop(0, steps.max().astype(int), grow, blocks)


@jax.jit
def fill(
    images: Float[Array, "*n height width"], known: Float[Array, "height width"]
) -> Float[Array, "*n height width"]:
    """Images with their unknown pixels filled in from known ones, near ones first (push-pull on a pyramid).

    `known` in [0, 1] is each pixel's weight. Means over ever larger blocks, weighted by what is known,
    replace what is not.
    """
    height, width = known.shape
    even = ((0, height % 2), (0, width % 2))
    known = known + 1e-6
    share = known.reshape((1,) * (images.ndim - 2) + known.shape)
    if min(height, width) == 1:
        return jnp.broadcast_to((images * share).sum((-2, -1), keepdims=True) / known.sum(), images.shape)

    def coarse(image):
        padded = jnp.pad(image, [(0, 0)] * (image.ndim - 2) + list(even))
        return padded.reshape(*image.shape[:-2], padded.shape[-2] // 2, 2, padded.shape[-1] // 2, 2).sum(
            (-3, -1)
        )

    total = coarse(known)
    means = coarse(images * share) / jnp.maximum(coarse(share), 1e-12)
    around = fill(means, jnp.minimum(total, 1))
    around = double_bilinear(double_bilinear(around, -2), -1)[..., :height, :width]
    return images * share + around * (1 - share)
