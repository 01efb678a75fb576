"""Scores of a preset on the Pixel 4 scenes at hand, by the protocol of `dpdefocus.evaluation.metrics`.

    python benchmarks/results.py FOLDER --out benchmarks/results_fast.json --page
    python benchmarks/results.py --out benchmarks/results_fast.json --page

Each scene runs in a process of its own, one after the other, so that seconds (the solver's wall time) include
compilation, and the peak of resident memory is that scene's, from the start of Python until the scene is
solved; both leave out scoring. Besides the JSON record, which says with what and on what it was made, a
Markdown table is printed, and with `--page` put into docs/results.md, or into the pages that are named. The
second command measures nothing, and shows what is recorded.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import records

from dpdefocus import data, evaluation, support
from dpdefocus.data.result import current_versions
from dpdefocus.solver import PRESETS, solve
from dpdefocus.support.errors import InputError

# Column of the table -> key of a score, and how it is printed.
COLUMNS = {
    "PSNR (dB)": ("psnr", "{:.2f}"),
    "SSIM": ("ssim", "{:.3f}"),
    "MAE": ("mae", "{:.4f}"),
    "AIWE(1)": ("aiwe1", "{:.4f}"),
    "AIWE(2)": ("aiwe2", "{:.4f}"),
    records.AVERAGE_RANKS: ("spearman", "{:.4f}"),
    records.ORDINAL_RANKS: ("spearman_ordinal", "{:.4f}"),
    "confident half": ("confident_half", "{:.2f}"),
    "seconds": ("seconds", "{:.0f}"),
    "peak memory (GB)": ("peak_memory_gb", "{:.1f}"),
}
NAME = "results"  # of the table in docs/results.md
CODE = ("solver", "evaluation.metrics")  # rooms behind the figures


def scene_scores(folder: str, scene: str, preset: str) -> dict:
    """Scores of one scene, of the blurred photograph that it starts from too, and what it cost."""
    capture, calibration = data.load_pixel4(folder, scene)
    result = solve(capture, calibration, preset)
    peak = support.peak() / 1e9
    truth = data.load_ground_truth(folder, scene)
    return {
        **evaluation.score(result.all_in_focus, result.defocus_map, truth),
        "confident_half": confident_half(result, truth),
        "seconds": result.seconds,
        "peak_memory_gb": peak,
        "photograph": evaluation.image_scores(capture.views.mean(0), truth.all_in_focus),
        "settings": result.settings,
    }


def confident_half(result, truth: data.GroundTruth) -> float:
    """Mean error of the map over the more confident half of the known pixels, over that of the other half."""
    prediction, known = (np.float64(image[truth.mask]) for image in (result.defocus_map, truth.defocus_map))
    confidence = result.confidence[truth.mask]
    slope, offset = np.polyfit(prediction, known, 1)
    error = np.abs(slope * prediction + offset - known)
    order = np.argsort(confidence, kind="stable")
    lower, upper = np.array_split(order, 2)
    return float(error[upper].mean() / error[lower].mean())


def run(folder: str, scenes: list[str], preset: str) -> dict:
    """The record: how it was made, and each scene's scores."""
    scored = {}
    for scene in scenes:
        print(f"scene {scene}", file=sys.stderr, flush=True)
        command = [sys.executable, __file__, folder, "--preset", preset, "--one", scene]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        scored[scene] = json.loads(done.stdout)
    settings = [scored[scene].pop("settings") for scene in scenes]
    return {
        "preset": preset,
        "settings": {name: value for name, value in settings[0].items() if name != "capture"},
        "versions": current_versions(),
        "code": records.code_of(*CODE),
        "machine": records.machine(),
        "scenes": scored,
    }


def table(record: dict) -> str:
    """The record as Markdown: a row for each scene, their mean, and that of the photographs themselves."""
    rows = dict(record["scenes"])
    rows["**mean**"] = {
        key: np.mean([scores[key] for scores in record["scenes"].values()]) for key, _ in COLUMNS.values()
    }
    photographs = [scores["photograph"] for scores in record["scenes"].values()]
    rows["blurred photograph, mean"] = {
        key: np.mean([scores[key] for scores in photographs]) for key in ("psnr", "ssim", "mae")
    }
    lines = ["| scene | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    for name, scores in rows.items():
        cells = [text.format(scores[key]) if key in scores else "" for key, text in COLUMNS.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    versions = ", ".join(f"{package} {version}" for package, version in record["versions"].items())
    lines += ["", f"Preset `{record['preset']}`; {versions}; {record['machine']}."]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", help="folder of the Pixel 4 set; without it, --out is shown")
    parser.add_argument("--preset", default="fast", choices=list(PRESETS))
    parser.add_argument("--scenes", nargs="+", help="their numbers; all that are there if not given")
    parser.add_argument("--out", type=Path, help="where the JSON record goes")
    parser.add_argument("--page", type=Path, nargs="*", help=records.PAGE_HELP)
    parser.add_argument("--one", metavar="SCENE", help="print one scene's scores as JSON, and nothing else")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(scene_scores(options.folder, options.one, options.preset)))
        return
    if not options.folder and not (options.out and options.out.is_file()):
        parser.error("expected the folder of the Pixel 4 set, or --out, a record that is there")
    try:
        pages = records.pages_of(options.page, [NAME])
    except InputError as error:
        parser.error(str(error))
    if options.folder:
        record = run(options.folder, options.scenes or data.list_scenes(options.folder), options.preset)
        if options.out:
            records.save(options.out, record)
    else:
        record = records.load(options.out, {})
    print(table(record))
    for page in pages:
        records.put_into(page, {NAME: table(record)})


if __name__ == "__main__":
    main()
