"""Many captures, each a run of a lesson in a folder of its own; resumable, on one machine or on a cluster.

    dpdefocus batch notebooks/04_mpi_optimization.ipynb captures.csv --out-dir out/batch

Captures are CSV files with a row for each capture and parameters as columns, folders that hold one pair of
views, files of left views, or patterns of these. Under the output folder each capture leaves what
`dpdefocus run` leaves, and a record, written last: a capture is complete when its record is there, says the
same parameters, notebook, version and input files, and lists files that are all there in the same size.
Such a capture is kept; all others run. `summary.csv` is renewed after every capture, `contact_sheet.html`
whenever there is a twentieth more of them. A capture that fails does not stop the others.
"""

import atexit
import csv
import glob
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dpdefocus import __version__
from dpdefocus.lessons import run
from dpdefocus.lessons.contact_sheet import contact_sheet_page, pictures
from dpdefocus.lessons.jobs import NAME, Job, read_jobs
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, remove_abandoned, replacing, writable_folder
from dpdefocus.support.progress_bar import progress

RECORD = "capture.json"
SUMMARY, SHEET = "summary.csv", "contact_sheet.html"
DONE, KEPT, FAILED = "done", "kept", "failed"
GROWTH = 1.05  # of the contact sheet between two writings: with all its pictures it is large


def _identity(job: Job, notebook: Path) -> dict[str, Any]:
    """What makes a result this capture's: parameters, notebook, version, and the files that it reads."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = json.dumps([[cell["cell_type"], "".join(cell["source"])] for cell in cells])
    return {
        "parameters": dict(job.given),
        "notebook": hashlib.sha256(sources.encode()).hexdigest(),
        "dpdefocus": __version__,
        "inputs": _stamps(dict(job.given)),
    }


def _stamps(given: dict[str, str]) -> dict[str, list]:
    """Size and time of every file that the parameters name.

    Of the folder of a set these are one scene's files and the calibration, of another folder all that are
    directly in it.
    """
    stamps = {}
    for name, text in given.items():
        if not text:
            continue
        path = Path(text)
        if name == "data_dir" and "scene" in given:
            scene = glob.escape(given["scene"])
            patterns = f"{scene}_*", f"gt_*/{scene}_*", "calibration/*"
            files = [each for pattern in patterns for each in sorted(path.glob(pattern))]
        elif path.is_dir():
            files = sorted(path.iterdir())
        else:
            files = [path]
        found = [each for each in files if each.is_file()]
        if found:
            stamps[name] = [[str(each), each.stat().st_size, each.stat().st_mtime_ns] for each in found]
    return stamps


def complete(job: Job, notebook: Path, out_dir: Path) -> dict[str, Any] | None:
    """The record of a capture that needs no run, or None."""
    folder = out_dir / job.name
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        sizes = {name: (folder / name).stat().st_size for name in record["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    same = sizes == record["files"] and record["identity"] == _identity(job, notebook)
    return record | {"status": KEPT} if same else None


def run_job(job: Job, notebook: Path, out_dir: Path) -> dict[str, Any]:
    """Run one capture, unless it is complete; returns its record, with the error if it failed."""
    began = time.perf_counter()
    record = {"name": job.name, "status": FAILED, "error": "", "scores": {}}
    try:
        kept = complete(job, notebook, out_dir)
        if kept is not None:
            return kept
        record["identity"] = _identity(job, notebook)
        folder = writable_folder(out_dir / job.name)
        # From here on the files are no longer those that an earlier record describes.
        (folder / RECORD).unlink(missing_ok=True)
        remove_abandoned(folder)
        _share_compiled_programs()
        run.run_lesson(notebook, folder, list(job.given), bar=False)
        record["scores"] = _scores(job, notebook, folder)
        record["pictures"] = pictures(folder)
        record["status"] = DONE
    except Exception as error:  # whatever stops one capture must not stop the others
        told = str(error) if isinstance(error, (InputError, run.NotebookError)) else repr(error)
        return record | {"error": told, "seconds": time.perf_counter() - began}
    record["seconds"] = time.perf_counter() - began
    record["files"] = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    with replacing(folder, RECORD) as (path,):
        path.write_text(json.dumps(record, indent=1), encoding="utf-8")
    return record


def _share_compiled_programs() -> None:
    """Give the kernels that this process starts a folder for the programs that JAX compiles in them.

    Each run has a process of its own, and would spend some ten seconds on compiling the same again. The
    folder goes with this process: programs must not come to another machine.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="dpdefocus-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")


def _scores(job: Job, notebook: Path, folder: Path) -> dict[str, float]:
    """The scores of the saved result, where there is one and the truth of its capture is known."""
    from dpdefocus import captures
    from dpdefocus.data.result import NPZ, load_result
    from dpdefocus.evaluation.metrics import score

    known = run.known_parameters(notebook)
    names = ("data_dir", "scene", "left", "right", "calibration_dir", "seed")
    if not (folder / NPZ).is_file() or not set(names) <= set(known):
        return {}
    values = known | run.checked_parameters(list(job.given), known)
    truth = None if values["left"] else captures.open_capture(**{name: values[name] for name in names}).truth
    if truth is None:
        return {}
    result = load_result(folder)
    scored = score(result.all_in_focus, result.defocus_map, truth)
    return {name: float(value) for name, value in scored.items() if name != "aligned"}


