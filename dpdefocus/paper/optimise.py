"""The published optimisation of the multiplane image: Adam on logits, with checkpoints (paper, Sec. 4).

Axes: layers first, back to front, then views (left, right) where there are two, height and width in
pixels. The parameters are logits of intensities and alphas; the farthest layer's alpha is one, its logit
+inf. Losses come in the order of ``LOSSES``, weighted. The objective itself is in `objective`.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from dpdefocus.optics.kernels import scale_kernels
from dpdefocus.optics.tiled_losses import state_shares
from dpdefocus.optics.tiling import Tiling, tiling_of
from dpdefocus.paper.objective import LOSSES, Scene, scene_of, value_and_gradient
from dpdefocus.paper.settings import LossSettings, PublishedSettings, Schedule
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder
from dpdefocus.support.progress_bar import progress

Layers = Float[Array | np.ndarray, "layers height width"]


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


def _adam(schedule: Schedule) -> optax.GradientTransformation:
    decay = schedule.last_rate / schedule.first_rate
    return optax.adam(optax.exponential_decay(schedule.first_rate, schedule.iterations, decay))


# Intensities and alphas of a warm start are clipped to this, and to as near 0: beyond, logits have no slope.
MOST_CERTAIN = 0.995


def start(observed_mean: Float[Array, ""], layers: int, tiling: Tiling, settings: PublishedSettings) -> State:
    """All intensities at the observed mean, and ``α_i = 1/i``, which makes all layers equally visible."""
    shape = (layers, tiling.height, tiling.width)
    number = jnp.arange(1, layers + 1)[:, None, None]
    # A float32 for good, as it is after a step: of another type, `_advance` would be compiled a second time.
    before = jnp.maximum(number - 1.0, 1.0).astype(jnp.float32)
    alpha_logits = jnp.where(number == 1, jnp.inf, -jnp.log(before))
    logits = (
        jnp.full(shape, jnp.log(observed_mean / (1 - observed_mean))),
        jnp.broadcast_to(alpha_logits, shape),
    )
    return State(logits, _adam(settings.schedule).init(logits), jnp.array(0))


def warm_start(intensities: Layers, alphas: Layers, settings: PublishedSettings) -> State:
    """The start from a multiplane image that is there already, its intensities in units of the views'
    maximum: both clipped, the farthest alpha one, Adam's state new.
    """
    within = (jnp.clip(each, 1 - MOST_CERTAIN, MOST_CERTAIN) for each in (intensities, alphas))
    intensity_logits, alpha_logits = (jnp.log(each) - jnp.log1p(-each) for each in within)
    logits = intensity_logits, alpha_logits.at[0].set(jnp.inf)
    return State(logits, _adam(settings.schedule).init(logits), jnp.array(0))


@partial(jax.jit, static_argnames=("tiling", "schedule", "most", "constants"))
def _advance(
    state: State,
    scene: Scene,
    tiling: Tiling,
    schedule: Schedule,
    steps: Int[Array, ""],
    most: int,
    constants: LossSettings,
) -> tuple[State, Float[Array, "most losses"], Int[Array, ""]]:
    """``steps`` iterations, no more than ``most``, fewer if the loss stops being finite; the losses
    before each.

    How many is not known to the compiler, so that a run cut into other pieces is the same computation;
    weights and noise are the scene's, so that other ones run the same compiled code.
    """
    optimiser = _adam(schedule)

    def proceed(carry):
        _, _, done, finite = carry
        return (done < steps) & finite

    def step(carry):
        state, terms, done, _ = carry
        now, gradient = value_and_gradient(*state.logits, scene, tiling, constants)
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
    shares = state_shares(state, state.logits[0].shape[0], tiling)
    return jax.lax.with_sharding_constraint(state, shares), terms, done


def fit_published(
    views: Float[np.ndarray, "views height width"],
    kernels: Float[np.ndarray, "rows cols views kernel kernel"],
    scales: Float[Array, " layers"],
    settings: PublishedSettings,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 500,
    watch: Callable[[Array, Array, np.ndarray], bool | None] | None = None,
    start_from: tuple[Layers, Layers] | None = None,
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
        watch: called at each checkpoint, to a file or not, with the intensities and the alphas so far, and
            the weighted losses before each iteration; if it returns true, the run ends there. Called again,
            such a run goes on from its checkpoint, for which `watch` is not called once more.
        start_from: intensities in the views' scale, and alphas; without them the published cold start.

    Returns:
        The layers' intensities in the views' scale, their alphas, and how it went. If the loss stops
        being finite, there is a warning, and what is returned (and kept in the checkpoint) is the last
        state known to be good.

    Raises:
        InputError: layers out of order, a start of another shape, or a checkpoint of something else.
    """
    began = time.perf_counter()
    scales = jnp.asarray(scales, jnp.float32)
    _check_scales(scales)
    shape = (len(scales), *views.shape[1:])
    if start_from is not None and any(each.shape != shape for each in start_from):
        raise InputError(
            f"start_from: found intensities of {start_from[0].shape} and alphas of {start_from[1].shape}; "
            f"expected {shape}, as layers and views have"
        )
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        writable_folder(path.parent, "checkpoint")
    identity = _identity((views, kernels, scales, *(start_from or ())), settings)

    tiling = tiling_of(*views.shape[1:], kernels)
    peak = float(views.max())
    observed = jnp.asarray(views, jnp.float32) / peak
    layers = scales.shape[0]
    at_layers = scale_kernels(jnp.asarray(kernels, jnp.float32), scales)
    weights = settings.weights(layers)
    scene = scene_of(observed, at_layers, weights, settings.noise_variance, settings.prior, tiling)

    if start_from is None:
        state = start(observed.mean(), layers, tiling, settings)
    else:
        state = warm_start(start_from[0] / peak, start_from[1], settings)
    history = np.zeros((0, len(LOSSES)), np.float32)
    if path is not None and path.exists():
        state, history = _load_checkpoint(path, identity, state)
    state = jax.device_put(state, state_shares(state, layers, tiling))

    def layers_of(state):
        intensities, alphas = (
            jax.nn.sigmoid(jax.device_put(each, jax.devices()[0])) for each in state.logits
        )
        return intensities * peak, alphas

    def keep(state, history):
        _save_checkpoint(path, identity, state, history)
        return watch is not None and watch(*layers_of(state), history)

    state, history, diverged_at = _iterate(state, history, scene, tiling, settings, checkpoint_every, keep)
    if diverged_at is not None:
        warnings.warn(
            f"the published optimisation diverged: its loss was not finite at iteration {diverged_at}. "
            f"The result is the state at iteration {int(state.iteration)}. A lower learning rate may help",
            RuntimeWarning,
            stacklevel=2,
        )
    return *layers_of(state), History(history, diverged_at, time.perf_counter() - began)


