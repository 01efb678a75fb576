"""The comparison's table: means of what was measured, quoted rows marked, a record to go on from."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import table

from dpdefocus.baselines.methods import Estimate
from dpdefocus.data.capture import GroundTruth
from dpdefocus.evaluation.published_table import TABLE_1
from dpdefocus.evaluation.saved_outputs import load_saved
from dpdefocus.fast.settings import FastSettings


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
    quoted = [line for line in lines if "*quoted, 17 scenes*" in line]
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


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    truth = GroundTruth(*rng.random((2, 24, 24)).astype(np.float32), np.ones((24, 24), bool))
    return table.Case("001", None, None, truth)


@pytest.fixture
def calls(monkeypatch, case):
    """The methods that were run, of stand-ins a and b, which find the truth."""
    names = []

    def estimators(case):
        found = Estimate(None, case.truth.defocus_map)
        return {name: lambda name=name: names.append(name) or found for name in "ab"}

    monkeypatch.setattr(table, "estimators", estimators)
    monkeypatch.setattr(table, "settings_of", lambda method: {"of": method})
    monkeypatch.setattr(table, "code_of_methods", lambda: "now")
    return names


def test_only_what_is_missing_or_was_made_otherwise_is_measured_again(calls, case):
    runs = {}
    assert len(list(table.measure(case, ["a", "b"], runs))) == 2
    assert runs["a"]["001"]["aiwe2"] < 1e-3 and "seconds" in runs["a"]["001"]
    assert not list(table.measure(case, ["a", "b"], runs, renew=True))
    runs["b"]["001"]["made"]["settings"] = {"of": "an earlier version"}
    assert len(list(table.measure(case, ["a", "b"], runs))) == 1
    runs["a"]["001"]["code"] = "an earlier one"
    assert not list(table.measure(case, ["a", "b"], runs))
    assert len(list(table.measure(case, ["a", "b"], runs, renew=True))) == 1
    assert calls == ["a", "b", "b", "a"] and runs["a"]["001"]["code"] == "now"


def test_estimates_that_are_there_are_not_made_again(calls, case, tmp_path):
    runs = {}
    list(table.measure(case, ["a", "b"], runs))
    assert len(list(table.measure(case, ["a", "b"], runs, tmp_path))) == 2
    assert not list(table.measure(case, ["a", "b"], runs, tmp_path))
    np.testing.assert_array_equal(
        load_saved(tmp_path / "a", "001", (24, 24)).defocus_map, case.truth.defocus_map
    )
    np.savez(tmp_path / "a" / "001.npz", defocus_map=case.truth.defocus_map, made='{"settings": {}}')
    (tmp_path / "b" / "001.npz").unlink()
    calls.clear()
    list(table.measure(case, ["a", "b"], runs, tmp_path))
    assert calls == ["a", "b"]


def test_settings_name_every_constant_of_a_methods_rooms():
    settings = table.settings_of("stereo")
    assert {"TILE", "COARSE", "SPREAD", "CONTRAST"} <= settings["baselines.stereo"].keys()
    assert settings["baselines.smoothing"] == {"ROUNDS": 3}
    assert settings["support.parabola"] == {"NOISE_COST": 1e-5}
    assert settings["preset"] == json.loads(json.dumps(asdict(FastSettings())))


def test_settings_know_the_constants_of_every_room_behind_a_baseline():
    own = {"wiener": "wiener", "symmetry": "symmetry", "stereo": "stereo", "cost_aggregation": "aggregation"}
    for method, room in own.items():
        behind = table.records.rooms_behind(f"baselines.{room}")
        of_baselines = {name for name in behind if name.startswith(("baselines.", "support.parabola"))}
        # Two take a function of `stereo` that smooths nothing.
        of_baselines -= {"baselines.smoothing"} if method in ("wiener", "cost_aggregation") else set()
        assert set(table.settings_of(method)) == of_baselines | {"preset"}


def test_saved_outputs_join_under_their_own_name(case, tmp_path):
    np.savez(tmp_path / "001.npz", defocus_map=-2 * case.truth.defocus_map)
    runs = {}
    saved = table.saved_methods([f"Theirs={tmp_path}"])
    table.measure_saved(case, saved, runs)
    table.measure_saved(case._replace(name="003"), saved, runs)
    assert list(runs["Theirs"]) == ["001"] and runs["Theirs"]["001"]["spearman"] < 1e-6
    assert "Theirs (saved outputs)" in table.table({"scenes": "Pixel 4", "runs": runs})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--saved", "outputs"], "found 'outputs', expected NAME=FOLDER"),
        (["--saved", "=outputs"], "found '=outputs', expected NAME=FOLDER"),
        (["--saved", "wiener=outputs"], "the name 'wiener' is taken"),
        (["--saved", "Theirs=nowhere"], "the folder nowhere does not exist"),
        (
            ["--page", "page.md"],
            "no marks of a table in page.md; expected the lines <!-- begin of table: sim",
        ),
    ],
)
def test_what_does_not_fit_is_told_before_work_starts(given, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("page.md").write_text("nothing")
    monkeypatch.setattr(table, "synthetic_cases", lambda seeds: pytest.fail("work has started"))
    monkeypatch.setattr(sys, "argv", ["table.py", "--seeds", "1", "--out", "record.json", *given])
    with pytest.raises(SystemExit):
        table.main()
    assert told in capsys.readouterr().err
    assert not Path("record.json").exists()


def test_table_of_a_record_needs_no_work(tmp_path, monkeypatch, capsys):
    out, page, short = (tmp_path / name for name in ("record.json", "results.md", "README.md"))
    page.write_text("\n".join(table.records.marks(table.PIXEL4)))
    short.write_text("\n".join(table.records.marks(table.SUMMARY)))
    monkeypatch.setattr(sys, "argv", ["table.py", "--out", str(out), "--page", str(page), str(short)])
    with pytest.raises(SystemExit):
        table.main()
    assert "record.json does not exist" in capsys.readouterr().err
    table.records.save(out, record("Pixel 4"))
    table.main()
    assert table.records.table_in(page, table.PIXEL4) == table.table(record("Pixel 4"))
    assert table.records.table_in(short, table.SUMMARY) == table.summary(record("Pixel 4"))


def test_short_table_has_measured_and_quoted_rows_without_ranks_and_says_how_far_they_differ():
    lines = table.summary(record("Pixel 4")).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:4]] == ["measured, 1 scenes", "*quoted, 17 scenes*"]
    assert "ρ_s" not in "".join(lines)
    # Of the classical methods only stereo was measured: 0.2, quoted 0.141.
    assert lines[-1].startswith("The paper's AIWE(1) of the classical methods is 0.7 to 0.7 times")
