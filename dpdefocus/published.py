"""The published optimisation of the multiplane image, as data and as a function (paper, Sec. 4; METHOD
``paper``).

Axes: layers first, back to front, then views (left, right) where there are two, height and width in
pixels. The parameters are logits of intensities and alphas; the farthest layer's alpha is one, its logit
+inf. Losses come in the order of ``LOSSES``, weighted.

The objective and its gradient are computed in one pass over the kernel grid's tiles, a group of tiles at
a time, and only the parameters, their gradient and the kernels' spectra are ever held for the whole
image.
"""

import hashlib
import json
import math
import time
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Complex, Float, Int

from dpdefocus import losses
from dpdefocus.bias import MIDDLE_GREY, bias_correction
from dpdefocus.blur import (
    BlurredMPI,
    Tiling,
    add_windows,
    group_size,
    kernels_by_tile,
    margins,
    mpi_tiles,
    pad,
    pad_adjoint,
    tile_spectra,
    tiles,
    tiling_of,
    windows,
)
from dpdefocus.errors import InputError
from dpdefocus.files import replacing, writable_folder
from dpdefocus.mpi import transmittance, visibility
from dpdefocus.optics import scale_kernels
from dpdefocus.progress import progress

LOSSES = ("data", "auxiliary", "intensity", "alpha", "entropy")


@dataclass(frozen=True)
class PublishedSettings:
    """The published constants. ``nearest``, ``farthest``, ``alpha`` and ``entropy`` were set by hand for
    each scene.

    Args:
        nearest, farthest: defocus sizes of the first and the last layer, in units of the calibrated kernels.
        layers: how many layers, evenly spaced in defocus size.
        data, auxiliary, intensity: weights of these losses.
        alpha: weight of the alpha loss for twelve layers; it goes with the square of their number.
        entropy: weight of the entropy loss, before it is divided by the entropy's maximum, log(layers).
        noise_variance: ``σ²`` at middle grey, for views divided by their common maximum.
        prior: ``|Φ|²``.
        iterations: of Adam, while the learning rate falls exponentially from ``first_rate`` to ``last_rate``.
    """

    nearest: float
    farthest: float
    layers: int = 12
    data: float = 2.5e4
    auxiliary: float = 2.5e4
    intensity: float = 30.0
    alpha: float = 7.5e4
    entropy: float = 30.0
    noise_variance: float = 5e-5
    prior: float = 1e2
    iterations: int = 10_000
    first_rate: float = 0.3
    last_rate: float = 0.1

    @property
    def scales(self) -> Float[Array, " layers"]:
        """The layers' defocus sizes, back to front."""
        return jnp.linspace(self.farthest, self.nearest, self.layers)

    def weights(self, layers: int) -> Float[Array, " losses"]:
        """What the losses of so many layers are multiplied by."""
        alpha, entropy = self.alpha * (layers / 12) ** 2, self.entropy / math.log(layers)
        return jnp.array([self.data, self.auxiliary, self.intensity, alpha, entropy])


# The authors' hand settings for their scenes 001-017.
_NEAREST = (0.5, 0.5, 0.7, 0.7, 0.1, 0.1, 0.1, 0.2, 0.1, 0.2, 0.2, 0.1, 0.3, 0.1, 0.1, 0.3, 0.2)
_FARTHEST = (1.6, 1.6, 1.6, 1.6, 1.3, 1.4, 1.4, 1.5, 1.5, 1.5, 1.5, 1.5, 1.6, 1.5, 1.6, 1.5, 1.6)
_ALPHA = (1.5e4,) * 4 + (7.5e4,) * 13
_ENTROPY = (20.0,) * 4 + (30.0,) * 8 + (20.0,) * 5
HAND_SETTINGS = {
    f"{number:03d}": PublishedSettings(nearest=nearest, farthest=farthest, alpha=alpha, entropy=entropy)
    for number, (nearest, farthest, alpha, entropy) in enumerate(
        zip(_NEAREST, _FARTHEST, _ALPHA, _ENTROPY, strict=True), start=1
    )
}


# --- the objective ---------------------------------------------------------------------------------


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

    A CPU counts as one device unless ``JAX_NUM_CPU_DEVICES`` says otherwise: XLA computes the transforms on
    all cores, but nearly all else on one for each device.
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


