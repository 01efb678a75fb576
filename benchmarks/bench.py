"""What the solver costs, as JSON: ``python benchmarks/bench.py [--height 1008 --width 1344 --layers 12]``.

``fft_ratio``: time of value and gradient of the ``paper`` objective over the time of its bare FFTs: in
the same run, the same windows, the same number of forward and inverse complex transforms in the same
groups, and nothing else. Both run in one compiled loop, as the optimisation does, so that neither pays
for fresh memory in each turn. They take turns, and the fastest turn of each counts, since other programs
can only slow them down.
"""

import argparse
import json
import resource
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from dpdefocus.blur import Tiling, group_size, tiling_of
from dpdefocus.published import HAND_SETTINGS, Scene, scene_of, start, value_and_gradient

KERNEL = 61
GRID = (6, 8)


def example(height: int, width: int, layers: int) -> tuple[tuple, Scene, Tiling]:
    """Logits, scene and tiling of the published size; what is in the pictures does not change the cost."""
    settings = HAND_SETTINGS["001"]
    views_key, kernels_key, noise_key = jax.random.split(jax.random.key(0), 3)
    observed = jax.random.uniform(views_key, (2, height, width))
    kernels = jax.random.uniform(kernels_key, (layers, *GRID, 2, KERNEL, KERNEL))
    kernels = kernels / kernels.sum((-2, -1), keepdims=True)
    tiling = tiling_of(height, width, kernels)
    scene = scene_of(
        observed, kernels, settings.weights(layers), settings.noise_variance, settings.prior, tiling
    )
    state = start(observed.mean(), layers, tiling, settings)
    noise = jax.random.normal(noise_key, (layers, height, width))
    return tuple(logits + noise for logits in state.logits), scene, tiling


def objective_loop(turns: int, tiling: Tiling) -> Callable:
    """``turns`` evaluations of value and gradient, each at the point that a tiny step along the last one
    led to.
    """

    def turn(_, carry):
        logits, scene = carry
        _, gradient = value_and_gradient(*logits, scene, tiling)
        return jax.tree.map(lambda logit, slope: logit - 1e-6 * slope, logits, gradient), scene

    return jax.jit(lambda logits, scene: jax.lax.fori_loop(0, turns, turn, (logits, scene))[0])


def fft_loop(turns: int, layers: int, tiling: Tiling) -> Callable:
    """The transforms of ``turns`` evaluations: for each layer of each group of tiles 2 and back 3, 3 and
    back 2.
    """
    group = group_size(tiling)

    def of_layer(_, canvases):
        two, three = canvases
        there = jnp.fft.ifft2(jnp.fft.fft2(two))
        back = jnp.fft.fft2(jnp.fft.ifft2(three))
        return there, back

    count = turns * layers * tiling.tiles // group
    shape = (tiling.window_height, tiling.window_width)
    canvases = jnp.ones((group, 2, *shape), jnp.complex64), jnp.ones((group, 3, *shape), jnp.complex64)

    def run():
        return jax.lax.fori_loop(0, count, of_layer, jax.lax.optimization_barrier(canvases))

    return jax.jit(run)


def seconds(run: Callable, *arguments) -> float:
    """Wall time of one run."""
    began = time.perf_counter()
    jax.block_until_ready(run(*arguments))
    return time.perf_counter() - began


def objective_cost(height: int, width: int, layers: int, turns: int, repeats: int) -> dict[str, float]:
    """``fft_ratio``, ``seconds_per_iteration``, ``fft_seconds`` and ``peak_memory_gb`` of the paper's
    objective.
    """
    logits, scene, tiling = example(height, width, layers)
    objective, ffts = objective_loop(turns, tiling), fft_loop(turns, layers, tiling)
    seconds(objective, logits, scene), seconds(ffts)
    rounds = [(seconds(objective, logits, scene), seconds(ffts)) for _ in range(repeats)]
    objective_seconds, fft_seconds = (min(column) / turns for column in zip(*rounds, strict=True))
    return {
        "fft_ratio": objective_seconds / fft_seconds,
        "seconds_per_iteration": objective_seconds,
        "fft_seconds": fft_seconds,
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=1008)
    parser.add_argument("--width", type=int, default=1344)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--turns", type=int, default=2, help="evaluations in one compiled loop")
    parser.add_argument("--repeats", type=int, default=3, help="how often each loop is timed")
    options = parser.parse_args()
    print(json.dumps({"paper_objective": objective_cost(**vars(options))}, indent=1))


if __name__ == "__main__":
    main()
