"""Checks pass what agrees and tell what does not; intervals cover as often as they say."""

import numpy as np
import pytest

from dpdefocus.proof.checks import (
    CheckFailed,
    check_expectation,
    check_fails,
    check_numbers,
    confidence_interval,
)


def test_numbers_must_have_one_shape_and_be_finite():
    assert check_numbers("same", [1.0, 2.0], [1.0, 2.0 + 1e-12]) < 1e-11
    for left, right in (([1.0], [1.0, 1.0]), ([1.0], [np.nan]), ([1.0], [1.001])):
        with pytest.raises(CheckFailed):
            check_numbers("differ", left, right)


def test_interval_covers_as_often_as_it_says():
    samples = 1 + np.random.default_rng(1).normal(size=(20, 4000))
    mean, half = confidence_interval(samples, 0.9)
    assert np.mean(np.abs(mean - 1) < half) == pytest.approx(0.9, abs=0.02)
    assert (confidence_interval(samples, 0.9, jointly=10).half_width > half).all()
    assert 20 < check_expectation("normal", samples, 1.0) < 60  # 1 % of 4000
    with pytest.raises(CheckFailed, match="expected 1.9"):
        check_expectation("normal", samples, 1.9)


def test_a_check_that_should_fail_and_does_not_is_told():
    assert "differ by 0.5" in check_fails(check_numbers, "twice", np.ones(3), 2 * np.ones(3))
    with pytest.raises(CheckFailed, match="expected to fail"):
        check_fails(check_numbers, "fine", np.ones(3), np.ones(3))


def test_samples_must_average_to_what_is_expected_everywhere():
    """One entry of many that is off is found, and named."""
    samples = np.random.default_rng(2).normal(size=(1000, 40))
    check_expectation("zero", samples, 0)
    samples[:, 7] += 0.3
    with pytest.raises(CheckFailed, match=r"entry \[7\]"):
        check_expectation("zero", samples, 0)
