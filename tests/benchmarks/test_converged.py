"""The record of the published optimisation to its end: when a run is flat, what is kept of both starts."""

import dataclasses
import json

import converged
import numpy as np
import pytest

from dpdefocus import baselines, data, paper


def test_a_falling_loss_is_not_flat_and_a_level_one_is():
    falling = 100 * np.exp(-np.arange(600) / 600)
    assert not converged.is_flat(falling)
    assert not converged.is_flat(np.full(2 * converged.WINDOW - 1, 7.0))
    assert converged.is_flat(np.full(2 * converged.WINDOW, 7.0))


def test_arrival_is_the_first_iteration_near_the_loss_that_the_cold_start_ends_at():
    cold = np.concatenate([np.linspace(200, 101.5, 50), np.full(300, 100.0)])
    run = {"cold": {"totals": list(cold)}, "warm": {"totals": [300.0, 101.0, 99.0]}}
    assert converged.arrivals(run) == {"cold": 50, "warm": 1}
    run["warm"]["totals"] = [300.0, 102.0]
    assert converged.arrivals(run) == {"cold": 50, "warm": None}


@pytest.fixture
def small(monkeypatch):
    """A scene of 24 x 32 pixels with four layers, and few iterations."""
    rng = np.random.default_rng(0)
    views = rng.uniform(0.1, 0.8, (2, 24, 32)).astype(np.float32)
    kernels = rng.uniform(size=(2, 2, 2, 5, 5)).astype(np.float32)
    truth = data.GroundTruth(*rng.uniform(0.1, 0.9, (2, 24, 32)).astype(np.float32), np.ones((24, 32), bool))
    estimate = baselines.Estimate(views.mean(0), rng.uniform(size=(24, 32)).astype(np.float32))
    layers = rng.uniform(0.1, 0.9, (2, 4, 24, 32)).astype(np.float32)
    kernels /= kernels.sum((-2, -1), keepdims=True)
    crop = converged.Crop(views, kernels, truth, estimate, tuple(layers), 1.0)
    settings = paper.PublishedSettings(nearest=0.2, farthest=1.0, layers=4, iterations=4)
    monkeypatch.setattr(converged, "crop_of", lambda *_: crop)
    warm = dataclasses.replace(settings, iterations=2)
    starts = {"cold": converged.Start(settings, 2), "warm": converged.Start(warm, 1)}
    monkeypatch.setattr(converged, "starts_of", lambda _: starts)


def test_record_has_losses_and_scores_of_both_starts_and_goes_on_where_it_stopped(small, tmp_path, capsys):
    record, arguments = tmp_path / "record.json", ["--data", "folder", "--scenes", "001"]
    arguments += ["--work", str(tmp_path), "--out", str(record)]
    converged.main(arguments)
    run = json.loads(record.read_text())["runs"]["001"]
    assert [len(run[name]["totals"]) for name in ("cold", "warm")] == [4, 2]
    assert list(run["cold"]["scores"]) == ["2", "4"] and run["cold"]["ended"] and run["warm"]["ended"]
    assert {"psnr", "aiwe1"} < set(run["fast"]) and "aiwe1" not in run["photograph"]
    assert run["made"]["settings"]["warm"]["iterations"] == 2
    before = record.read_text()
    converged.main(arguments)
    assert record.read_text() == before
