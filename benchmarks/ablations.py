"""What each part of both methods is good for: ablations on synthetic captures, or on the Pixel 4 scenes.

    python benchmarks/ablations.py --out benchmarks/ablations.json --pictures out/ablations
    python benchmarks/ablations.py --out benchmarks/ablations_pixel4.json --data FOLDER --methods fast
    python benchmarks/ablations.py --page

Every method runs whole and with each part left out, on the same captures. The record keeps the scores of each
run with versions, settings, code, machine and time, and is renewed after every run: the same command goes on
where it was stopped, and solves again what was made with other settings or versions, with `--renew` also what
other code made. Printed are the mean change for the worse of every score and its standard deviation over the
captures. With `--pictures` there is a picture of each method's ablations on the first capture, as in the
paper's Fig. 8.

The third command solves nothing: it puts a table of both committed records into docs/results.md, or into the
pages that are named, each part with the score that it should hurt.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import records

from dpdefocus import evaluation, figures
from dpdefocus.data.result import current_versions
from dpdefocus.evaluation.ablations import (
    BETTER,
    FAST,
    FULL,
    PUBLISHED,
    Ablation,
    Effect,
    effects,
    solve_without,
)
from dpdefocus.evaluation.cases import Case
from dpdefocus.paper.settings import HAND_SETTINGS
from dpdefocus.solver import PRESETS
from dpdefocus.support.errors import InputError
from dpdefocus.support.progress_bar import progress

METHODS = {"fast": FAST, "published": PUBLISHED}
TITLES = {"fast": "of preset `fast`", "published": "of the published method"}
# Synthetic captures are small, and so is the number of the published method's iterations and layers.
SIZES = {"fast": (144, 192), "published": (96, 128)}
LAYERS, ITERATIONS = 6, 600
RECORDS = {
    "simulated": Path(__file__).with_name("ablations.json"),
    "Pixel 4": Path(__file__).with_name("ablations_pixel4.json"),
}
NAME = "ablations"  # of the table in docs/results.md
CODE = ("evaluation.ablations", "evaluation.cases")  # rooms behind the figures
# Score -> its name in that table, and how a change of it is printed.
SCORES = {
    "psnr": ("PSNR (dB)", "{:+.2f} ± {:.2f}"),
    "ssim": ("SSIM", "{:+.4f} ± {:.4f}"),
    "aiwe1": ("AIWE(1)", "{:+.4f} ± {:.4f}"),
    "spearman": (records.AVERAGE_RANKS, "{:+.4f} ± {:.4f}"),
    "size": ("mean size", "{:+.4f} ± {:.4f}"),
}


def synthetic_cases(method: str, seeds: int, kinds: list[str]) -> Iterator[Case]:
    """The captures of one method: each kind of scene with each seed; noisy ones for the published method."""
    gain = {"published": evaluation.PUBLISHED_GAIN}.get(method)
    camera = evaluation.tiny_camera(gain) if gain else evaluation.tiny_camera()
    for kind in kinds:
        for seed in range(seeds):
            yield evaluation.synthetic(kind, seed, *SIZES[method], camera)


def settings_of(method: str, name: str, real: bool, iterations: int):
    """The whole method's settings for the capture of this name."""
    if method == "fast":
        return PRESETS["fast" if real else "classroom"]
    if real:
        return replace(HAND_SETTINGS[name], iterations=iterations)
    return evaluation.small_settings(SIZES[method][0], LAYERS, iterations)


def made_with(settings, ablation: Ablation) -> dict:
    """What a run depends on, as JSON gives it back, where tuples are lists."""
    steps = {name: function.__name__ for name, function in ablation.steps}
    made = {"settings": asdict(settings), "changes": dict(ablation.changes), "steps": steps}
    return json.loads(json.dumps(made | {"versions": current_versions()}))


def measured(runs: dict, ablation: Ablation) -> dict[str, Effect] | None:
    """Effects of an ablation over the captures that were also solved with nothing left out; None: on none."""
    whole, without = runs.get(FULL.name, {}), runs.get(ablation.name, {})
    pairs = [(whole[name], without[name]) for name in whole if name in without]
    scores = [[{name: run[name] for name in BETTER} for run in runs] for runs in zip(*pairs, strict=True)]
    return effects(*scores) if pairs else None


def table(record: dict, method: str) -> str:
    """Markdown: a row for the whole method's mean scores, and one for each part's effect on all scores."""
    runs = record["runs"][method]
    full = list(runs[FULL.name].values())
    lines = [
        f"| {method} without | " + " | ".join(BETTER) + " | worse in |",
        "|---" * (len(BETTER) + 2) + "|",
    ]
    means = [f"{np.mean([scores[name] for scores in full]):.3f}" for name in BETTER]
    lines.append("| *nothing: mean scores* | " + " | ".join(means) + " | |")
    for ablation in METHODS[method]:
        found = measured(runs, ablation)
        if found is None:
            continue
        cells = []
        for name, effect in found.items():
            text = f"{effect.worse:+.3f} ± {effect.spread:.3f}"
            cells.append(f"**{text}**" if name == ablation.hurts else text)
        lines.append(f"| {ablation.name} | " + " | ".join(cells) + f" | {found[ablation.hurts].share:.0%} |")
    return "\n".join(lines)