def _view_losses(blurred: BlurredMPI, observed, scene: Scene):
    """Data and auxiliary loss (8, 9) of one view in a group's tiles, ``[group, height, width]``."""
    visible = visibility(blurred.alphas)
    seen = blurred.alphas * visible
    rendered = (blurred.premultiplied * visible).sum(0)
    bias = (seen * losses.by_layer(scene.bias, seen)).sum(0)
    return jnp.stack(
        [
            losses.data_loss(rendered, observed, bias),
            losses.auxiliary_loss(blurred.intensities, seen, observed, scene.bias),
        ]
    )


def _group_losses(intensities, alphas, first, own_first, scene: Scene, tiling):
    """The weighted losses of the group of tiles from number ``first`` on, summed over its pixels, and
    their total, of the windows of intensities and alphas. The scene's spectra have it at ``own_first``.
    """
    group = alphas.shape[1]
    observed, inside = tiles(scene.observed, first, group, tiling), tiles(scene.inside, first, group, tiling)
    (intensities, alphas), *blurred = mpi_tiles(intensities, alphas, scene.spectra, own_first, tiling)
    left, right = (_view_losses(*view, scene) for view in zip(blurred, observed, strict=True))
    of_views = scene.gain * 0.5 * (left + right)

    shares = transmittance(alphas)
    alpha_roots, share_roots = losses.root(alphas), losses.root(shares)
    sharp = (shares * intensities).sum(0, keepdims=True)
    of_intensities = losses.local_variance(scene.gain * jnp.concatenate([sharp, intensities]))
    (sharp_variance,), layer_variances = jnp.split(of_intensities, [1])

    maps = (
        of_views[0],
        of_views[1],
        losses.intensity_loss(sharp_variance, layer_variances, shares[..., 1:-1, 1:-1]),
        losses.alpha_loss(
            losses.local_variance(alpha_roots), losses.local_variance(share_roots), sharp_variance
        ),
        losses.entropy_loss(alpha_roots[..., 1:-1, 1:-1], share_roots[..., 1:-1, 1:-1]),
    )
    terms = scene.weights * jnp.stack([(inside[0] * loss).sum() for loss in maps])
    return terms.sum(), terms