def _one_after_the_other(jobs, notebook, out_dir) -> Iterator[dict[str, Any]]:
    for job in jobs:
        yield run_job(job, notebook, out_dir)


def _on_cluster(jobs: list[Job], notebook: Path, out_dir: Path, scheduler: str) -> Iterator[dict[str, Any]]:
    """Records as workers of a Dask cluster finish them; a dead worker's captures go to the others."""
    try:
        import distributed
    except ImportError as error:
        raise InputError(
            "--scheduler needs dask.distributed, which is not installed: "
            ".venv/bin/pip install --editable '.[cluster]'"
        ) from error
    try:
        client = distributed.Client(scheduler)  # waits as long as Dask's own configuration says
    except (OSError, ValueError, TimeoutError) as error:
        raise InputError(
            f"--scheduler: no Dask scheduler answers at {scheduler} ({error}); expected an address such as "
            "tcp://host:8786, as 'dask scheduler' prints it"
        ) from error
    with client:
        futures = {}
        for job in jobs:
            future = client.submit(run_job, job, notebook, out_dir, pure=False)
            futures[future] = job
        for future in distributed.as_completed(futures):
            try:
                yield future.result()
            except Exception as error:  # such as KilledWorker: of a capture on which every worker died
                told = f"{type(error).__name__}: {error}"
                yield {"name": futures[future].name, "status": FAILED, "error": told, "scores": {}}


def run_batch(
    notebook: Path,
    captures: list[str],
    common: list[tuple[str, str]],
    out_dir: Path,
    scheduler: str = "",
) -> list[dict[str, Any]]:
    """Run a lesson on every capture that is named; the records, one for each capture.

    Args:
        captures, common: as in `jobs.read_jobs`.
        out_dir: the folder for all captures' folders.
        scheduler: address of a Dask cluster to run on; empty: one capture after the other, here.

    Raises:
        InputError: something given cannot be used, which is found before work starts.
    """
    existing_file(notebook, "a notebook")
    jobs = read_jobs(captures, common, run.known_parameters(notebook))
    writable_folder(out_dir, "--out-dir")
    return run_all(jobs, notebook, out_dir, scheduler)


def run_all(jobs: list[Job], notebook: Path, out_dir: Path, scheduler: str = "") -> list[dict[str, Any]]:
    """Run the captures, with a progress bar; their records. The summary is renewed after each.

    The contact sheet, whose length grows with them, is renewed when it would grow by 5 %, and at the end.

    Raises:
        InputError: there is no scheduler at the address given.
    """
    if scheduler:
        # Workers need not run in the same folder.
        notebook, out_dir = notebook.resolve(), out_dir.resolve()
        finished = _on_cluster(jobs, notebook, out_dir, scheduler)
    else:
        finished = _one_after_the_other(jobs, notebook, out_dir)
    records, shown = {}, 0
    try:
        with progress(finished, "captures", total=len(jobs)) as bar:
            for record in bar:
                records[record["name"]] = record
                if record["status"] == FAILED:
                    bar.write(f"{record['name']} failed: {record['error']}", file=sys.stderr)
                with replacing(out_dir, SUMMARY) as (table,):
                    _write_summary(table, _in_order(jobs, records))
                if len(records) >= GROWTH * shown:
                    _write_sheet(out_dir, jobs, records, notebook)
                    shown = len(records)
    finally:
        if len(records) > shown:
            _write_sheet(out_dir, jobs, records, notebook)
    return list(records.values())


def _in_order(jobs, records):
    return [(job, records[job.name]) for job in jobs if job.name in records]


def _write_sheet(out_dir, jobs, records, notebook):
    page = contact_sheet_page([record for _, record in _in_order(jobs, records)], len(jobs), notebook.stem)
    with replacing(out_dir, SHEET) as (sheet,):
        sheet.write_text(page, encoding="utf-8")


def _write_summary(path: Path, rows: list[tuple[Job, dict[str, Any]]]) -> None:
    """A line for each capture: status, seconds, error, the parameters that it was given, and its scores."""
    parameters = list(dict.fromkeys(name for job, _ in rows for name, _ in job.given))
    scores = list(dict.fromkeys(name for _, record in rows for name in record["scores"]))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([NAME, "status", "seconds", "error", *parameters, *scores])
        for job, record in rows:
            seconds = f"{record['seconds']:.1f}" if "seconds" in record else ""
            given = dict(job.given)
            writer.writerow(
                [job.name, record["status"], seconds, record["error"]]
                + [given.get(name, "") for name in parameters]
                + [f"{record['scores'][name]:.5g}" if name in record["scores"] else "" for name in scores]
            )
