"""The published optimisation to its end: losses and scores over the iterations, cold and warm start.

    python benchmarks/converged.py --data FOLDER --work FOLDER --out benchmarks/converged.json
    python benchmarks/converged.py --out benchmarks/converged.json

Each Pixel 4 scene is cut to 3 x 4 cells of the kernels' grid in its middle (rows 1-3 and columns 2-5, counted
from 0), and fitted by the published objective with the scene's hand settings, at full resolution. The cold
start is the published one, with the published schedule of 10,000 iterations; it ends when it is flat: when
the mean loss of the last `WINDOW` iterations is less than `FLAT` of it below that of the `WINDOW` before.
The warm start is the default preset's answer, solved with the kernels as they are, and cut. Beside them stand
the photograph and the default preset, cut to the same cells.

The states of both runs are kept in the `--work` folder, and the record is renewed at every checkpoint, so
that the same command goes on where it was stopped. `--whole 003` runs all 10,000 iterations of that scene.
The second command measures nothing, and prints the first iteration at which each start was within `NEAR` of
the loss that the cold one ended at.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import records

from dpdefocus import baselines, data, evaluation, fast, optics, paper
from dpdefocus.data.result import current_versions
from dpdefocus.solver import PRESETS, solve
from dpdefocus.support.devices import share_among_cores
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import writable_folder

ROWS, COLS = slice(1, 4), slice(2, 6)  # cells of the kernels' grid that are fitted
WINDOW, FLAT = 250, 0.005
WARM = {"iterations": 200, "first_rate": 0.1, "last_rate": 0.03}
NEAR = 0.01  # a run has arrived when its loss is so little above the last one of the cold start
CODE = ("solver", "evaluation.metrics")
KEYS = ("psnr", "ssim", "mae", "aiwe1", "aiwe2", "spearman", "spearman_ordinal")


class Start(NamedTuple):
    """How one start is run: its settings, the iterations between checkpoints, which are scored, and whether
    it starts from the default preset's answer.
    """

    settings: paper.PublishedSettings
    every: int
    warm: bool


def starts_of(scene: str) -> dict[str, Start]:
    """The cold and the warm start of a scene, by its hand settings."""
    settings = paper.HAND_SETTINGS[scene]
    return {
        "cold": Start(settings, 100, warm=False),
        "warm": Start(replace(settings, **WARM), 20, warm=True),
    }


class Crop(NamedTuple):
    """The cells of a scene that are fitted, their truth, and the answers that are cut to them."""

    views: np.ndarray
    kernels: np.ndarray
    truth: data.GroundTruth
    fast: baselines.Estimate
    start: tuple[np.ndarray, np.ndarray]
    gain: float


def crop_of(folder: str, scene: str, settings: paper.PublishedSettings) -> Crop:
    """Cells of a scene, and the default preset's answers cut to them: with centred kernels to be scored, and
    with the kernels as they are to start from.
    """
    capture, calibration = data.load_pixel4(folder, scene)
    tiling = optics.tiling_of(*capture.views.shape[1:], calibration.kernels)
    height, width = tiling.tile_height, tiling.tile_width
    y = slice(ROWS.start * height, ROWS.stop * height)
    x = slice(COLS.start * width, COLS.stop * width)
    result = solve(capture, calibration)
    kept = fast.Steps(centre_kernels=lambda kernels: kernels)
    answer, _ = fast.solve_fast(capture, calibration, PRESETS["fast"], kept)
    weights = fast.layer_weights(answer["defocus_map"][y, x], settings.scales)
    sharp = np.broadcast_to(np.asarray(answer["all_in_focus"])[None, y, x], weights.shape)
    truth = data.load_ground_truth(folder, scene)
    return Crop(
        views=capture.views[:, y, x],
        kernels=calibration.kernels[ROWS, COLS],
        truth=data.GroundTruth(*(each[y, x] for each in truth)),
        fast=baselines.Estimate(result.all_in_focus[y, x], result.defocus_map[y, x]),
        start=(sharp, np.asarray(fast.alphas_of(weights))),
        gain=data.MIDDLE_GREY / float(capture.views[:, y, x].mean()),
    )


def scores(sharp: np.ndarray, defocus: np.ndarray | None, truth: data.GroundTruth) -> dict[str, float]:
    scored = evaluation.scores(baselines.Estimate(np.asarray(sharp), defocus), truth)
    return {key: scored[key] for key in KEYS if key in scored}


def fit(
    crop: Crop,
    start: Start,
    checkpoint: Path,
    run: dict[str, Any],
    save: Callable[[], None],
    whole: bool = False,
) -> None:
    """Losses and scores of the cold or the warm start, into `run`, which is saved at every checkpoint.

    Kept are the total loss of every iteration, and at checkpoints the terms and the scores: of the image with
    the published finish, and of the map. Seconds include scoring, and compilation each time that it goes on.
    """
    if not checkpoint.exists():
        run.clear()
    (settings, every, warm), began, before = start, time.perf_counter(), run.get("seconds", 0.0)

    def watch(intensities, alphas, terms):
        sharp = paper.bilateral_filter(optics.all_in_focus(intensities, alphas), crop.gain)
        defocus = np.asarray(optics.defocus_map(alphas, settings.scales))
        run.setdefault("scores", {})[str(len(terms))] = scores(jnp.clip(sharp, 0, 1), defocus, crop.truth)
        run["terms"] = {str(n): terms[n].astype(float).round(3).tolist() for n in range(0, len(terms), every)}
        run["totals"] = terms.sum(1).astype(float).round(2).tolist()
        run["seconds"] = before + time.perf_counter() - began
        flat = not warm and not whole and is_flat(terms.sum(1))
        run["ended"] = flat or len(terms) == settings.iterations
        save()
        return run["ended"]

    layers = crop.start if warm else None
    intensities, alphas, history = paper.fit_published(
        crop.views, crop.kernels, settings.scales, settings, checkpoint, every, watch, layers
    )
    if history.diverged_at is not None:
        run |= {"diverged_at": history.diverged_at, "ended": True}
    elif len(history.terms) != len(run.get("totals", ())):
        watch(intensities, alphas, history.terms)  # a state whose scores were not saved when it was
    save()


def is_flat(totals: np.ndarray) -> bool:
    """Whether the mean of the last `WINDOW` losses is hardly below that of the `WINDOW` before them."""
    if len(totals) < 2 * WINDOW:
        return False
    before, last = totals[-2 * WINDOW : -WINDOW].mean(), totals[-WINDOW:].mean()
    return bool(last > (1 - FLAT) * before)


def arrivals(run: dict[str, Any]) -> dict[str, int | None]:
    """The first iteration of each start that is near the loss at which the cold one ends."""
    level = (1 + NEAR) * np.mean(run["cold"]["totals"][-WINDOW:])
    near = {name: np.array(run[name]["totals"]) <= level for name in ("cold", "warm")}
    return {name: int(np.argmax(each)) if each.any() else None for name, each in near.items()}


def measure(
    folder: str, scene: str, work: Path, runs: dict[str, Any], save: Callable[[], None], whole: bool
) -> None:
    """Both starts of one scene, and what they are compared with, into `runs`."""
    starts = starts_of(scene)
    cold = starts["cold"].settings
    made = {
        "settings": {name: asdict(start.settings) for name, start in starts.items()}
        | {"fast": asdict(PRESETS["fast"])},
        "cells": str((ROWS, COLS)),
        "flat": [WINDOW, FLAT],
        "versions": current_versions(),
    }
    made = json.loads(json.dumps(made))
    run = runs.setdefault(scene, {})
    if run.get("made") != made:
        run.clear()
        for name in starts:
            (work / f"{scene}_{name}.npz").unlink(missing_ok=True)
        run |= {"made": made, "code": records.code_of(*CODE), "machine": records.machine()}
    left = [name for name in starts if not run.get(name, {}).get("ended")]
    ran = run.get("cold", {})
    if whole and "diverged_at" not in ran and len(ran.get("totals", ())) < cold.iterations:
        left = ["cold", *left]
    if not left:
        return
    crop = crop_of(folder, scene, cold)
    run["photograph"] = scores(crop.views.mean(0), None, crop.truth)
    run["fast"] = scores(crop.fast.all_in_focus, crop.fast.defocus_map, crop.truth)
    for name in dict.fromkeys(left):
        state = work / f"{scene}_{name}.npz"
        fit(crop, starts[name], state, run.setdefault(name, {}), save, whole)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", help="folder of the Pixel 4 set; without it, the record is shown")
    parser.add_argument("--work", type=Path, help="folder for the states of runs that are not at their end")
    parser.add_argument("--out", type=Path, required=True, help="the record")
    parser.add_argument("--scenes", nargs="+", help="all that are in the folder if none are named")
    parser.add_argument("--whole", nargs="+", default=[], help="scenes that run all iterations")
    given = parser.parse_args(arguments)
    record = records.load(given.out, {"runs": {}})
    if given.data:
        work = writable_folder(given.work or given.out.parent, "--work")
        scenes = given.scenes or data.list_scenes(given.data)
        if not set(given.whole) <= set(scenes):
            raise InputError(f"--whole: found {given.whole}, expected some of the scenes {scenes}")
        for scene in scenes:
            measure(
                given.data,
                scene,
                work,
                record["runs"],
                lambda: records.save(given.out, record),
                scene in given.whole,
            )
    warm = {scene: run for scene, run in record["runs"].items() if run.get("warm", {}).get("totals")}
    print(json.dumps({scene: arrivals(run) for scene, run in warm.items()}))


if __name__ == "__main__":
    share_among_cores()
    main()
