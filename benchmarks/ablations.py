"""What each part of both methods is good for: ablations on synthetic captures, or on the Pixel 4 scenes.

    python benchmarks/ablations.py --out benchmarks/ablations.json --pictures out/ablations
    python benchmarks/ablations.py --out out/ablations_pixel4.json --data FOLDER --methods fast

Every method runs whole and with each part left out, on the same captures. The record keeps the scores of each
run with versions, settings, machine and time, and is renewed after every run: the same command goes on where
it was stopped, and solves again what was made with other settings or versions. Printed are the mean change
for the worse of every score and its standard deviation over the captures. With `--pictures` there is a picture
of each method's ablations on the first capture, as in the paper's Fig. 8.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from results import machine

from dpdefocus import ablations, data, plots_ablations
from dpdefocus.ablations import BETTER, FAST, FULL, PUBLISHED, Ablation, Case, solve_without
from dpdefocus.presets import PRESETS
from dpdefocus.progress import progress
from dpdefocus.published import HAND_SETTINGS
from dpdefocus.results import current_versions

METHODS = {"fast": FAST, "published": PUBLISHED}
# Synthetic captures are small, and so is the number of the published method's iterations and layers.
SIZES = {"fast": (144, 192), "published": (96, 128)}
LAYERS = 6


def synthetic_cases(method: str, seeds: int, kinds: list[str]) -> Iterator[Case]:
    """The captures of one method: each kind of scene with each seed; noisy ones for the published method."""
    gain = {"published": ablations.PUBLISHED_GAIN}.get(method)
    camera = ablations.tiny_camera(gain) if gain else ablations.tiny_camera()
    for kind in kinds:
        for seed in range(seeds):
            yield ablations.synthetic(kind, seed, *SIZES[method], camera)


def pixel4_cases(folder: str) -> Iterator[Case]:
    for scene in data.list_scenes(folder):
        yield Case(scene, *data.load_pixel4(folder, scene), data.load_ground_truth(folder, scene))


def settings_of(method: str, case: Case, real: bool, iterations: int):
    """The whole method's settings for a capture."""
    if method == "fast":
        return PRESETS["fast" if real else "classroom"]
    if real:
        return replace(HAND_SETTINGS[case.name], iterations=iterations)
    return ablations.small_settings(SIZES[method][0], LAYERS, iterations)


def made_with(settings, ablation: Ablation) -> dict:
    """What a run depends on, as JSON gives it back, where tuples are lists."""
    made = {"settings": asdict(settings), "changes": dict(ablation.changes), "skips": ablation.skips}
    return json.loads(json.dumps(made | {"versions": current_versions()}))


def table(record: dict, method: str) -> str:
    """Markdown: a row for the whole method's mean scores, and one for each part's effect."""
    runs = record["runs"][method]
    full = list(runs[FULL.name].values())
    lines = [
        f"| {method} without | " + " | ".join(BETTER) + " | worse in |",
        "|---" * (len(BETTER) + 2) + "|",
    ]
    means = [f"{np.mean([scores[name] for scores in full]):.3f}" for name in BETTER]
    lines.append("| *nothing: mean scores* | " + " | ".join(means) + " | |")
    for ablation in METHODS[method]:
        if ablation.name not in runs:
            continue
        same = [name for name in runs[FULL.name] if name in runs[ablation.name]]
        pairs = [[runs[which][name] for name in same] for which in (FULL.name, ablation.name)]
        effects = ablations.effects(*pairs)
        cells = []
        for name, effect in effects.items():
            text = f"{effect.worse:+.3f} ± {effect.spread:.3f}"
            cells.append(f"**{text}**" if name == ablation.hurts else text)
        share = effects[ablation.hurts].share
        lines.append(f"| {ablation.name} | " + " | ".join(cells) + f" | {share:.0%} |")
    return "\n".join(lines)


def load(path: Path) -> dict:
    return json.loads(path.read_text()) if path.exists() else {"runs": {}}


def save(path: Path, record: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(record, indent=1) + "\n")
    os.replace(temporary, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--out", type=Path, required=True, help="the JSON record; goes on from it if it exists"
    )
    parser.add_argument(
        "--data", help="folder of the Pixel 4 set, to use its scenes instead of synthetic ones"
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--kinds", nargs="+", default=list(ablations.KINDS), choices=list(ablations.KINDS))
    parser.add_argument("--seeds", type=int, default=3, help="synthetic captures of each kind")
    parser.add_argument("--iterations", type=int, default=600, help="of the published method")
    parser.add_argument("--only", nargs="+", help="names of ablations; all if not given")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each method")
    options = parser.parse_args()

    record = load(options.out)
    for method in options.methods:
        parts = [each for each in METHODS[method] if not options.only or each.name in options.only]
        runs = record["runs"].setdefault(method, {})
        real = options.data is not None
        cases = pixel4_cases(options.data) if real else synthetic_cases(method, options.seeds, options.kinds)
        for number, case in enumerate(cases):
            settings = settings_of(method, case, real, options.iterations)
            pictures = {}
            for ablation in progress([FULL, *parts], f"{method}, {case.name}"):
                scores = runs.setdefault(ablation.name, {}).get(case.name)
                made = made_with(settings, ablation)
                drawn = options.pictures is not None and number == 0
                if scores is None or scores["made"] != made or drawn:
                    began = time.perf_counter()
                    solved = pictures[ablation.name] = solve_without(ablation, case, settings)
                    seconds = time.perf_counter() - began
                    scores = ablations.scored(solved, case.truth, same_unit=not real)
                    runs[ablation.name][case.name] = scores | {"seconds": seconds, "made": made}
                    record["machine"] = machine()
                    save(options.out, record)
            if drawn:
                options.pictures.mkdir(parents=True, exist_ok=True)
                figure = plots_ablations.side_by_side(case.truth, pictures)
                figure.savefig(options.pictures / f"{method}.png", dpi=100)
        print(table(record, method), end="\n\n")


if __name__ == "__main__":
    main()
