"""The comparison's table: means of what was measured, quoted rows marked, a record to go on from."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dpdefocus.baselines import Estimate
from dpdefocus.data import GroundTruth
from dpdefocus.errors import InputError
from dpdefocus.published_figures import TABLE_1

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import table  # noqa: E402


def record(scenes):
    runs = {
        "stereo": {"001": {"aiwe1": 0.1, "machine": "m"}, "003": {"aiwe1": 0.3, "machine": "m"}},
        "fast": {"001": {"aiwe1": 0.01, "psnr": 30.0, "machine": "m"}},
    }
    return {"scenes": scenes, "runs": runs}


def test_measured_rows_are_means_and_quoted_rows_are_marked():
    lines = table.table(record("Pixel 4")).splitlines()
    (measured,) = (line for line in lines if line.startswith("| dual-pixel stereo"))
    assert "measured, 2 scenes" in measured and "0.2000" in measured
    quoted = [line for line in lines if "*quoted*" in line]
    assert len(quoted) == len(TABLE_1)
    for row in TABLE_1.values():
        (line,) = (line for line in quoted if line.startswith(f"| *{row.method} ({row.citation})*"))
        for value in row[2:]:
            assert value is None or f"*{value}*" in line
    # The paper's own row stands right below what was measured.
    assert lines.index(measured) + 1 == next(
        n for n, line in enumerate(lines) if "*dual-pixel stereo" in line
    )


def test_nothing_is_quoted_beside_simulated_scenes():
    assert "quoted" not in table.table(record("simulated")).lower()


def test_table_replaces_what_stands_between_its_marks_only():
    marks = "<!-- begin of table: simulated -->", "<!-- end of table: simulated -->"
    text = table.put_into(f"before\n{marks[0]}\nold\n{marks[1]}\nafter", record("simulated"))
    assert text.startswith("before\n") and text.endswith("\nafter") and "old" not in text
    assert table.put_into(text, record("simulated")) == text
    with pytest.raises(InputError, match="Pixel 4"):
        table.put_into(text, record("Pixel 4"))


def test_only_what_is_missing_or_was_made_otherwise_is_measured_again(monkeypatch):
    rng = np.random.default_rng(0)
    truth = GroundTruth(*rng.random((2, 24, 24)).astype(np.float32), np.ones((24, 24), bool))
    calls = []

    def estimators(case):
        return {
            name: lambda name=name: calls.append(name) or Estimate(None, truth.defocus_map) for name in "ab"
        }

    monkeypatch.setattr(table, "estimators", estimators)
    monkeypatch.setattr(table, "settings_of", lambda method: {"of": method})
    case = table.Case("001", None, None, truth)
    runs = {}
    assert len(list(table.measure(case, ["a", "b"], runs, None))) == 2
    assert runs["a"]["001"]["aiwe2"] < 1e-3 and "seconds" in runs["a"]["001"]
    assert not list(table.measure(case, ["a", "b"], runs, None))
    runs["b"]["001"]["made"]["settings"] = {"of": "an earlier version"}
    assert len(list(table.measure(case, ["a", "b"], runs, None))) == 1
    assert calls == ["a", "b", "b"]


def test_settings_name_every_constant_of_a_methods_rooms():
    settings = table.settings_of("stereo")
    assert {"TILE", "COARSE", "SPREAD", "CONTRAST"} <= settings["stereo"].keys()
    assert settings["edge_aware"] == {"ROUNDS": 3}
    assert settings["preset"]["hypotheses"] == 22


def test_saved_outputs_join_under_their_own_name(tmp_path):
    rng = np.random.default_rng(0)
    truth = GroundTruth(*rng.random((2, 24, 24)).astype(np.float32), np.ones((24, 24), bool))
    np.savez(tmp_path / "001.npz", defocus_map=-2 * truth.defocus_map)
    runs = {}
    table.measure_saved(table.Case("001", None, None, truth), {"Theirs": str(tmp_path)}, runs)
    table.measure_saved(table.Case("003", None, None, truth), {"Theirs": str(tmp_path)}, runs)
    assert list(runs["Theirs"]) == ["001"] and runs["Theirs"]["001"]["spearman"] < 1e-6
    assert "Theirs (saved outputs)" in table.table({"scenes": "Pixel 4", "runs": runs})
