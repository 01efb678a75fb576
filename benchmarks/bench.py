"""What the solver costs, as JSON: ``python benchmarks/bench.py [--data FOLDER --scene 001] [--out RECORD]``.

``paper_objective``: value and gradient of the ``paper`` objective at full resolution.
    ``fft_ratio``: its time over the time of its bare FFTs: in the same run, the same windows, the same number
    of forward and inverse complex transforms, shared out among the same devices, and nothing else.
    ``seconds_per_iteration``, ``fft_seconds``: the two times. Both run in compiled loops, as the
    optimisation does, so that neither pays for fresh memory in each turn. They take turns, and the fastest
    turn of each counts, since other programs can only slow them down.
    ``cpu_ratio``: the same ratio in processor time, which hardly depends on other programs.
    ``peak_memory_gb``: of the whole process.
``time_to_scores``: for each preset the wall time, compilation included, until a result is there that has a
    score: ``seconds``, ``scores`` at the end, and ``until``: "psnr >= 28" -> seconds, or null if not
    reached, on ``capture``: the synthetic one with its exact truth, or a scene of the Pixel 4 set. Presets
    other than ``paper`` have one result, at the end. ``paper`` is stopped after ``--iterations`` (its
    10,000 take hours on a CPU), with the learning rate falling accordingly, and is scored on the way; scoring
    is not timed. It runs on the synthetic capture only.

Each part runs in a process of its own: time includes all compilation, and memory is that part's. With
``--out`` the JSON is also kept in a file; docs/results.md has the figures of ``benchmarks/bench.json``.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import records
from jax.sharding import PartitionSpec

from dpdefocus import evaluation, optics, support
from dpdefocus.captures import SYNTHETIC, Opened, open_capture
from dpdefocus.data.result import current_versions
from dpdefocus.optics.tiled_blur import group_size
from dpdefocus.optics.tiled_losses import SHARES, devices
from dpdefocus.optics.tiling import Tiling, tiling_of
from dpdefocus.paper.objective import Scene, scene_of, value_and_gradient
from dpdefocus.paper.optimise import fit_published, start
from dpdefocus.paper.settings import HAND_SETTINGS, PublishedSettings
from dpdefocus.solver import PRESETS, solve
from dpdefocus.support.devices import share_among_cores

GRID = (6, 8)
OBJECTIVE = "paper_objective"
# Rooms behind the figures.
CODE = ("paper.objective", "paper.optimise", "solver", "captures", "evaluation.metrics")

# Scores whose time is told: the comparison, and the steps on the way.
STEPS = {
    "psnr": (">=", (18, 20, 22, 24, 26, 27, 28, 29, 30)),
    "aiwe1": ("<=", (0.20, 0.10, 0.07, 0.05, 0.04, 0.03, 0.02)),
}
NEAREST, FARTHEST = 0.1, 1.4  # defocus sizes in the synthetic capture
SEED = 2  # of the synthetic capture, as in lesson 4
SCORED_EVERY = 20  # iterations


# --- the objective ---------------------------------------------------------------------------------


def example(height: int, width: int, layers: int, kernel: int) -> tuple[tuple, Scene, Tiling]:
    """Logits, scene and tiling of the published size; what is in the pictures does not change the cost."""
    settings = HAND_SETTINGS["001"]
    views_key, kernels_key, noise_key = jax.random.split(jax.random.key(0), 3)
    observed = jax.random.uniform(views_key, (2, height, width))
    kernels = jax.random.uniform(kernels_key, (layers, *GRID, 2, kernel, kernel))
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
    back 2, one there and back after another, which stays in the cache best.
    """
    mesh = devices(layers, tiling)
    share = tiling.tiles // mesh.size
    group = min(group_size(tiling), share)
    count = turns * 5 * layers * share // group

    def there_and_back(_, images):
        return jnp.fft.ifft2(jnp.fft.fft2(images))

    def of_device():
        images = jnp.ones((group, tiling.window_height, tiling.window_width), jnp.complex64)
        return jax.lax.fori_loop(0, count, there_and_back, jax.lax.optimization_barrier(images))

    return jax.jit(
        jax.shard_map(of_device, mesh=mesh, in_specs=(), out_specs=PartitionSpec(SHARES), check_vma=False)
    )


def seconds(run: Callable, *arguments) -> tuple[float, float]:
    """Wall and processor time of one run."""
    began = time.perf_counter(), time.process_time()
    jax.block_until_ready(run(*arguments))
    return time.perf_counter() - began[0], time.process_time() - began[1]


