"""The benchmark runs, and tells what its head promises."""

import json
import sys
import time

import bench
import pytest


def test_every_part_at_a_tiny_size(monkeypatch, capsys):
    """Parts in this process, which has its devices already."""
    monkeypatch.setattr(bench, "share_among_cores", lambda: None)
    monkeypatch.setattr(bench, "paper_history", lambda *_: [(1.0, SCORES), (2.0, SCORES | {"psnr": 28.5})])
    monkeypatch.setattr(bench, "preset_history", lambda *_: [(3.0, SCORES)])
    sizes = ["--height", "12", "--width", "16", "--layers", "2", "--kernel", "5"]
    sizes += ["--turns", "2", "--repeats", "1"]

    def run(name):
        monkeypatch.setattr(sys, "argv", ["bench.py", *sizes, "--only", name])
        bench.main()
        return json.loads(capsys.readouterr().out)

    cost = run("paper_objective")
    assert cost["fft_ratio"] == pytest.approx(cost["seconds_per_iteration"] / cost["fft_seconds"])
    assert cost["peak_memory_gb"] > 0 and cost["cpu_ratio"] > 0 and cost["devices"] == 1
    paper = run("paper")
    assert paper["seconds"] == 2 and paper["scores"]["psnr"] == 28.5
    assert paper["until"]["psnr >= 27"] == 1 and paper["until"]["psnr >= 28"] == 2
    assert paper["until"]["psnr >= 30"] is None
    assert paper["until"]["aiwe1 <= 0.07"] == 1 and paper["until"]["aiwe1 <= 0.05"] is None
    assert run("fast")["until"]["psnr >= 26"] == 3


def test_record_says_what_was_measured_and_by_what(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bench, "apart", lambda name: {"of": name})
    monkeypatch.setattr(sys, "argv", ["bench.py", "--presets", "fast", "--out", str(tmp_path / "bench.json")])
    bench.main()
    record = json.loads((tmp_path / "bench.json").read_text())
    assert record == json.loads(capsys.readouterr().out)
    assert {"versions", "code", "machine"} < set(record)
    assert record["paper_objective"] == {"of": "paper_objective"}
    assert record["time_to_scores"] == {"capture": "synthetic", "fast": {"of": "fast"}}


SCORES = {"psnr": 27.0, "ssim": 0.8, "mae": 0.02, "aiwe1": 0.06, "aiwe2": 0.1, "spearman": 0.1}


def test_scores_on_the_way_of_paper(monkeypatch):
    """Two scorings of a start that has seen nothing. The clock stands still while scoring."""
    scoring, opened = 0.3, small()

    def slow_score(*images):
        time.sleep(scoring)
        return score(*images)

    score = bench.evaluation.score
    monkeypatch.setattr(bench.evaluation, "score", slow_score)
    began = time.perf_counter()
    history = bench.paper_history(opened, bench.SCORED_EVERY + 1)
    took = time.perf_counter() - began
    assert len(history) == 2
    (first, scores), (last, _) = history
    assert 0 < first < last <= took - 2 * scoring and set(SCORES) <= set(scores)


def small():
    """A corner of the synthetic capture, under one kernel."""
    opened = bench.open_capture(seed=2)
    capture, calibration, truth = opened
    cut = (slice(0, 40), slice(0, 48))
    return opened._replace(
        capture=bench.replace(capture, views=capture.views[:, *cut], saturated=capture.saturated[cut]),
        calibration=bench.replace(calibration, kernels=calibration.kernels[:1, :1]),
        truth=type(truth)(*(each[cut] for each in truth)),
    )
