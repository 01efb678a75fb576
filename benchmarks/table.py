"""The comparison of the paper's Table 1, measured: the default preset and the classical methods.

    python benchmarks/table.py --data FOLDER --out benchmarks/table_pixel4.json
    python benchmarks/table.py --seeds 3 --out benchmarks/table_synthetic.json

    python benchmarks/table.py --out benchmarks/table_pixel4.json --page

The first is for the Pixel 4 scenes at hand, the second for simulated captures with exact truth; the third
measures nothing, and shows what is recorded. The record keeps the scores of each method on each scene with
versions, settings, code, machine and time, and is renewed after every one: the same command goes on where it
was stopped, and measures again what was made with other settings or versions, with `--renew` also what other
code made. A method that is not part of this project joins in by what it saved: ``--saved DPDNet=FOLDER``,
with the layout that `dpdefocus.evaluation.saved_outputs` states. With `--estimates` all sharp images and maps
are kept, in that layout too.

Printed is a Markdown table, which `--page` puts into docs/results.md, and a short one of the Pixel 4 scenes
into README.md, or into the pages that are named. Rows marked as quoted are the paper's, of all 17 scenes and
by its own metric code.
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
from dpdefocus.baselines import aggregation, methods, smoothing, stereo, symmetry, wiener
from dpdefocus.baselines.methods import BASELINES, Estimate
from dpdefocus.data.result import current_versions
from dpdefocus.evaluation.cases import Case
from dpdefocus.evaluation.published_table import SOURCE, TABLE_1, Quoted
from dpdefocus.evaluation.saved_outputs import load_saved, saved_scenes
from dpdefocus.fast.settings import FastSettings
from dpdefocus.solver import solve
from dpdefocus.support import parabola
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import replacing, writable_folder
from dpdefocus.support.progress_bar import progress

# Rooms behind the figures: methods, scores, captures.
CODE = ("baselines.methods", "solver", "evaluation.metrics", "evaluation.cases")
PIXEL4, SIMULATED, SUMMARY = "Pixel 4", "simulated", "summary"  # names of the tables
FAST, GUIDED = "fast", "fast_guided"
TITLES = {name: f"{each.title} ({each.citation})" for name, each in BASELINES.items()} | {
    "identity": BASELINES["identity"].title,
    FAST: "**preset `fast`**",
    GUIDED: "preset `fast`, guided filter (He et al. 2010)",
}
# The rooms whose constants are a method's settings, besides the sizes that all of them try.
ROOMS: dict[str, tuple[ModuleType, ...]] = {
    "identity": (),
    "wiener": (wiener, stereo, parabola),
    "symmetry": (symmetry, stereo, smoothing, parabola),
    "stereo": (stereo, smoothing, parabola),
    "cost_aggregation": (aggregation, stereo, parabola),
    FAST: (),
    GUIDED: (methods,),
}
# Measured method -> the row of the paper's table that stands below it.
QUOTED_AS = {name: name for name in BASELINES} | {GUIDED: "paper_guided", FAST: "paper"}
COLUMNS = {
    "PSNR (dB) ↑": ("psnr", "{:.2f}"),
    "SSIM ↑": ("ssim", "{:.3f}"),
    "MAE ↓": ("mae", "{:.4f}"),
    "AIWE(1) ↓": ("aiwe1", "{:.4f}"),
    "AIWE(2) ↓": ("aiwe2", "{:.4f}"),
    f"{records.AVERAGE_RANKS} ↓": ("spearman", "{:.4f}"),
    f"{records.ORDINAL_RANKS} ↓": ("spearman_ordinal", "{:.4f}"),
}


def synthetic_cases(seeds: int) -> Iterator[Case]:
    for kind in evaluation.KINDS:
        for seed in range(seeds):
            yield evaluation.synthetic(kind, seed, 252, 336, simulation.small_camera())


def settings_of(method: str) -> dict[str, Any]:
    """Every constant of a method, as JSON gives it back."""
    settings: dict[str, Any] = {"preset": asdict(FastSettings())}
    for room in ROOMS[method]:
        settings[room.__name__.partition(".")[2]] = {
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
    """The digest of the code behind all figures."""
    return records.code_of(*CODE)


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


def tables(record: dict) -> dict[str, str]:
    """Name -> Markdown of the tables of a record: the whole, and for the Pixel 4 scenes the short one."""
    whole = {record["scenes"]: table(record)}
    return whole | ({SUMMARY: summary(record)} if record["scenes"] == PIXEL4 else {})


def table(record: dict) -> str:
    """Markdown: a row of measured means for each method, below it the quoted one."""
    runs, quoted = record["runs"], TABLE_1 if record["scenes"] == PIXEL4 else {}
    names = [*BASELINES, *(name for name in runs if name not in TITLES), GUIDED, FAST]
    lines = _head(COLUMNS)
    shown = set()
    for name in names:
        if runs.get(name):
            lines.append(_measured(name, runs[name], COLUMNS))
        key = QUOTED_AS.get(name, name.lower())
        if key in quoted:
            shown.add(key)
            lines.append(_quoted(quoted[key], COLUMNS))
    lines += [_quoted(row, COLUMNS) for key, row in quoted.items() if key not in shown]
    all_runs = [run for method in runs.values() for run in method.values()]
    machines = sorted({run["machine"] for run in all_runs if "machine" in run})
    made = "; ".join([records.versions(all_runs), *machines])
    lines += ["", f"Measured: means over scenes, one setting for all of them; {made}."]
    if quoted:
        lines += [f"*Quoted*: {SOURCE}. The paper does not state the rule of its rank correlation."]
        lines += _warning(runs)
    return "\n".join(lines)


def summary(record: dict) -> str:
    """Markdown: the main methods and scores of a record of the Pixel 4 scenes."""
    keys, methods = ("psnr", "ssim", "aiwe1", "aiwe2"), ("identity", "wiener", FAST)
    columns = {title: column for title, column in COLUMNS.items() if column[0] in keys}
    runs, lines = record["runs"], _head(columns)
    lines += [_measured(name, runs[name], columns) for name in methods if runs.get(name)]
    lines += [_quoted(TABLE_1["paper"], columns), "", *_warning(runs)]
    return "\n".join(lines).rstrip()


def _warning(runs: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """How the paper's figures of classical methods compare with those measured here, in a sentence."""
    ratios = [
        TABLE_1[name].aiwe1 / means(runs[name])["aiwe1"]
        for name in BASELINES
        if runs.get(name) and name in TABLE_1
    ]
    if not ratios:
        return []
    return [
        f"The paper's AIWE(1) of the classical methods is {min(ratios):.1f} to {max(ratios):.1f} times that "
        "measured here: its versions of them were weaker, or were scored otherwise. Compare measured rows "
        "with measured rows only."
    ]


