"""What a layer would show if nothing stood in front of it: the views, filled in where nearer surfaces are.

At an outline the far side's kernel would mix in the near side's light, which never went through it, and the
deconvolution would ring.

Axes: views [views, height, width]; weights [layers, height, width], summing to one over the layers, which
fall from the farthest to the nearest in defocus size; blocks [.., h, w] are means over `BLOCK` x `BLOCK`
pixels. Views are in units of their own mean times two (mean 0.5).
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.fast.images import block_means, double_bilinear, enlarge_blocks

DEPTH_GAP = 0.1  # difference in defocus size from which a surface stands in front of another
BLOCK = 4  # pixels; `_enlarged` doubles twice
TEXTURE_BLOCK = 4  # blocks; likewise
COVERAGE = 0.2  # deviation of the share of a pixel's light that nearer surfaces send, where they can reach
OUTLINE = 0.05  # weight of near blocks at an outline, where far light is mixed in, beside those well inside
NOISE = 1e-7  # variance that the views have anywhere


@jax.jit
def remove_occluders(
    views: Float[Array, "views height width"],
    scales: Float[Array, " layers"],
    weights: Float[Array, "layers height width"],
    reach: float | Float[Array, ""],
) -> Float[Array, "layers views height width"]:
    """The views as each layer would have them without the surfaces in front of it.

    A layer nearer by more than `DEPTH_GAP` throws most of its light within half its kernel's reach (`reach`
    is that of kernels of size 1, in pixels). There a view differs from ``far``, what the layer shows around,
    continued smoothly, by ``a (near - far) + texture``: a of the light is the nearer surfaces', and ``near``
    what they show around. The map does not tell a to any use, since outlines are found to a few pixels, so
    both terms are taken as random with mean zero, and the first one's share of the variance,
    ``A² (near - far)² / (A² (near - far)² + Var texture + NOISE)`` with A = `COVERAGE`, in the mean over the
    views, is how far the views are moved towards ``far``. What a bare wall shows beside a bright object is
    the object's light; what a page shows beside something about as bright as paper is text.
    """
    half = 0.5 * reach * jnp.abs(scales)
    first_nearer = (scales[None] >= scales[:, None] - DEPTH_GAP).sum(1)

    def nearer(shares):
        # A surface between two layers is shared by both, so the layers add up.
        from_here_on = jnp.concatenate([jnp.cumsum(shares[::-1], axis=0)[::-1], jnp.zeros_like(shares[:1])])
        return jnp.minimum(from_here_on[first_nearer], 1)

    shares = block_means(weights, BLOCK)
    reached = nearer(_dilated(shares, half))
    in_front = nearer(shares)
    well_inside = 1 - _dilated(1 - in_front, half)
    own = jnp.maximum(well_inside, OUTLINE * in_front)
    means, squares = block_means(views, BLOCK), block_means(views**2, BLOCK)
    size = views.shape[-2:]

    def without(given):
        reached, own = given
        far, near = fill(means, 1 - reached), fill(means, own)
        spill = COVERAGE**2 * (near - far) ** 2
        share = reached * (spill / (spill + texture(means, squares, 1 - reached) + NOISE)).mean(0)
        return views + enlarge_blocks(share, size)[None] * (enlarge_blocks(far, size) - views)

    return jax.lax.map(without, (reached, own))


def texture(
    means: Float[Array, "views h w"], squares: Float[Array, "views h w"], known: Float[Array, "h w"]
) -> Float[Array, "views h w"]:
    """Variance of the views around each block, from the means of values and squares in known blocks.

    Where none is known for a long way, as behind a fence that fills the frame, it is that of all blocks.
    """
    known = known + 1e-6
    weight = block_means(known, TEXTURE_BLOCK)
    mean, square = (
        block_means(each * known[None], TEXTURE_BLOCK) / weight[None] for each in (means, squares)
    )
    return enlarge_blocks(fill(jnp.maximum(square - mean**2, 0), jnp.minimum(weight, 1)), known.shape)


def _dilated(
    blocks: Float[Array, "layers h w"], radii: Float[Array, " layers"]
) -> Float[Array, "layers h w"]:
    """Largest value within a square of at least each layer's half width in pixels.

    A square is grown by a block at a time, so that one program serves all half widths.
    """
    step = (1, 3, 3)
    steps = jnp.ceil(radii / BLOCK)

    def grow(number, grown):
        wider = jax.lax.reduce_window(grown, 0.0, jax.lax.max, step, (1, 1, 1), "SAME")
        return jnp.where(number < steps[:, None, None], wider, grown)

    return jax.lax.fori_loop(0, steps.max().astype(int), grow, blocks)


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
