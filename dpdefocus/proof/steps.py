"""The proof as steps, each from one formula to the next, and the check of a step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dpdefocus.proof.checks import check_algebra, check_numbers
from dpdefocus.proof.derivation import (
    Frequency,
    averaged_least_energy,
    averaged_residual_power,
    completed_square,
    determinant,
    determinant_by_B,
    dropped_and_kept,
    energy,
    eq4,
    eq30,
    eq31,
    eq32,
    eq33,
    eq34,
    eq35,
    eq36,
    eq37,
    evidence_exponent,
    expectation,
    lagrange_left,
    lagrange_right,
    least_energy,
    noise_of_both_views,
    noise_part,
    noise_polynomial,
    noise_term,
    noise_term_at_truth,
    noise_terms,
    own_noise,
    own_noise_sorted,
    posterior,
    random_frequencies,
    residual_power,
    scene_part,
    scene_terms,
    sharp_estimate,
    split_energy,
    symbols,
)


@dataclass(frozen=True)
class Step:
    """One step of the proof: the claim that two formulas agree, always or (`average`) on average.

    `left` and `right` are functions of a `Frequency`, and of an `estimate` of the scene where `free` says so.
    On average, `left` is averaged by `expectation`; so is `right`, unless it is free of scene and noise
    (`averaged`).
    """

    name: str
    left: Callable
    right: Callable
    free: bool = False
    average: bool = False
    averaged: bool = True

    def sides(self, f: Frequency, estimate=None):
        """Both sides at a frequency."""
        if self.free:
            return self.left(f, estimate), self.right(f, estimate)
        if self.average:
            return expectation(self.left, f), self.right(f) if self.averaged else expectation(self.right, f)
        return self.left(f), self.right(f)


STEPS = {
    step.name: step
    for step in (
        Step("(21)-(23) -> (26)", posterior, energy, free=True),
        Step("(26) -> (27), square completed", energy, completed_square, free=True),
        Step("(30) -> (31)", eq30, eq31),
        Step("(31) -> (32)", eq31, eq32),
        Step("(32) -> (33)", eq32, eq33, average=True, averaged=False),
        Step("(33) -> (34), own noise", own_noise, own_noise_sorted),
        Step("(33) -> (34)", eq33, eq34, average=True),
        Step("(34) -> (35), scene", scene_part, scene_terms),
        Step("(35) -> (36), multiplied out", noise_part, noise_polynomial),
        Step("(35) -> (36), noise", noise_polynomial, noise_terms),
        Step("(35) -> (36)", eq35, eq36),
        Step("(36) -> (37)", eq36, eq37),
        Step("(37) -> (4)", eq37, eq4),
        Step("short way, line 1", eq30, least_energy),
        Step("Lagrange's identity", lagrange_left, lagrange_right),
        Step("short way, average", least_energy, averaged_least_energy, average=True),
        Step("short way, line 2", least_energy, eq37, average=True),
        Step("energy split in two", least_energy, split_energy),
        Step("first part, average", residual_power, averaged_residual_power, average=True),
        Step("second term at the truth", noise_term_at_truth, noise_of_both_views),
        Step("(4) -> (5), kept and left out", noise_term, dropped_and_kept),
        Step("evidence, determinant", determinant, determinant_by_B),
        Step("evidence, exponent", evidence_exponent, least_energy),
    )
}


def check(step: Step, seed: int = 0) -> str:
    """Prove a step by algebra, and test it on random kernels. Returns a line that says so.

    Raises:
        CheckFailed: the proof or the test fails.
    """
    check_algebra(step.name, *step.sides(symbols(), sharp_estimate()))
    f = random_frequencies(seed)
    estimate = np.random.default_rng(seed + 1).normal(size=(2, *f.scene.shape))
    check_numbers(step.name, *step.sides(f, estimate[0] + 1j * estimate[1]))
    return f"{step.name}: holds, by algebra and on {f.scene.size} random frequencies"
