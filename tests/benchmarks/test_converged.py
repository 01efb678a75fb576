"""The record of the published optimisation to its end: when a run is flat, what is kept of both starts."""

import json

import converged
import numpy as np
import pytest

from dpdefocus import baselines, data, paper
from dpdefocus.support.errors import InputError


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
    starts = {
        "cold": converged.Start(settings, 2, warm=False),
        "warm": converged.Start(settings, 2, warm=True),
    }
    monkeypatch.setattr(converged, "starts_of", lambda _: starts)


def run_once(folder, *more):
    """The run of the scene that a command leaves in its record."""
    record = folder / "record.json"
    options = ["--data", "set", "--scenes", "001", "--work", str(folder), "--out", str(record), *more]
    converged.main(options)
    return json.loads(record.read_text())["runs"]["001"]


def test_record_has_losses_and_scores_of_both_starts(small, tmp_path, capsys):
    run = run_once(tmp_path)
    assert [len(run[name]["totals"]) for name in ("cold", "warm")] == [4, 4]
    assert run["cold"]["totals"][0] != run["warm"]["totals"][0]
    assert list(run["cold"]["scores"]) == ["2", "4"] and run["cold"]["ended"] and run["warm"]["ended"]
    assert {"psnr", "aiwe1"} < set(run["fast"]) and "aiwe1" not in run["photograph"]
    assert json.loads(capsys.readouterr().out) == {"001": converged.arrivals(run)}


def test_a_run_that_was_stopped_goes_on_to_the_same_record(small, tmp_path, monkeypatch):
    """Stopped when a state is saved and its scores are not: in the middle, and at the end."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    expected = run_once(whole)
    for stop in (2, 3):
        with monkeypatch.context() as patch:
            left, scores = [stop], converged.scores

            def stopping(*given, left=left, scores=scores):
                left[0] -= 1
                if left[0] < -1:  # the photograph and the default preset are scored first
                    raise KeyboardInterrupt
                return scores(*given)

            patch.setattr(converged, "scores", stopping)
            with pytest.raises(KeyboardInterrupt):
                run_once(cut)
    found = run_once(cut)
    for name in ("cold", "warm"):
        assert found[name]["totals"] == expected[name]["totals"] and found[name]["ended"]
        assert found[name]["scores"]["4"] == expected[name]["scores"]["4"]


def test_a_run_that_ended_flat_goes_on_to_its_last_iteration(small, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(converged, "is_flat", lambda _: True)
        assert len(run_once(tmp_path)["cold"]["totals"]) == 2
    assert len(run_once(tmp_path)["cold"]["totals"]) == 2
    run = run_once(tmp_path, "--whole", "001")
    assert len(run["cold"]["totals"]) == 4 and list(run["cold"]["scores"]) == ["2", "4"]
    with pytest.raises(InputError, match="--whole: found .*expected some of the scenes"):
        run_once(tmp_path, "--whole", "002")