def _iterate(
    state: State,
    history: np.ndarray,
    scene: Scene,
    tiling: Tiling,
    settings: PublishedSettings,
    checkpoint_every: int,
    save: Callable[[State, np.ndarray], bool | None],
) -> tuple[State, np.ndarray, int | None]:
    """Iterate to the end, or until `save` returns true; the last state, the losses before each iteration,
    and where it diverged, if it did.
    """
    schedule = settings.schedule
    # Waiting for every iteration would leave an accelerator idle; a CPU is better served by an early
    # progress bar.
    at_once = 5 if jax.default_backend() == "cpu" else 50
    good = state
    first = int(state.iteration)
    stops = {*range(first, schedule.iterations, at_once), *range(0, schedule.iterations, checkpoint_every)}
    stops = [stop for stop in sorted(stops) if stop >= first] + [schedule.iterations]
    pieces = list(pairwise(stops))
    for begin, end in progress(pieces, "published optimisation"):
        steps = jnp.array(end - begin)
        after, terms, done = _advance(state, scene, tiling, schedule, steps, at_once, settings.loss)
        terms = np.asarray(terms[: int(done)])
        finite = np.isfinite(terms).all(1)
        if finite[0]:
            good = state  # only now is the piece's first state known to have a finite loss
        if not finite.all():
            history = history[: int(good.iteration)]
            save(good, history)
            return good, history, begin + int(np.argmin(finite))
        state, history = after, np.concatenate([history, terms])
        if (end % checkpoint_every == 0 or end == schedule.iterations) and save(state, history):
            break
    return state, history, None


def _check_scales(scales):
    if scales.shape[0] < 2 or not bool((scales[:-1] > scales[1:]).all()):
        raise InputError(
            f"scales: found {np.asarray(scales).tolist()}; expected defocus sizes of at least two layers, "
            "falling from the farthest to the nearest"
        )


def _identity(arrays: Iterable[Array | np.ndarray], settings: PublishedSettings) -> str:
    """What a checkpoint belongs to: the settings, and a digest of the input."""
    digest = hashlib.sha256()
    for array in arrays:
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
            f"{path} belongs to an optimisation of other views, kernels, scales, settings or start. "
            "Give another checkpoint file, or remove this one to start anew"
        )
    return jax.tree.unflatten(jax.tree.structure(like), leaves), history
