"""Checks of claims: algebra, arrays that should agree, samples that should average to what is expected.

A check that fails raises `CheckFailed`, which says what differs and by how much. Expressions are sympy's;
arrays are NumPy's, in double precision; samples have their draws along the first axis.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import sympy
from scipy.stats import t as student

ROUND_OFF = 1e-9  # relative; double precision leaves some 1e-14, ill-conditioned denominators more


class CheckFailed(AssertionError):
    """A claim does not hold; the message says which, and by how much."""


def check_fails(check: Callable, *arguments) -> str:
    """Message of a check that must fail, as of a printed step that does not hold.

    Raises:
        CheckFailed: the check passes.
    """
    try:
        check(*arguments)
    except CheckFailed as failed:
        return str(failed)
    raise CheckFailed(f"{getattr(check, '__name__', check)}: passes, and was expected to fail.")


def check_algebra(name: str, left, right) -> None:
    """Two rational expressions are the same: the numerator of their difference expands to zero.

    Raises:
        CheckFailed: they are not.
    """
    numerator, _ = sympy.fraction(sympy.together(left - right))
    rest = sympy.expand(numerator)
    if rest != 0:
        terms = len(sympy.Add.make_args(rest))
        raise CheckFailed(f"{name}: the sides differ; {terms} terms of their difference do not cancel.")


def check_numbers(name: str, left, right, tolerance: float = ROUND_OFF) -> float:
    """Two arrays agree to a tolerance relative to the largest entry; returns the largest difference, relative
    to that entry.

    Raises:
        CheckFailed: they do not, or have another shape, or are not finite.
    """
    left, right = np.asarray(left), np.asarray(right)
    if left.shape != right.shape:
        raise CheckFailed(f"{name}: the sides have shapes {left.shape} and {right.shape}.")
    difference = np.abs(left - right).max() / max(np.abs(left).max(), np.abs(right).max(), 1e-300)
    if not difference <= tolerance:
        raise CheckFailed(
            f"{name}: the sides differ by {difference:.2g} of the largest value; allowed {tolerance:.2g}."
        )
    return float(difference)


class Interval(NamedTuple):
    """Mean of samples and half the width of its confidence interval, one for each quantity."""

    mean: np.ndarray
    half_width: np.ndarray


def confidence_interval(samples, confidence: float = 0.99, jointly: int = 1) -> Interval:
    """Student's interval for the mean over the first axis; `jointly` of them hold together (Bonferroni)."""
    samples = np.asarray(samples, np.float64)
    count = len(samples)
    quantile = student.ppf(1 - (1 - confidence) / (2 * jointly), count - 1)
    return Interval(samples.mean(0), quantile * samples.std(0, ddof=1) / np.sqrt(count))


def check_expectation(name: str, samples, expected, confidence: float = 0.99) -> int:
    """The mean over independent draws (first axis) agrees with what is expected, entry by entry.

    The intervals of all entries hold jointly at the given confidence, so they widen with the number of
    entries. Returns how many entries lie outside their individual intervals; the confidence leads to expect a
    few.

    Raises:
        CheckFailed: an entry lies outside.
    """
    expected = np.broadcast_to(np.asarray(expected, np.float64), np.shape(samples)[1:])
    mean, joint = confidence_interval(samples, confidence, max(1, expected.size))
    _, alone = confidence_interval(samples, confidence)
    off = np.abs(mean - expected)
    if not (off <= joint + ROUND_OFF * np.abs(expected)).all():
        worst = np.unravel_index(np.argmax(off / np.maximum(joint, 1e-300)), off.shape)
        raise CheckFailed(
            f"{name}: entry {[int(i) for i in worst]} averages to {mean[worst]:.6g} ± {joint[worst]:.2g} "
            f"({confidence:.0%}, {expected.size} together) over {len(samples)} draws; "
            f"expected {expected[worst]:.6g}."
        )
    return int((off > alone + ROUND_OFF * np.abs(expected)).sum())
