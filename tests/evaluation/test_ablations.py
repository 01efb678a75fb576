"""Ablations: nothing left out is the method itself, and each part is really left out."""

import json
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import dpdefocus as dp
from dpdefocus import evaluation, fast, optics, paper
from dpdefocus import solver as solve_room
from dpdefocus.data.capture import Calibration, GroundTruth
from dpdefocus.evaluation import ablations as ablations_room
from dpdefocus.evaluation.ablations import BETTER, FAST, FULL, PUBLISHED, STEPS, Solved
from dpdefocus.fast.settings import FastSettings
from dpdefocus.paper import optimise
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.support.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import ablations as benchmark

SHORT = FastSettings(hypotheses=7, sweeps=(4,), layers=3)


def camera_of(*gain):
    """The camera of the synthetic set with the same kernel everywhere; of one shape, so compiled once."""
    return replace(evaluation.tiny_camera(*gain), pupil=optics.field_varying(1, 1, samples=33))


@pytest.fixture(scope="module")
def case():
    case = evaluation.synthetic("cards", 1, 48, 64, camera_of())
    # A calibration knows kernels up to a shift that both views share; here it is one pixel.
    return case._replace(calibration=Calibration(np.roll(case.calibration.kernels, 1, axis=-1)))


# --- the lists ---


@pytest.mark.parametrize(("parts", "settings"), [(FAST, FastSettings), (PUBLISHED, PublishedSettings)])
def test_ablations_name_settings_scores_and_steps_that_exist(parts, settings):
    known = {field.name for field in fields(settings)}
    assert len({part.name for part in parts}) == len(parts)
    for part in parts:
        assert part.hurts in BETTER and part.does
        assert bool(part.changes) != bool(part.skips)
        assert set(dict(part.changes)) <= known
        assert part.skips in STEPS | {""}
    values = {name: getattr(settings, name, None) for name in known}
    for part in parts:
        assert all(values[name] != value for name, value in part.changes), part.name


def test_paper_s_five_parts_are_left_out():
    switched = {name: value for part in PUBLISHED for name, value in part.changes}
    assert switched == dict.fromkeys(("intensity", "alpha", "entropy", "auxiliary", "noise_variance"), 0.0)


# --- the methods ---


def test_nothing_left_out_is_the_preset_and_each_step_makes_a_difference(case, monkeypatch):
    """What reaches the deconvolution, which is the same function: all that `solve.solve` hands to it, and a
    layer in which nothing shows."""
    calls = []

    def deblur(views, kernels, scales, weights, reach, sparsity, misfit):
        calls.append((views, kernels, scales, weights, reach, sparsity, misfit))
        return views.mean((0, 1)), weights

    for room in (solve_room, ablations_room):
        monkeypatch.setattr(room, "deblur", deblur)
    monkeypatch.setattr(solve_room, "preset_settings", lambda name: SHORT)
    whole = dp.solve(case.capture, case.calibration)
    full = evaluation.solve_fast(case.capture, case.calibration, SHORT)
    np.testing.assert_array_equal(full.defocus_map, whole.defocus_map)
    (views, kernels, scales, weights, *constants), found = calls
    np.testing.assert_allclose(found[0][1:], views, atol=1e-6)
    np.testing.assert_array_equal(found[1], kernels)
    np.testing.assert_array_equal(found[2][1:], scales)
    np.testing.assert_array_equal(found[3][1:], weights)
    assert constants == list(found[4:])
    assert found[2][0] == np.float32(SHORT.farthest) and not found[3][0].any()

    arguments = {"centring": 1, "range": 2, "spacing": 2, "widening": 3, "feathering": 3, "restraint": 3}
    arguments |= {"filling": 0}
    assert set(arguments) == STEPS - {"interpolation"}
    for step, argument in arguments.items():
        evaluation.solve_fast(case.capture, case.calibration, SHORT, step)
        assert np.abs(calls[-1][argument] - calls[1][argument]).max() > 1e-3, step
        others = set(range(1, len(calls[1]))) - {argument} if argument in (0, 3) else set()
        for other in others:
            np.testing.assert_array_equal(calls[-1][other], calls[1][other])
    sizes = evaluation.solve_fast(case.capture, case.calibration, SHORT, "interpolation").defocus_map / 0.35
    np.testing.assert_allclose(sizes, np.round(sizes), atol=1e-5)
    with pytest.raises(InputError, match="skips: found 'feather', expected one of centring"):
        evaluation.solve_fast(case.capture, case.calibration, SHORT, "feather")


def test_filling_left_out_leaves_each_layer_the_captured_views(case, monkeypatch):
    given = []

    def deblur(views, *rest):
        given.append(views)
        return views.mean((0, 1)), rest[2]

    monkeypatch.setattr(ablations_room, "deblur", deblur)
    solved = evaluation.solve_fast(case.capture, case.calibration, SHORT, "filling")
    assert solved.all_in_focus.shape == case.capture.views.shape[1:]
    _, normalised, _ = fast.at_middle_grey(case.capture, case.calibration)
    np.testing.assert_array_equal(given[0], np.broadcast_to(normalised, given[0].shape))


