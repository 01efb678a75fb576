"""The ablation benchmark: it goes on where it stopped, and its table shows every part."""

import json
import sys

import ablations as benchmark
import numpy as np
import pytest

from dpdefocus import evaluation
from dpdefocus.evaluation.ablations import BETTER, FAST, FULL, PUBLISHED, Solved


@pytest.fixture(scope="module")
def case():
    return evaluation.synthetic("cards", 1, 48, 64, evaluation.tiny_camera())


def test_benchmark_goes_on_where_it_stopped_and_knows_what_is_out_of_date(
    case, tmp_path, monkeypatch, capsys
):
    solved = []

    def stand_in(part, case, settings):
        solved.append(part.name)
        light = np.float32(0.9 if part == FULL else 0.8)
        return Solved(case.truth.all_in_focus * light, case.truth.defocus_map)

    monkeypatch.setattr(benchmark, "solve_without", stand_in)
    monkeypatch.setattr(benchmark, "synthetic_cases", lambda method, seeds, kinds: iter([case] * (seeds > 0)))
    record, pictures = tmp_path / "record.json", tmp_path / "pictures"

    def run(*arguments):
        solved.clear()
        monkeypatch.setattr(sys, "argv", ["ablations.py", "--out", str(record), *arguments])
        benchmark.main()
        return list(solved)

    names = [FULL.name, *(part.name for part in PUBLISHED)]
    assert run("--methods", "published", "--only", "alpha", "bias") == ["full", "alpha", "bias"]
    assert run("--methods", "published") == ["intensity", "entropy", "auxiliary"]
    saved = json.loads(record.read_text())
    assert list(saved["runs"]["published"]) == ["full", "alpha", "bias", "intensity", "entropy", "auxiliary"]
    one = saved["runs"]["published"]["alpha"][case.name]
    assert one["made"]["settings"]["iterations"] == 600 and "jax" in one["made"]["versions"]
    assert one["seconds"] >= 0 and "machine" in saved
    capsys.readouterr()
    assert run("--methods", "published", "--iterations", "50") == names
    printed = capsys.readouterr().out
    assert "| published without | psnr |" in printed and "| 100% |" in printed
    assert run("--methods", "published", "--iterations", "50", "--pictures", str(pictures)) == names
    assert (pictures / "published.png").stat().st_size > 10_000
    assert run("--methods", "published", "--iterations", "50") == []
    monkeypatch.setattr(benchmark.records, "code_of", lambda *rooms: "newer code")
    assert run("--methods", "published", "--iterations", "50") == []
    assert run("--methods", "published", "--iterations", "50", "--renew") == names


def test_page_has_each_part_with_its_effect_on_every_kind_of_capture(tmp_path, monkeypatch, capsys):
    def runs(psnr):
        return {
            str(number): dict.fromkeys(BETTER, 0.0) | {"psnr": value, "made": {"versions": {"jax": "1"}}}
            for number, value in enumerate(psnr)
        }

    def record(without):
        return {"runs": {"fast": {"full": runs((20.0, 30.0)), "layers": runs(without)}}, "machine": "m"}

    found = {"simulated": record((19.0, 30.5)), "Pixel 4": record((18.0,))}
    for name, content in found.items():
        monkeypatch.setitem(benchmark.RECORDS, name, tmp_path / f"{name}.json")
        benchmark.records.save(benchmark.RECORDS[name], content)
    page = tmp_path / "results.md"
    page.write_text("\n".join(benchmark.records.marks(benchmark.NAME)))
    monkeypatch.setattr(sys, "argv", ["ablations.py", "--page", str(page)])
    benchmark.main()
    lines = benchmark.records.table_in(page, benchmark.NAME).splitlines()
    assert "| layers | PSNR (dB) | +0.25 ± 1.06 | 50% | +2.00 ± 0.00 | 100% |" in lines
    assert "| neighbours | AIWE(1) | – | – | – | – |" in lines
    assert "| ***of preset `fast`*** | | captures: 2 | | captures: 2 | |" in lines
    assert len(lines) == 2 + 2 + len(FAST) + len(PUBLISHED) + 2 and lines[-1].endswith("jax 1; m.")
    monkeypatch.setattr(sys, "argv", ["ablations.py"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "expected --out" in capsys.readouterr().err
