"""Stamping records: digests, settings and a note are renewed, and nothing that was measured."""

import copy
import json
import sys
from pathlib import Path

import pytest
import stamp

ROOT = Path(__file__).parents[2]


@pytest.fixture
def records(tmp_path):
    """Copies of the committed records, made by other code and under other names of settings."""
    for name in stamp.BENCHMARKS:
        record = json.loads((ROOT / "benchmarks" / name).read_text())
        for _, run in stamp.runs_in(record):
            run["code"] = "other code"
            if "made" in run:
                run["made"]["settings"] = {"slack": 3.0}
        (tmp_path / name).write_text(json.dumps(record))
    return [tmp_path / name for name in stamp.BENCHMARKS]


def measured(record):
    """A record without what a stamp may change."""
    record = copy.deepcopy(record)
    for _, run in stamp.runs_in(record):
        for name in ("code", "stamped"):
            run.pop(name, None)
        if "made" in run:
            run["made"] = run["made"]["versions"]
    return record


def stamped(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["stamp.py", "--reason", "rooms moved", *map(str, arguments)])
    stamp.main()


def test_stamped_records_are_of_todays_code_and_hold_what_was_measured(records, monkeypatch, capsys):
    before = [json.loads(path.read_text()) for path in records]
    stamped(monkeypatch, *records)
    told = capsys.readouterr().out
    for path, old in zip(records, before, strict=True):
        new = json.loads(path.read_text())
        runs = [run for _, run in stamp.runs_in(new)]
        code = stamp.records.code_of(*stamp.BENCHMARKS[path.name].CODE)
        assert runs and f"{path.name}: {len(runs)} stamped" in told
        assert measured(new) == measured(old)
        assert {run["code"] for run in runs} == {code}
        assert all(run["stamped"].endswith(": rooms moved") for run in runs)


def test_stamped_runs_are_not_measured_again(records, monkeypatch):
    stamped(monkeypatch, *records)
    comparison, parts = (
        json.loads((records[0].parent / name).read_text())["runs"]
        for name in ("table_pixel4.json", "ablations_pixel4.json")
    )
    run = comparison["stereo"]["003"]
    made = {"settings": stamp.table.settings_of("stereo"), "versions": run["made"]["versions"]}
    assert stamp.records.up_to_date(run, made, stamp.table.code_of_methods(), renew=True)
    (part,) = (part for part in stamp.ablations.FAST if part.name == "layers")
    run = parts["fast"]["layers"]["003"]
    made = stamp.ablations.made_with(stamp.ablations.PRESETS["fast"], part)
    made["versions"] = run["made"]["versions"]
    assert stamp.records.up_to_date(run, made, run["code"], renew=True)


def test_what_is_of_todays_code_keeps_its_stamp_and_what_is_unknown_is_told(records, monkeypatch, capsys):
    (path,) = (path for path in records if path.name == "ablations_pixel4.json")
    stamped(monkeypatch, path)
    once = path.read_text()
    stamped(monkeypatch, path)
    assert path.read_text() == once and "ablations_pixel4.json: 0 stamped" in capsys.readouterr().out
    record = json.loads(once)
    record["runs"]["fast"]["luck"] = {"001": {"code": "other code", "made": {"versions": {}}}}
    path.write_text(json.dumps(record))
    for given, told in (
        (path, "found runs without 'luck'"),
        (path.with_name("other.json"), "no such record"),
    ):
        with pytest.raises(SystemExit):
            stamped(monkeypatch, given)
        assert told in capsys.readouterr().err