def objective_cost(
    height: int, width: int, layers: int, kernel: int, turns: int, repeats: int
) -> dict[str, float]:
    """What is told of ``paper_objective``."""
    logits, scene, tiling = example(height, width, layers, kernel)
    objective, ffts = objective_loop(turns, tiling), fft_loop(turns, layers, tiling)
    logits = objective(logits, scene)
    seconds(objective, logits, scene), seconds(ffts)
    rounds = [(seconds(objective, logits, scene), seconds(ffts)) for _ in range(repeats)]
    (wall, cpu), (fft_wall, fft_cpu) = np.min(rounds, axis=0) / turns
    return {
        "fft_ratio": wall / fft_wall,
        "cpu_ratio": cpu / fft_cpu,
        "seconds_per_iteration": wall,
        "fft_seconds": fft_wall,
        "peak_memory_gb": support.peak() / 1e9,
        "devices": devices(layers, tiling).size,
    }


# --- time to scores --------------------------------------------------------------------------------


def until(history: list[tuple[float, dict]]) -> dict[str, float | None]:
    """When each step of ``STEPS`` was first reached, of (seconds, scores) in the order of time."""
    times = {}
    for score, (comparison, steps) in STEPS.items():
        sign = 1 if comparison == ">=" else -1
        for step in steps:
            reached = (when for when, scores in history if sign * scores[score] >= sign * step)
            times[f"{score} {comparison} {step}"] = next(reached, None)
    return times


def preset_history(opened: Opened, preset: str) -> list[tuple[float, dict]]:
    """The one result of a preset that solves at once: (seconds, scores)."""
    result = solve(opened.capture, opened.calibration, preset)
    return [(result.seconds, evaluation.score(result.all_in_focus, result.defocus_map, opened.truth))]


def paper_history(opened: Opened, iterations: int) -> list[tuple[float, dict]]:
    """(seconds, scores) on the way of the published optimisation, of its layers as they are."""
    settings = replace(PRESETS["paper"], nearest=NEAREST, farthest=FARTHEST, iterations=iterations)
    settings = settings.for_frame(opened.capture.views.shape[1])
    history, began = [], time.perf_counter()

    def watch(intensities, alphas, _):
        nonlocal began
        elapsed = time.perf_counter() - began
        sharp, defocus = optics.all_in_focus(intensities, alphas), optics.defocus_map(alphas, settings.scales)
        history.append((elapsed, evaluation.score(np.asarray(sharp), np.asarray(defocus), opened.truth)))
        began = time.perf_counter() - elapsed

    capture, kernels = opened.capture, opened.calibration.kernels
    fit_published(capture.views, kernels, settings.scales, settings, None, SCORED_EVERY, watch)
    return history


def time_to_scores(preset: str, data: str, scene: str, iterations: int) -> dict:
    """What is told of a preset in ``time_to_scores``."""
    opened = open_capture(data_dir=data, scene=scene, seed=SEED)
    if isinstance(PRESETS[preset], PublishedSettings):
        history = paper_history(opened, iterations)
    else:
        history = preset_history(opened, preset)
    took, scores = history[-1]
    shown = {name: scores[name] for name in ("psnr", "ssim", "mae", "aiwe1", "aiwe2", "spearman")}
    return {"seconds": took, "scores": shown, "until": until(history)}


# --- the parts, each in a process of its own -------------------------------------------------------


def part(name: str, options: argparse.Namespace) -> dict:
    """One part of the record, computed in this process."""
    if name == OBJECTIVE:
        share_among_cores()
        sizes = options.height, options.width, options.layers, options.kernel
        return objective_cost(*sizes, options.turns, options.repeats)
    return time_to_scores(name, options.data, options.scene, options.iterations)


def apart(name: str) -> dict:
    """One part of the record, computed in a process of its own with the options of this one."""
    command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=1008)
    parser.add_argument("--width", type=int, default=1344)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--kernel", type=int, default=61, help="pixels of a kernel's side")
    parser.add_argument("--turns", type=int, default=5, help="evaluations in one compiled loop")
    parser.add_argument("--repeats", type=int, default=8, help="how often each loop is timed")
    parser.add_argument("--data", default="", help="folder of the Pixel 4 set; without it, synthetic")
    parser.add_argument("--scene", default=SYNTHETIC, help="a scene's number in that folder")
    parser.add_argument("--iterations", type=int, default=400, help="of paper, for the time to scores")
    parser.add_argument("--presets", nargs="*", default=list(PRESETS), choices=list(PRESETS))
    parser.add_argument("--out", type=Path, help="where the JSON record goes")
    parser.add_argument("--only", choices=[OBJECTIVE, *PRESETS], help="print one part and nothing else")
    options = parser.parse_args()
    if options.only:
        print(json.dumps(part(options.only, options)))
        return
    presets = [
        name
        for name in options.presets
        if options.scene == SYNTHETIC or not isinstance(PRESETS[name], PublishedSettings)
    ]
    record = {
        "versions": current_versions(),
        "code": records.code_of(*CODE),
        "machine": records.machine(),
        OBJECTIVE: apart(OBJECTIVE),
        "time_to_scores": {"capture": options.scene} | {name: apart(name) for name in presets},
    }
    print(json.dumps(record, indent=1))
    if options.out:
        records.save(options.out, record)


if __name__ == "__main__":
    main()