def _head(columns: Mapping[str, Any]) -> list[str]:
    return ["| method | figures | " + " | ".join(columns) + " |", "|---" * (len(columns) + 2) + "|"]


def _measured(name: str, runs: Mapping[str, Mapping[str, float]], columns: Mapping[str, Any]) -> str:
    scores = means(runs)
    cells = [text.format(scores[key]) if key in scores else "–" for key, text in columns.values()]
    title = TITLES.get(name, f"{name} (saved outputs)")
    return f"| {title} | measured, {len(runs)} scenes | " + " | ".join(cells) + " |"


def _quoted(row: Quoted, columns: Mapping[str, Any]) -> str:
    scores = row._asdict()
    cells = [f"*{scores[key]}*" if scores.get(key) is not None else "–" for key, _ in columns.values()]
    return f"| *{row.method} ({row.citation})* | *quoted, 17 scenes* | " + " | ".join(cells) + " |"


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
    parser.add_argument("--page", type=Path, nargs="*", help=records.PAGE_HELP)
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
    scenes = PIXEL4 if options.data else SIMULATED
    record = records.load(options.out, {"scenes": scenes, "runs": {}})
    if options.data or options.seeds:
        if record["scenes"] != scenes:
            raise InputError(
                f"{options.out} holds figures of {record['scenes']} scenes; expected {scenes} ones"
            )
    elif not options.out.is_file():
        raise InputError(f"{options.out} does not exist; expected a record, or --data or --seeds to make one")
    pages = records.pages_of(options.page, list(tables(record)))
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
    for page in pages:
        records.put_into(page, tables(record))


if __name__ == "__main__":
    main()
