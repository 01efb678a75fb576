"""The scoring protocol against closed forms, other solvers, and the scores that the protocol states."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.optimize import linprog
from scipy.stats import pearsonr, spearmanr

from dpdefocus import evaluation
from dpdefocus.data.pixel4 import load_ground_truth, load_pixel4
from dpdefocus.evaluation import metrics as metrics_room
from dpdefocus.support.errors import InputError


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def smooth(rng, shape=(120, 150), sigma=2.0):
    image = gaussian_filter(rng.normal(size=shape), sigma)
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def maps(rng, size=200):
    """A noisy prediction of a truth in few steps, hence with ties, and a mask."""
    truth = np.round(rng.uniform(size=size) * 12) / 12
    prediction = 3 - 2 * truth + rng.laplace(scale=0.3, size=size)
    return np.round(prediction, 1), truth, rng.uniform(size=size) > 0.3


def test_affine_relation_of_negative_slope_and_masked_outlier_score_zero(rng):
    truth = smooth(rng)
    mask = np.ones(truth.shape, bool)
    mask[3, 4] = False
    prediction = 2 - 0.7 * truth
    prediction[3, 4] = 1e3
    scores = evaluation.map_scores(prediction, truth, mask)
    assert scores["aiwe1"] == pytest.approx(0, abs=1e-6)
    assert scores["aiwe2"] == pytest.approx(0, abs=1e-6)
    assert scores["spearman"] == pytest.approx(0, abs=1e-6)
    # The outlier is ranked here, though not compared: it moves the others by a rank of 18,000.
    assert scores["spearman_ordinal"] == pytest.approx(0, abs=1e-3)


def test_constant_prediction(rng):
    truth = smooth(rng)
    mask = rng.uniform(size=truth.shape) > 0.2
    scores = evaluation.map_scores(np.full_like(truth, 0.4), truth, mask)
    assert scores["aiwe2"] == pytest.approx(truth[mask].std(), rel=1e-5)
    assert scores["spearman"] == scores["spearman_ordinal"] == 1


def test_shifted_truth_is_aligned(rng):
    truth = smooth(rng, sigma=4.0)
    rows, cols = np.meshgrid(*map(np.arange, truth.shape), indexing="ij")
    moved = map_coordinates(
        truth, [rows * 1.002 + 1.3, cols * 0.999 - 0.7 + 0.001 * rows], order=3, mode="nearest"
    )
    before = np.abs(moved - truth)[8:-8, 8:-8].mean()
    scores = evaluation.image_scores(moved, truth)
    assert scores["aligned"]
    assert scores["psnr"] > 45
    assert scores["mae"] < before / 10


def test_no_gain_is_fitted_and_the_truth_has_maximum_one(rng):
    truth = 0.2 + 0.6 * smooth(rng, sigma=4.0)
    inner = truth[8:-8, 8:-8] / truth[8:-8, 8:-8].max()
    scores = evaluation.image_scores(0.9 * truth, truth)
    assert scores["mae"] == pytest.approx(0.1 * inner.mean(), rel=1e-3)
    assert scores["psnr"] == pytest.approx(-10 * np.log10((0.01 * inner**2).mean()), abs=0.01)


def test_a_rim_of_eight_pixels_is_left_out(rng, monkeypatch):
    monkeypatch.setattr(metrics_room, "align_affine", lambda image, truth: (image, True))
    truth = smooth(rng)
    image = truth.copy()
    image[:8], image[-8:], image[:, :8], image[:, -8:] = 0, 0, 0, 0
    assert evaluation.image_scores(image + np.float32(1e-6), truth)["mae"] < 1e-5
    image[8, 60] += 0.5
    expected = 0.5 / truth[8:-8, 8:-8].max() / (104 * 134)
    assert evaluation.image_scores(image, truth)["mae"] == pytest.approx(expected, rel=1e-3)


def test_alignment_that_fails_is_said(rng):
    truth = smooth(rng)
    constant = np.full_like(truth, 0.5)
    aligned, converged = evaluation.align_affine(constant, truth)
    assert not converged
    np.testing.assert_array_equal(aligned, constant)


def test_aiwe1_is_close_to_the_linear_programme(rng):
    prediction, truth, mask = maps(rng)
    p, g = prediction[mask], truth[mask]
    g[:30] += 2  # outliers on one side: least squares would follow them
    # min sum s over (a, b, s) with -s <= a p + b - g <= s
    eye, fit = np.eye(g.size), np.stack([p, np.ones_like(p)], axis=1)
    exact = linprog(
        np.r_[0, 0, np.ones(g.size)],
        A_ub=np.block([[fit, -eye], [-fit, -eye]]),
        b_ub=np.r_[g, -g],
        bounds=[(None, None)] * 2 + [(0, None)] * g.size,
    )
    score = evaluation.aiwe1(p, g, np.ones_like(g))
    squares = np.abs(fit @ np.linalg.lstsq(fit, g)[0] - g).mean()
    least = exact.fun / g.size
    # Five rounds come most of the way from least squares (0.634 here) to the optimum (0.486).
    assert least <= score < least + 0.2 * (squares - least)


def test_aiwe1_takes_five_rounds(rng):
    prediction, truth, mask = maps(rng)
    fit = np.stack([prediction, np.ones_like(prediction)], axis=1)[mask]
    u, scores = np.ones(mask.sum()), []
    for _ in range(6):
        solution = np.linalg.lstsq(fit * np.sqrt(u)[:, None], truth[mask] * np.sqrt(u))[0]
        residual = np.abs(fit @ solution - truth[mask])
        scores.append(residual.mean())
        u = 1 / np.maximum(1e-3, residual)
    assert evaluation.aiwe1(prediction, truth, mask.astype(float)) == pytest.approx(scores[4], rel=1e-6)
    assert scores[4] != pytest.approx(scores[3], rel=1e-5)
    assert scores[4] != pytest.approx(scores[5], rel=1e-5)


def test_aiwe2_is_least_squares(rng):
    prediction, truth, mask = maps(rng)
    fit = np.stack([prediction[mask], np.ones(mask.sum())], axis=1)
    _, squares, *_ = np.linalg.lstsq(fit, truth[mask])
    expected = np.sqrt(squares[0] / mask.sum())
    assert evaluation.aiwe2(prediction, truth, mask.astype(float)) == pytest.approx(expected, rel=1e-6)


def test_spearman_ranks_ties_by_their_average_inside_the_mask(rng):
    prediction, truth, mask = maps(rng)
    expected = 1 - abs(spearmanr(prediction[mask], truth[mask]).statistic)
    assert evaluation.spearman(prediction, truth, mask) == pytest.approx(expected, rel=1e-9)


def test_ordinal_spearman_ranks_all_pixels_in_their_order(rng):
    prediction, truth, mask = maps(rng)
    ranks = [np.argsort(np.argsort(each, kind="stable")) for each in (prediction, truth)]
    expected = 1 - abs(pearsonr(ranks[0][mask], ranks[1][mask]).statistic)
    assert evaluation.spearman_ordinal(prediction, truth, mask) == pytest.approx(expected, rel=1e-9)
    assert expected != pytest.approx(evaluation.spearman(prediction, truth, mask), rel=1e-3)


def test_score_refuses_what_cannot_be_scored(rng):
    truth = (smooth(rng), smooth(rng), np.ones((120, 150), bool))
    with pytest.raises(
        InputError, match=r"all_in_focus: found shape \(20, 30\), expected the truth's, \(120, 150\)"
    ):
        evaluation.score(np.zeros((20, 30)), truth[1], truth)
    broken = truth[1].copy()
    broken[5, 5] = np.nan
    with pytest.raises(InputError, match="defocus_map: found values that are not finite"):
        evaluation.score(truth[0], broken, truth)
    with pytest.raises(InputError, match="mask is empty"):
        evaluation.score(truth[0], truth[1], (*truth[:2], ~truth[2]))


def test_the_blurred_input_scores_as_the_protocol_says(pixel4_folder):
    """Mean of the views of scene 001, as published with the protocol: 23.78 dB, 0.747, 0.0371."""
    capture, _ = load_pixel4(pixel4_folder, "001")
    truth = load_ground_truth(pixel4_folder, "001")
    scores = evaluation.score(capture.views.mean(axis=0), truth.defocus_map, truth)
    assert scores["psnr"] == pytest.approx(23.78, abs=0.005)
    assert scores["ssim"] == pytest.approx(0.747, abs=0.0005)
    assert scores["mae"] == pytest.approx(0.0371, abs=0.00005)
    assert scores["aiwe1"] == pytest.approx(0, abs=1e-6)
    assert scores["spearman"] == pytest.approx(0, abs=1e-6)
