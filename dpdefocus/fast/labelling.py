"""One defocus size for each pixel: the hypotheses' energies and a smoothness prior, minimised as a whole.

``min_d Σ_p C_p(d_p) + λ Σ_pq w_pq min(|d_p − d_q|, τ)`` over labels d, with p, q neighbours in the
four-connected grid: a Markov random field. Sequential tree-reweighted message passing (Kolmogorov, IEEE
TPAMI 2006) minimises it: two sweeps an iteration, here along the image's diagonals, whose pixels do not
depend on each other.

Axes: costs [labels, height, width]; sheared arrays [diagonal, labels, row], where pixel (y, x) stands on
diagonal x + y. Units: costs and λ are dimensionless; distances between labels count labels.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from dpdefocus.fast.images import block_means, double
from dpdefocus.fast.settings import LabellingSettings
from dpdefocus.support.progress_bar import progress


def data_cost(
    energies: Float[Array, "labels height width"],
    noise_floor: float,
    calibration_error: float,
    largest_cost: float,
) -> Float[Array, "labels height width"]:
    """Costs from energies: how far each energy lies above the pixel's best, in units of what is expected.

    ``C(d) = min((E(d) − E_min) / (calibration_error · E_min + noise_floor), largest_cost)``. The best energy
    is what the calibration cannot explain (kernels resized and interpolated, the window reaching over an
    edge), and `noise_floor` what the noise leaves; an energy above the best by less than their sum says
    little. The largest cost limits the influence of a single pixel.
    """
    best = energies.min(0)
    cost = (energies - best[None]) / (calibration_error * best + noise_floor)[None]
    return jnp.minimum(cost, largest_cost)


def edge_weights(
    image: Float[Array, "height width"],
    contrast: float,
    least_smoothness: float = LabellingSettings.least_smoothness,
) -> tuple[Float[Array, "height width"], Float[Array, "height width"]]:
    """Smoothness weights between each pixel and the one above it, and the one to its left.

    ``w = exp(−|∇I| / contrast) + least_smoothness``: depth jumps where the image does. The edges of near
    objects are the sharper ones, and theirs are the outlines that hide what is behind.
    """
    dy = jnp.abs(jnp.diff(image, axis=0, prepend=image[:1]))
    dx = jnp.abs(jnp.diff(image, axis=1, prepend=image[:, :1]))
    return jnp.exp(-dy / contrast) + least_smoothness, jnp.exp(-dx / contrast) + least_smoothness


@jax.jit
def truncated_linear_message(
    cost: Float[Array, "labels n"], weight: Float[Array, " n"], truncation: float | Float[Array, ""]
) -> Float[Array, "labels n"]:
    """``min_d' cost(d') + weight · min(|d − d'|, truncation)``, less its smallest value: a message."""
    label = jnp.arange(cost.shape[0], dtype=cost.dtype)
    distance = jnp.minimum(jnp.abs(label[:, None] - label[None]), truncation)
    return ((cost - cost.min(0)[None])[:, None] + weight[None, None] * distance[:, :, None]).min(0)


def min_marginals(
    costs: Float[Array, "labels height width"],
    weights_up: Float[Array, "height width"],
    weights_left: Float[Array, "height width"],
    smoothness: float,
    truncation: float,
    sweeps: tuple[int, ...],
) -> Float[Array, "labels height width"]:
    """Min-marginals of the field; their smallest over the labels is the labelling.

    Messages travel a long way before a bare surface knows the depth at its rim, so the field is first
    solved on coarser grids, each with half the pixels along an axis, whose messages the next finer one
    starts from. `sweeps` has the number of iterations on each, coarsest first. One link of a coarse grid
    stands for two side by side, and one coarse pixel for four: with messages in units of one fine link, the
    costs of a coarse pixel count twice their mean, and the smoothness stays. `weights_up` couples a pixel
    with the one above it, `weights_left` with the one to its left; the first row and column of theirs are
    not used.
    """
    pyramid = [(costs, weights_up, weights_left)]
    for _ in sweeps[1:]:
        costs, up, left = (block_means(each, 2) for each in pyramid[-1])
        pyramid.append((2 * costs, up, left))
    messages = None
    grids = list(zip(pyramid[::-1], sweeps, strict=True))
    for (unary, up, left), iterations in progress(grids, "defocus map"):
        shape = unary.shape
        if messages is None:
            messages = jnp.zeros(shape), jnp.zeros(shape)
        else:
            messages = tuple(double(message)[:, : shape[1], : shape[2]] for message in messages)
        marginals, *messages = _sweep(unary, up, left, *messages, smoothness, truncation, iterations)
    return marginals


@partial(jax.jit, static_argnames=("iterations",))
def _sweep(
    unary: Float[Array, "labels height width"],
    weights_up: Float[Array, "height width"],
    weights_left: Float[Array, "height width"],
    from_right: Float[Array, "labels height width"],
    from_down: Float[Array, "labels height width"],
    smoothness: float | Float[Array, ""],
    truncation: float | Float[Array, ""],
    iterations: int,
) -> tuple[Float[Array, "labels height width"], ...]:
    """Iterations on one grid from the given messages: min-marginals, and messages from right and below."""
    labels, height, width = unary.shape
    up = smoothness * weights_up.at[0].set(0)
    left = smoothness * weights_left.at[:, 0].set(0)
    down = jnp.pad(up[1:], ((0, 1), (0, 0)))
    right = jnp.pad(left[:, 1:], ((0, 0), (0, 1)))
    unary, from_right, from_down = (_shear(a) for a in (unary, from_right, from_down))
    up, left, down, right = (_shear(a) for a in (up, left, down, right))

    # In a sweep each pixel has two neighbours before it and two behind: half its share goes to each.
    def share(total, message_back, weight):
        return truncated_linear_message(0.5 * total - message_back, weight, truncation) * (weight > 0)[None]

    def forward(incoming, diagonal):
        from_left, from_up = incoming
        cost, from_right, from_down, to_right, to_down = diagonal
        total = cost + from_left + from_up + from_right + from_down
        rightward, downward = share(total, from_right, to_right), share(total, from_down, to_down)
        return (rightward, _next_row(downward)), (from_left, from_up)

    def backward(incoming, diagonal):
        from_right, from_down = incoming
        cost, from_left, from_up, to_left, to_up = diagonal
        total = cost + from_left + from_up + from_right + from_down
        leftward, upward = share(total, from_left, to_left), share(total, from_up, to_up)
        return (leftward, _previous_row(upward)), (from_right, from_down, total)

    nothing = jnp.zeros((labels, height)), jnp.zeros((labels, height))

    def iteration(_, state):
        from_right, from_down, _ = state
        _, (from_left, from_up) = jax.lax.scan(forward, nothing, (unary, from_right, from_down, right, down))
        _, state = jax.lax.scan(backward, nothing, (unary, from_left, from_up, left, up), reverse=True)
        return state

    start = from_right, from_down, jnp.zeros_like(unary)
    from_right, from_down, total = jax.lax.fori_loop(0, iterations, iteration, start)
    return tuple(_unshear(a, width) for a in (total, from_right, from_down))


def _shear(image: Float[Array, "*n height width"]) -> Float[Array, "diagonals *n height"]:
    """Sheared, so that the leading axis walks the diagonals; beyond the image zero."""
    height, width = image.shape[-2:]
    y = jnp.arange(height)[None]
    x = jnp.arange(height + width - 1)[:, None] - y
    inside = ((x >= 0) & (x < width)).reshape((1,) * (image.ndim - 2) + x.shape)
    return jnp.moveaxis(jnp.where(inside, image[..., y, jnp.clip(x, 0, width - 1)], 0), -2, 0)


def _unshear(sheared: Float[Array, "diagonals labels height"], width: int) -> Float[Array, "labels height w"]:
    y = jnp.arange(sheared.shape[-1])[:, None]
    return jnp.moveaxis(sheared, 0, -1)[:, y, y + jnp.arange(width)[None]]


def _next_row(values):
    return jnp.pad(values[:, :-1], ((0, 0), (1, 0)))


def _previous_row(values):
    return jnp.pad(values[:, 1:], ((0, 0), (0, 1)))


@jax.jit
def sub_label(marginals: Float[Array, "labels height width"]) -> Float[Array, "height width"]:
    """Position of the smallest min-marginal in labels, between labels by a parabola through neighbours."""
    best = jnp.clip(marginals.argmin(0), 1, marginals.shape[0] - 2)

    def at(shift):
        return jnp.take_along_axis(marginals, (best + shift)[None], 0)[0]

    before, here, after = at(-1), at(0), at(1)
    bend = jnp.maximum(before - 2 * here + after, 1e-6)
    return best + jnp.clip(0.5 * (before - after) / bend, -1, 1)


def labelling_energy(
    labels: Int[Array, "height width"],
    costs: Float[Array, "labels height width"],
    weights_up: Float[Array, "height width"],
    weights_left: Float[Array, "height width"],
    smoothness: float,
    truncation: float,
) -> Float[Array, ""]:
    """The energy of a labelling, which the field's labelling minimises."""
    data = jnp.take_along_axis(costs, labels[None], 0).sum()
    up = weights_up[1:] * jnp.minimum(jnp.abs(jnp.diff(labels, axis=0)), truncation)
    left = weights_left[:, 1:] * jnp.minimum(jnp.abs(jnp.diff(labels, axis=1)), truncation)
    return data + smoothness * (up.sum() + left.sum())