@partial(jax.jit, static_argnames=("tiling",))
def value_and_gradient(
    intensity_logits: Float[Array, "layers height width"],
    alpha_logits: Float[Array, "layers height width"],
    scene: Scene,
    tiling: Tiling,
) -> tuple[
    Float[Array, " losses"], tuple[Float[Array, "layers height width"], Float[Array, "layers height width"]]
]:
    """The five weighted losses (42), means over the pixels, and the gradient of their sum to both sets of
    logits.
    """
    mesh = devices(intensity_logits.shape[0], tiling)
    of_device = partial(_device_value_and_gradient, tiling=tiling, share=tiling.tiles // mesh.size)
    by_layer = PartitionSpec(SHARES)
    return jax.shard_map(
        of_device,
        mesh=mesh,
        in_specs=(by_layer, by_layer, _scene_shares()),
        out_specs=(PartitionSpec(), (by_layer, by_layer)),
        check_vma=False,
    )(intensity_logits, alpha_logits, scene)


def _device_value_and_gradient(intensity_logits, alpha_logits, scene, tiling, share):
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
        (_, more), to_windows = of_group(*windowed, first, own_first, scene, tiling)
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


# --- the optimisation ------------------------------------------------------------------------------


class State(NamedTuple):
    """Where the optimisation stands: both sets of logits, Adam's state, and the iterations done."""

    logits: tuple[Float[Array, "layers height width"], Float[Array, "layers height width"]]
    adam: optax.OptState
    iteration: Int[Array, ""]


@dataclass(frozen=True)
class History:
    """How the optimisation went.

    Args:
        terms: the weighted losses before each iteration, [iterations, losses] in the order of ``LOSSES``.
        diverged_at: the iteration whose loss was not finite, or None; what is returned is then from before.
        seconds: wall time of this run, compilation included, earlier runs that it resumed left out.
    """

    terms: np.ndarray
    diverged_at: int | None
    seconds: float


def _adam(settings: PublishedSettings) -> optax.GradientTransformation:
    decay = settings.last_rate / settings.first_rate
    return optax.adam(optax.exponential_decay(settings.first_rate, settings.iterations, decay))


def start(observed_mean: Float[Array, ""], layers: int, tiling: Tiling, settings: PublishedSettings) -> State:
    """All intensities at the observed mean, and ``α_i = 1/i``, which makes all layers equally visible."""
    shape = (layers, tiling.height, tiling.width)
    number = jnp.arange(1, layers + 1)[:, None, None]
    alpha_logits = jnp.where(number == 1, jnp.inf, -jnp.log(jnp.maximum(number - 1.0, 1.0)))
    logits = (
        jnp.full(shape, jnp.log(observed_mean / (1 - observed_mean))),
        jnp.broadcast_to(alpha_logits, shape),
    )
    return State(logits, _adam(settings).init(logits), jnp.array(0))


def _state_shares(state: State, mesh: Mesh) -> State:
    """How the state is shared out: logits and their moments by their layers."""
    shares = {0: NamedSharding(mesh, PartitionSpec()), 3: NamedSharding(mesh, PartitionSpec(SHARES))}
    return jax.tree.map(lambda leaf: shares[leaf.ndim], state)


@partial(jax.jit, static_argnames=("tiling", "settings", "most"))
def _advance(
    state: State, scene: Scene, tiling: Tiling, settings: PublishedSettings, steps: Int[Array, ""], most: int
) -> tuple[State, Float[Array, "most losses"], Int[Array, ""]]:
    """``steps`` iterations, no more than ``most``, fewer if the loss stops being finite; the losses
    before each.

    How many is not known to the compiler, so that a run cut into other pieces is the same computation.
    """
    optimiser = _adam(settings)

    def proceed(carry):
        _, _, done, finite = carry
        return (done < steps) & finite

    def step(carry):
        state, terms, done, _ = carry
        now, gradient = value_and_gradient(*state.logits, scene, tiling)
        updates, adam = optimiser.update(gradient, state.adam)
        logits = optax.apply_updates(state.logits, updates)
        return (
            State(logits, adam, state.iteration + 1),
            terms.at[done].set(now),
            done + 1,
            jnp.isfinite(now.sum()),
        )

    blank = jnp.zeros((most, len(LOSSES)))
    state, terms, done, _ = jax.lax.while_loop(proceed, step, (state, blank, jnp.array(0), jnp.array(True)))
    shares = _state_shares(state, devices(state.logits[0].shape[0], tiling))
    return jax.lax.with_sharding_constraint(state, shares), terms, done


def fit_published(
    views: Float[np.ndarray, "views height width"],
    kernels: Float[np.ndarray, "rows cols views kernel kernel"],
    scales: Float[Array, " layers"],
    settings: PublishedSettings,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
) -> tuple[Float[Array, "layers height width"], Float[Array, "layers height width"], History]:
    """Fit an MPI to two views by the published optimisation.

    Args:
        views: left and right view, linear.
        kernels: the calibrated kernels.
        scales: defocus sizes of the layers, back to front; ``settings.scales`` for the published ones.
        settings: the published constants.
        checkpoint: an ``.npz`` file to keep the optimisation's state in, and to resume from if it exists: the
            result is the same as that of an uninterrupted run.
        checkpoint_every: iterations between checkpoints.

    Returns:
        The layers' intensities in the views' scale, their alphas, and how it went. If the loss stops
        being finite, there is a warning, and what is returned (and kept in the checkpoint) is the last
        state known to be good.

    Raises:
        InputError: layers out of order, or a checkpoint of something else.
    """
    began = time.perf_counter()
    scales = jnp.asarray(scales, jnp.float32)
    _check_scales(scales)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        writable_folder(path.parent, "checkpoint")
    identity = _identity(views, kernels, scales, settings)

    tiling = tiling_of(*views.shape[1:], kernels)
    peak = float(views.max())
    observed = jnp.asarray(views, jnp.float32) / peak
    layers = scales.shape[0]
    at_layers = scale_kernels(jnp.asarray(kernels, jnp.float32), scales)
    weights = settings.weights(layers)
    scene = scene_of(observed, at_layers, weights, settings.noise_variance, settings.prior, tiling)

    state = start(observed.mean(), layers, tiling, settings)
    history = np.zeros((0, len(LOSSES)), np.float32)
    if path is not None and path.exists():
        state, history = _load_checkpoint(path, identity, state)
    state = jax.device_put(state, _state_shares(state, devices(layers, tiling)))

    state, history, diverged_at = _iterate(
        state, history, scene, tiling, settings, checkpoint_every, partial(_save_checkpoint, path, identity)
    )
    if diverged_at is not None:
        warnings.warn(
            f"the published optimisation diverged: its loss was not finite at iteration {diverged_at}. "
            f"The result is the state at iteration {int(state.iteration)}. A lower learning rate may help",
            RuntimeWarning,
            stacklevel=2,
        )
    intensities, alphas = (jax.nn.sigmoid(jax.device_put(each, jax.devices()[0])) for each in state.logits)
    return intensities * peak, alphas, History(history, diverged_at, time.perf_counter() - began)


def _iterate(state, history, scene, tiling, settings, checkpoint_every, save):
    """Iterate to the end; the last state, the losses before each iteration, and where it diverged, if it
    did.
    """
    # Waiting for every iteration would leave an accelerator idle; a CPU is better served by an early
    # progress bar.
    at_once = 5 if jax.default_backend() == "cpu" else 50
    good = state
    first = int(state.iteration)
    stops = {*range(first, settings.iterations, at_once), *range(0, settings.iterations, checkpoint_every)}
    stops = [stop for stop in sorted(stops) if stop >= first] + [settings.iterations]
    pieces = list(zip(stops[:-1], stops[1:], strict=True))
    for begin, end in progress(pieces, "published optimisation"):
        after, terms, done = _advance(state, scene, tiling, settings, jnp.array(end - begin), at_once)
        terms = np.asarray(terms[: int(done)])
        finite = np.isfinite(terms).all(1)
        if finite[0]:
            good = state  # only now is the piece's first state known to have a finite loss
        if not finite.all():
            history = history[: int(good.iteration)]
            save(good, history)
            return good, history, begin + int(np.argmin(finite))
        state, history = after, np.concatenate([history, terms])
        if end % checkpoint_every == 0 or end == settings.iterations:
            save(state, history)
    return state, history, None


def _check_scales(scales):
    if scales.shape[0] < 2 or not bool((scales[:-1] > scales[1:]).all()):
        raise InputError(
            f"scales: found {np.asarray(scales).tolist()}; expected defocus sizes of at least two layers, "
            "falling from the farthest to the nearest"
        )


# --- checkpoints -----------------------------------------------------------------------------------


def _identity(views, kernels, scales, settings: PublishedSettings) -> str:
    """What a checkpoint belongs to: the settings, and a digest of the input."""
    digest = hashlib.sha256()
    for array in (views, kernels, scales):
        digest.update(np.ascontiguousarray(array, np.float32).tobytes())
    return json.dumps({"settings": asdict(settings), "input": digest.hexdigest()}, sort_keys=True)


def _save_checkpoint(path: Path | None, identity: str, state: State, history: np.ndarray) -> None:
    if path is None:
        return
    leaves = {f"leaf_{number}": np.asarray(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
    with replacing(path.parent, path.name) as (temporary,), temporary.open("wb") as file:
        np.savez(file, identity=identity, history=history, **leaves)


def _load_checkpoint(path: Path, identity: str, like: State) -> tuple[State, np.ndarray]:
    try:
        with np.load(path) as saved:
            found = str(saved["identity"])
            leaves = [jnp.asarray(saved[f"leaf_{number}"]) for number in range(len(jax.tree.leaves(like)))]
            history = saved["history"]
    except Exception as error:
        raise InputError(
            f"{path} is not a checkpoint of the published optimisation ({error}). Remove it"
        ) from error
    if found != identity:
        raise InputError(
            f"{path} belongs to an optimisation of other views, kernels, scales or settings. "
            "Give another checkpoint file, or remove this one to start anew"
        )
    return jax.tree.unflatten(jax.tree.structure(like), leaves), history


# --- finish ----------------------------------------------------------------------------------------


@jax.jit
def bilateral_filter(
    image: Float[Array, "height width"], gain: Float[Array, ""] | float
) -> Float[Array, "height width"]:
    """The finish of the published all-in-focus image: a bilateral filter, σ 3 pixels in space, 0.05 in value.

    ``gain`` is the paper's s, 0.5 over the mean of the views: the value's σ is meant for the image times s.
    """
    space, value, radius = 3.0, 0.05, 9
    height, width = image.shape
    around = jnp.pad(image, radius, mode="edge")

    def add(number, sums):
        top, left = number // (2 * radius + 1), number % (2 * radius + 1)
        neighbour = jax.lax.dynamic_slice(around, (top, left), (height, width))
        distance = ((top - radius) ** 2 + (left - radius) ** 2) / space**2
        weight = jnp.exp(-0.5 * (distance + ((neighbour - image) * gain / value) ** 2))
        return sums[0] + weight * neighbour, sums[1] + weight

    zero = jnp.zeros_like(image)
    total, weights = jax.lax.fori_loop(0, (2 * radius + 1) ** 2, add, (zero, zero))
    return total / weights
