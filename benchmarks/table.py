"""The comparison of the paper's Table 1, measured: the default preset and the classical methods.

    python benchmarks/table.py --data FOLDER --out benchmarks/table_pixel4.json
    python benchmarks/table.py --seeds 3 --out benchmarks/table_synthetic.json

    python benchmarks/table.py --out benchmarks/table_pixel4.json --readme README.md

The first is for the Pixel 4 scenes at hand, the second for simulated captures with exact truth; the third
measures nothing, and shows what is recorded. The record keeps the scores of each method on each scene with
versions, settings, code, machine and time, and is renewed after every one: the same command goes on where it
was stopped, and measures again what was made with other settings or versions, with `--renew` also what other
code made. A method that is not part of this project joins in by what it saved: ``--saved DPDNet=FOLDER``,
with the layout that `dpdefocus.saved_outputs` states. With `--estimates` all sharp images and maps are kept,
in that layout too.

Printed is a Markdown table, which `--readme` puts into that file. Rows marked as quoted are the paper's, of
all 17 scenes and by its own metric code.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import records

from dpdefocus import baselines, evaluation, simulation
from dpdefocus.baselines import aggregation as cost_aggregation_room
from dpdefocus.baselines import methods as baselines_room
from dpdefocus.baselines import smoothing as edge_aware_room
from dpdefocus.baselines import stereo as stereo_room
from dpdefocus.baselines import symmetry as symmetry_room
from dpdefocus.baselines import wiener as wiener_selection_room
from dpdefocus.baselines.methods import BASELINES, Estimate
from dpdefocus.data.result import current_versions
from dpdefocus.evaluation.cases import Case
from dpdefocus.evaluation.published_table import SOURCE, TABLE_1
from dpdefocus.evaluation.saved_outputs import load_saved, saved_scenes
from dpdefocus.fast import wiener as wiener_room
from dpdefocus.fast.settings import FastSettings
from dpdefocus.solver import solve
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder
from dpdefocus.support.progress_bar import progress

FAST, GUIDED = "fast", "fast_guided"
TITLES = {name: f"{each.title} ({each.citation})" for name, each in BASELINES.items()} | {
    "identity": BASELINES["identity"].title,
    FAST: "**preset `fast`**",
    GUIDED: "preset `fast`, guided filter (He et al. 2010)",
}
# The rooms whose constants are a method's settings, besides the sizes that all of them try.
ROOMS: dict[str, tuple[ModuleType, ...]] = {
    "identity": (),
    "wiener": (wiener_selection_room, wiener_room, stereo_room),
    "symmetry": (symmetry_room, stereo_room, edge_aware_room),
    "stereo": (stereo_room, edge_aware_room),
    "cost_aggregation": (cost_aggregation_room, stereo_room),
    FAST: (),
    GUIDED: (baselines_room,),
}
COLUMNS = {
    "PSNR (dB) ↑": ("psnr", "{:.2f}"),
    "SSIM ↑": ("ssim", "{:.3f}"),
    "MAE ↓": ("mae", "{:.4f}"),
    "AIWE(1) ↓": ("aiwe1", "{:.4f}"),
    "AIWE(2) ↓": ("aiwe2", "{:.4f}"),
    "1−\\|ρ_s\\| ↓": ("spearman", "{:.4f}"),
    "1−\\|ρ_s\\| (ordinal) ↓": ("spearman_ordinal", "{:.4f}"),
}


def synthetic_cases(seeds: int) -> Iterator[Case]:
    for kind in evaluation.KINDS:
        for seed in range(seeds):
            yield evaluation.synthetic(kind, seed, 252, 336, simulation.small_camera())


def settings_of(method: str) -> dict[str, Any]:
    """Every constant of a method, as JSON gives it back."""
    settings: dict[str, Any] = {"preset": asdict(FastSettings())}
    for room in ROOMS[method]:
        name = room.__name__.rpartition(".")[2]
        settings[name] = {
            key: value
            for key, value in vars(room).items()
            if key.isupper() and isinstance(value, (int, float, tuple))
        }
    return json.loads(json.dumps(settings))


def estimators(case: Case) -> dict[str, Callable[[], Estimate]]:
    """Each method as a function of nothing, for this capture; the preset is solved once."""
    solved: list[Estimate] = []

    def fast() -> Estimate:
        if not solved:
            result = solve(case.capture, case.calibration, FAST)
            solved.append(Estimate(result.all_in_focus, result.defocus_map))
        return solved[0]

    own = {FAST: fast, GUIDED: lambda: baselines.guided(fast(), case.capture)}
    return own | {
        name: lambda method=method: method.estimate(case.capture, case.calibration)
        for name, method in BASELINES.items()
    }


def measure(
    case: Case, methods: list[str], runs: dict, keep: Path | None = None, renew: bool = False
) -> Iterator[None]:
    """Scores of the methods on one capture, into `runs`; yields after each that was not there yet."""
    run, code = estimators(case), code_of_methods()
    for method in progress(methods, case.name):
        made = {"settings": settings_of(method), "versions": current_versions()}
        there = runs.setdefault(method, {}).get(case.name)
        if records.up_to_date(there, made, code, renew) and (not keep or kept(keep, method, case, made)):
            continue
        began = time.perf_counter()
        estimate = run[method]()
        seconds = time.perf_counter() - began
        scores = evaluation.scores(estimate, case.truth)
        if keep:
            with replacing(writable_folder(keep / method, "--estimates"), f"{case.name}.npz") as (path,):
                images = {name: image for name, image in estimate._asdict().items() if image is not None}
                np.savez(path, **images, made=json.dumps(made))
        cost = {"seconds": seconds, "machine": records.machine()}
        runs[method][case.name] = scores | cost | {"made": made, "code": code}
        yield


def code_of_methods() -> str:
    """The digest of the code behind all figures: methods, scores, and the simulated captures."""
    return records.code_of("baselines", "solve", "metrics", "ablations")


def kept(folder: Path, method: str, case: Case, made: Mapping[str, Any]) -> bool:
    """Whether the images of a method are there as it would make them."""
    path = folder / method / f"{case.name}.npz"
    if not path.is_file():
        return False
    with np.load(path) as stored:
        return "made" in stored and json.loads(str(stored["made"])) == made


def saved_methods(given: list[str]) -> dict[str, str]:
    """Name -> folder of other methods' outputs, of texts such as ``NAME=FOLDER``.

    Raises:
        InputError: a text of another form, a name that is taken, or a folder without outputs.
    """
    folders = {}
    for text in given:
        name, _, folder = text.partition("=")
        if not name or not folder:
            raise InputError(f"--saved: found {text!r}, expected NAME=FOLDER")
        if name in TITLES or name in folders:
            raise InputError(
                f"--saved: the name {name!r} is taken; expected another than {', '.join(TITLES)}"
            )
        saved_scenes(folder)
        folders[name] = folder
    return folders


def measure_saved(case: Case, saved: Mapping[str, str], runs: dict) -> None:
    """Scores of what other methods saved of this capture, if they did."""
    for name, folder in saved.items():
        if case.name in saved_scenes(folder):
            estimate = load_saved(folder, case.name, case.truth.mask.shape)
            scores = evaluation.scores(estimate, case.truth)
            runs.setdefault(name, {})[case.name] = scores | {"made": {"saved outputs": name}}


def means(runs: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Plain means over scenes of each score that all of them have."""
    keys = set.intersection(*(set(scores) for scores in runs.values()))
    return {
        key: float(np.mean([scores[key] for scores in runs.values()]))
        for key, _ in COLUMNS.values()
        if key in keys
    }


