"""Renews what records say of the code that made them, without measuring anything again.

    python benchmarks/stamp.py --reason "rooms moved; results of three captures bit-identical"
    python benchmarks/stamp.py --reason "..." benchmarks/table_pixel4.json

Only for a change of code that was shown to change no result, bit by bit, or by no more than rounding: then
the reason says by how much. Every run in the records (all committed ones, if none is named) gets the digest
of today's code, the settings that made it under the names that they have today, and a note with the date and
the reason, ``stamped``. Scores, seconds, versions and machine stay as they were measured. Whoever cannot show
that results are the same measures again, with ``--renew``.
"""

import argparse
import datetime
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import ablations
import bench
import calibration
import records
import results
import table

from dpdefocus.support.errors import InputError

# Record -> the benchmark that makes it, which names the rooms behind its figures.
BENCHMARKS: dict[str, ModuleType] = {
    "ablations.json": ablations,
    "ablations_pixel4.json": ablations,
    "bench.json": bench,
    "calibration.json": calibration,
    "results_fast.json": results,
    "table_pixel4.json": table,
    "table_synthetic.json": table,
}


def runs_in(record: dict, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict]]:
    """(keys on the way to it, itself) of each part of a record that has a digest of the code."""
    if isinstance(record.get("code"), str):
        yield path, record
    for key, value in record.items():
        if isinstance(value, dict):
            yield from runs_in(value, (*path, key))


def settings_today(benchmark: ModuleType, name: str, path: tuple[str, ...]) -> dict[str, Any]:
    """What a run of a record was made with, besides versions, under today's names.

    Raises:
        InputError: a run of a method or with a part left out that there is no more.
    """
    if benchmark is table:
        _, method, _ = path
        return {"settings": table.settings_of(method)}
    _, method, part, case = path
    real = name == ablations.RECORDS["Pixel 4"].name
    parts = {each.name: each for each in (ablations.FULL, *ablations.METHODS[method])}
    if part not in parts:
        raise InputError(f"{name}: found runs without {part!r}; expected one of {', '.join(parts)}")
    made = ablations.made_with(ablations.settings_of(method, case, real, ablations.ITERATIONS), parts[part])
    return {key: value for key, value in made.items() if key != "versions"}


def stamped(record: dict, name: str, note: str) -> int:
    """Stamp each run of a record that other code made; how many there were."""
    benchmark = BENCHMARKS[name]
    code = records.code_of(*benchmark.CODE)
    old = [(path, run) for path, run in runs_in(record) if run["code"] != code]
    for path, run in old:
        if "made" in run:
            versions = run["made"]["versions"]
            run["made"] = settings_today(benchmark, name, path) | {"versions": versions}
        run |= {"code": code, "stamped": note}
    return len(old)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    folder = Path(__file__).parent
    parser.add_argument(
        "records", type=Path, nargs="*", help="JSON records; all committed ones if none is named"
    )
    parser.add_argument("--reason", required=True, help="how results were shown to be the same")
    options = parser.parse_args()
    try:
        for path in options.records or [folder / name for name in BENCHMARKS]:
            if path.name not in BENCHMARKS or not path.is_file():
                raise InputError(f"{path}: found no such record; expected one of {', '.join(BENCHMARKS)}")
            record = records.load(path, {})
            count = stamped(record, path.name, f"{datetime.date.today()}: {options.reason}")
            records.save(path, record)
            print(f"{path.name}: {count} stamped")
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