def test_published_optimisation_makes_the_changes_and_is_compiled_once(case):
    settings = PublishedSettings(nearest=0.1, farthest=1.4, layers=3, iterations=4)
    views, kernels = case.capture.views, case.calibration.kernels
    compiled = optimise._advance._cache_size()
    full = evaluation.solve_published(case.capture, case.calibration, settings, {})
    changes = {"alpha": 0.0, "noise_variance": 0.0}
    sharp, size = evaluation.solve_published(case.capture, case.calibration, settings, changes)
    assert np.abs(full.defocus_map - size).max() > 1e-3
    changed = replace(settings, alpha=0.0, noise_variance=0.0)
    intensities, alphas, _ = paper.fit_published(views, kernels, changed.scales, changed)
    assert optimise._advance._cache_size() == compiled + 1
    np.testing.assert_array_equal(size, optics.defocus_map(alphas, changed.scales))
    shares = np.asarray(optics.transmittance(alphas))
    assert np.abs(sharp - (shares * np.asarray(intensities)).sum(0)).mean() < 0.05


# --- the synthetic set and its scores ---


def test_synthetic_captures_have_their_sizes_and_noise():
    quiet, noisy = camera_of(), camera_of(evaluation.PUBLISHED_GAIN)
    assert quiet.kernel_size == noisy.kernel_size and noisy.sensor.gain > 10 * quiet.sensor.gain
    case = evaluation.synthetic("cards", 0, 48, 64, noisy)
    known = case.truth.defocus_map[case.truth.mask]
    assert abs(known.max() - evaluation.FARTHEST) < 1e-3 and known.min() > evaluation.NEAREST - 1e-3
    with pytest.raises(InputError, match="kind: found 'card', expected one of cards, tabletop"):
        evaluation.synthetic("card", 0, 48, 64, noisy)


def test_size_is_the_mean_over_what_is_known():
    rng = np.random.default_rng(0)
    sharp = np.kron(rng.random((8, 8)), np.ones((6, 6))).astype(np.float32)
    size = rng.random((48, 48), np.float32)
    mask = np.zeros((48, 48), bool)
    mask[10:30] = True
    found = np.where(mask, size - np.float32(0.1), 9).astype(np.float32)
    solved = Solved(sharp * np.float32(0.99), found)
    scores = evaluation.scored(solved, GroundTruth(sharp, size, mask))
    assert set(scores) == set(BETTER)
    assert abs(scores["size"] + 0.1) < 1e-5 and scores["aiwe1"] < 1e-4
    other_unit = evaluation.scored(solved, GroundTruth(sharp, size, mask), same_unit=False)
    assert abs(other_unit["size"] - found[mask].mean()) < 1e-6


def test_effects_compare_each_capture_with_itself():
    full = [dict.fromkeys(BETTER, 20.0), dict.fromkeys(BETTER, 30.0)]
    without = [dict.fromkeys(BETTER, 19.0), dict.fromkeys(BETTER, 31.5)]
    found = evaluation.effects(full, without)
    np.testing.assert_allclose(found["psnr"], (-0.25, np.sqrt(2) * 1.25, 0.5))
    np.testing.assert_allclose(found["mae"], (0.25, np.sqrt(2) * 1.25, 0.5))
    assert evaluation.effects(full[:1], without[:1])["psnr"] == (1.0, 0.0, 1.0)
    with pytest.raises(InputError, match="found 2 and 1 captures"):
        evaluation.effects(full, without[:1])


# --- the benchmark ---


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


def test_readme_has_each_part_with_its_effect_on_every_kind_of_capture(tmp_path, monkeypatch, capsys):
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
    readme = tmp_path / "README.md"
    readme.write_text("\n".join(benchmark.records.marks(benchmark.NAME)))
    monkeypatch.setattr(sys, "argv", ["ablations.py", "--readme", str(readme)])
    benchmark.main()
    lines = benchmark.records.table_in(readme.read_text(), benchmark.NAME).splitlines()
    assert "| layers | PSNR (dB) | +0.25 ± 1.06 | 50% | +2.00 ± 0.00 | 100% |" in lines
    assert "| neighbours | AIWE(1) | – | – | – | – |" in lines
    assert "| ***of preset `fast`*** | | captures: 2 | | captures: 2 | |" in lines
    assert len(lines) == 2 + 2 + len(FAST) + len(PUBLISHED) + 2 and lines[-1].endswith("jax 1; m.")
    monkeypatch.setattr(sys, "argv", ["ablations.py"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "expected --out" in capsys.readouterr().err