def table(record: dict) -> str:
    """Markdown: a row of measured means for each method, below it the quoted one."""
    runs, quoted = record["runs"], TABLE_1 if record["scenes"] == "Pixel 4" else {}
    pairs = {GUIDED: "paper_guided", FAST: "paper"} | {name: name for name in BASELINES}
    names = [*BASELINES, *(name for name in runs if name not in TITLES), GUIDED, FAST]
    lines = ["| method | figures | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 2) + "|"]
    shown = set()
    for name in names:
        if runs.get(name):
            lines.append(
                _row(
                    TITLES.get(name, f"{name} (saved outputs)"),
                    f"measured, {len(runs[name])} scenes",
                    means(runs[name]),
                )
            )
        key = pairs.get(name, name.lower())
        if key in quoted:
            shown.add(key)
            lines.append(_quoted(quoted[key]))
    lines += [_quoted(row) for key, row in quoted.items() if key not in shown]
    all_runs = [run for method in runs.values() for run in method.values()]
    machines = sorted({run["machine"] for run in all_runs if "machine" in run})
    made = "; ".join([records.versions(all_runs), *machines])
    lines += ["", f"Measured: means over scenes, one setting for all of them; {made}."]
    if quoted:
        lines.append(f"*Quoted*: {SOURCE}.")
    return "\n".join(lines)


def _row(title: str, kind: str, scores: Mapping[str, float]) -> str:
    cells = [text.format(scores[key]) if key in scores else "–" for key, text in COLUMNS.values()]
    return f"| {title} | {kind} | " + " | ".join(cells) + " |"


def _quoted(row) -> str:
    scores = row._asdict()
    cells = [f"*{scores[key]}*" if scores.get(key) is not None else "–" for key, _ in COLUMNS.values()]
    return f"| *{row.method} ({row.citation})* | *quoted* | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--data", help="folder of the Pixel 4 set")
    which.add_argument("--seeds", type=int, help="simulated captures of each kind of scene")
    parser.add_argument(
        "--out", type=Path, required=True, help="the JSON record; goes on from it if it exists"
    )
    parser.add_argument("--scenes", nargs="+", help="of the Pixel 4 set; all that are there if not given")
    parser.add_argument("--methods", nargs="+", default=list(TITLES), choices=list(TITLES))
    parser.add_argument(
        "--saved", nargs="+", default=[], metavar="NAME=FOLDER", help="other methods' outputs"
    )
    parser.add_argument("--estimates", type=Path, help="folder to keep all images and maps in")
    parser.add_argument("--renew", action="store_true", help="measure again what other code made")
    parser.add_argument("--readme", type=Path, help="the file to put the table into")
    options = parser.parse_args()
    try:
        measured(options)
    except InputError as error:
        parser.error(str(error))