def recorded() -> dict[str, dict]:
    """The committed records that there are, by name."""
    return {name: records.load(path, {}) for name, path in RECORDS.items() if path.is_file()}


def page_table(record_of: dict[str, dict]) -> str:
    """Markdown: a row for each part of both methods, two columns for each record (its name -> itself).

    They hold the effect on the score that leaving the part out should hurt, and the share of captures on
    which it does.
    """
    titles = "".join(f" {name}: worse by | worse on |" for name in record_of)
    lines = ["| left out | should hurt |" + titles, "|---|---|" + "---|---|" * len(record_of)]
    for method, parts in METHODS.items():
        counts = [len(record["runs"].get(method, {}).get(FULL.name, {})) for record in record_of.values()]
        kept = "".join(f" captures: {count} | |" if count else " not solved | |" for count in counts)
        lines.append(f"| ***{TITLES[method]}*** | |" + kept)
        for part in parts:
            title, form = SCORES[part.hurts]
            cells = ""
            for record in record_of.values():
                found = measured(record["runs"].get(method, {}), part)
                effect = found[part.hurts] if found else None
                cells += f" {form.format(*effect[:2])} | {effect.share:.0%} |" if found else " – | – |"
            lines.append(f"| {part.name} | {title} |" + cells)
    all_runs = [
        run
        for record in record_of.values()
        for runs in record["runs"].values()
        for captures in runs.values()
        for run in captures.values()
    ]
    machines = sorted({record["machine"] for record in record_of.values()})
    lines += [
        "",
        f"Means ± standard deviations over captures; {'; '.join([records.versions(all_runs), *machines])}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="the JSON record; goes on from it if it exists")
    parser.add_argument(
        "--data", help="folder of the Pixel 4 set, to use its scenes instead of synthetic ones"
    )
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--kinds", nargs="+", default=list(evaluation.KINDS), choices=list(evaluation.KINDS))
    parser.add_argument("--seeds", type=int, default=3, help="synthetic captures of each kind")
    parser.add_argument("--iterations", type=int, default=ITERATIONS, help="of the published method")
    parser.add_argument("--only", nargs="+", help="names of ablations; all if not given")
    parser.add_argument("--renew", action="store_true", help="solve again what other code made")
    parser.add_argument("--pictures", type=Path, help="folder for a picture of each method")
    parser.add_argument("--page", type=Path, nargs="*", help=records.PAGE_HELP)
    options = parser.parse_args()
    if not options.out and options.page is None:
        parser.error("expected --out, the record to make, or --page, to show the records that there are")
    try:
        pages = records.pages_of(options.page, [NAME])
        if options.out:
            solve_all(options)
        for page in pages:
            shown = page_table(recorded())
            records.put_into(page, {NAME: shown})
            print(shown)
    except InputError as error:
        parser.error(str(error))


def solve_all(options: argparse.Namespace) -> None:
    """Solve what is asked for and not there yet, and print each method's table."""
    record, code = records.load(options.out, {"runs": {}}), records.code_of(*CODE)
    for method in options.methods:
        parts = [each for each in METHODS[method] if not options.only or each.name in options.only]
        runs = record["runs"].setdefault(method, {})
        real = options.data is not None
        cases = (
            evaluation.pixel4_cases(options.data)
            if real
            else synthetic_cases(method, options.seeds, options.kinds)
        )
        for number, case in enumerate(cases):
            settings = settings_of(method, case.name, real, options.iterations)
            pictures = {}
            for ablation in progress([FULL, *parts], f"{method}, {case.name}"):
                there = runs.setdefault(ablation.name, {}).get(case.name)
                made = made_with(settings, ablation)
                drawn = options.pictures is not None and number == 0
                if drawn or not records.up_to_date(there, made, code, options.renew):
                    began = time.perf_counter()
                    solved = pictures[ablation.name] = solve_without(ablation, case, settings)
                    seconds = time.perf_counter() - began
                    scores = evaluation.scored(solved, case.truth, same_unit=not real)
                    runs[ablation.name][case.name] = scores | {"seconds": seconds, "made": made, "code": code}
                    record["machine"] = records.machine()
                    records.save(options.out, record)
            if drawn:
                options.pictures.mkdir(parents=True, exist_ok=True)
                figure = figures.side_by_side(case.truth, pictures)
                figure.savefig(options.pictures / f"{method}.png", dpi=100)
        print(table(record, method), end="\n\n")


if __name__ == "__main__":
    main()