def measured(options: argparse.Namespace) -> None:
    """Measure what is asked for and not there yet, and show the table.

    Raises:
        InputError: what is given cannot be used; found before work starts.
    """
    saved = saved_methods(options.saved)
    scenes = "Pixel 4" if options.data else "simulated"
    record = records.load(options.out, {"scenes": scenes, "runs": {}})
    if options.data or options.seeds:
        if record["scenes"] != scenes:
            raise InputError(
                f"{options.out} holds figures of {record['scenes']} scenes; expected {scenes} ones"
            )
    elif not options.out.is_file():
        raise InputError(f"{options.out} does not exist; expected a record, or --data or --seeds to make one")
    if options.readme:
        records.table_in(options.readme.read_text(), record["scenes"])
    cases = ()
    if options.data:
        cases = evaluation.pixel4_cases(options.data, options.scenes or ())
    elif options.seeds:
        cases = synthetic_cases(options.seeds)
    for case in cases:
        for _ in measure(case, options.methods, record["runs"], options.estimates, options.renew):
            records.save(options.out, record)
        measure_saved(case, saved, record["runs"])
        records.save(options.out, record)
    print(table(record))
    if options.readme:
        records.put_into(options.readme, record["scenes"], table(record))


if __name__ == "__main__":
    main()
