"""The formulas of the proof of the expected energy (4) and the bias correction (5), one function for each.

Each is a function of one `Frequency`: of numbers, of arrays (one entry for each frequency) or of sympy
symbols. `steps` says which of them are equal, or equal on average over scene and noise, and proves it.

Symbols: v = l, r; K the kernels' transforms at the hypothesis d, K⋆ at the true size, C the scene, N the
noise, σ² its variance, |Φ|² the prior, r = σ²|Φ|², ``B = Σ_v |K^v|² + r``, and two recurring sums,
``S = Σ_v K⋆^v K̄^v`` and ``n = Σ_v N^v K̄^v``. Transforms are unitary. Double precision, on the host.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import sympy


class Frequency(NamedTuple):
    """Everything at one frequency, as symbols, numbers or arrays. `hypothesis`, `truth` and `noise` are
    pairs.
    """

    hypothesis: Any  # K^l, K^r
    truth: Any  # K⋆^l, K⋆^r
    scene: Any  # C
    noise: Any  # N^l, N^r
    variance: Any  # σ²
    prior: Any  # |Φ|²

    @property
    def ratio(self):
        """``σ²|Φ|²``."""
        return self.variance * self.prior

    @property
    def B(self):
        """The denominator ``B = Σ_v |K^v|² + σ²|Φ|²``."""
        return sum(abs2(k) for k in self.hypothesis) + self.ratio

    @property
    def S(self):
        """``S = Σ_v K⋆^v K̄^v``: how well the hypothesis matches the truth."""
        return sum(t * conj(k) for t, k in zip(self.truth, self.hypothesis, strict=True))

    @property
    def n(self):
        """``n = Σ_v N^v K̄^v``: the noise that the hypothesis lets into the sharp image."""
        return sum(x * conj(k) for x, k in zip(self.noise, self.hypothesis, strict=True))

    @property
    def observed(self):
        """``I^v = K⋆^v C + N^v`` (20)."""
        return tuple(t * self.scene + x for t, x in zip(self.truth, self.noise, strict=True))


def conj(x):
    """Complex conjugate. A symbol and its conjugate are independent unknowns, as in Wirtinger calculus."""
    return x.xreplace(_conjugates()) if isinstance(x, sympy.Basic) else np.conj(x)


def abs2(x):
    """``|x|² = x x̄``."""
    return x * conj(x)


@lru_cache
def symbols() -> Frequency:
    """A frequency of symbols: one identity proved on it holds for all numbers."""
    names = "K^l", "K^r", "K_{\\star}^l", "K_{\\star}^r", "C", "N^l", "N^r"
    kl, kr, tl, tr, c, nl, nr = (sympy.Symbol(name) for name in names)
    variance, prior = sympy.symbols("sigma^2 |Phi|^2", positive=True)
    return Frequency((kl, kr), (tl, tr), c, (nl, nr), variance, prior)


@lru_cache
def _conjugates():
    frequency = symbols()
    plain = [*frequency.hypothesis, *frequency.truth, frequency.scene, *frequency.noise, sharp_estimate()]
    barred = [sympy.Symbol(f"\\overline{{{symbol.name}}}") for symbol in plain]
    return dict(zip(plain + barred, barred + plain, strict=True))


@lru_cache
def sharp_estimate():
    """The unknown sharp image ``Ĉ`` as a symbol."""
    return sympy.Symbol("\\hat{C}")


def random_frequencies(seed: int, size: int = 9) -> Frequency:
    """Arrays of a random case, one entry for each frequency: positive kernels that sum to one, complex scene
    and noise.
    """
    rng = np.random.default_rng(seed)
    kernels = rng.uniform(size=(4, size, size)) ** 4
    spectra = np.fft.fft2(kernels / kernels.sum((1, 2), keepdims=True))
    scene, left, right = rng.normal(size=(3, size, size)) + 1j * rng.normal(size=(3, size, size))
    variance, prior = rng.uniform(0.1, 1, (2, 1, 1))
    return Frequency(tuple(spectra[:2]), tuple(spectra[2:]), scene, (left, right), variance, prior)


def expectation(formula: Callable, f: Frequency):
    """Average over scene and noise of a formula quadratic in them, with ``E|C|² = 1/|Φ|²`` and ``E|N^v|² =
    σ²``.

    C, N^l and N^r have mean zero and are uncorrelated, so that of ``Σ_ij Q_ij x_i x̄_j`` only the squares
    remain, and each coefficient ``Q_ii`` is the formula's value where that variable is one and the others are
    zero.
    """
    one, zero = (sympy.Integer(1), sympy.Integer(0)) if isinstance(f.variance, sympy.Basic) else (1.0, 0.0)
    scene = formula(f._replace(scene=one, noise=(zero, zero)))
    left = formula(f._replace(scene=zero, noise=(one, zero)))
    right = formula(f._replace(scene=zero, noise=(zero, one)))
    return scene / f.prior + f.variance * (left + right)


def posterior(f, estimate):
    """-2σ² times the exponents of (22) and (23)."""
    misfit = sum(abs2(k * estimate - i) for k, i in zip(f.hypothesis, f.observed, strict=True))
    return -2 * f.variance * (-misfit / (2 * f.variance) - f.prior * abs2(estimate) / 2)


def energy(f, estimate):
    """(26) before the minimum: ``Σ_v |K^v Ĉ − I^v|² + σ²|Φ|² |Ĉ|²``."""
    misfit = sum(abs2(k * estimate - i) for k, i in zip(f.hypothesis, f.observed, strict=True))
    return misfit + f.variance * f.prior * abs2(estimate)


def minimiser(f):
    """(27): ``Ĉ = (I^l K̄^l + I^r K̄^r) / B``."""
    left, right = f.observed
    return (left * conj(f.hypothesis[0]) + right * conj(f.hypothesis[1])) / f.B


def completed_square(f, estimate):
    """``E(Ĉ*) + B |Ĉ − Ĉ*|²``, with Ĉ* of (27): the energy around its only minimum."""
    return energy(f, minimiser(f)) + f.B * abs2(estimate - minimiser(f))


def eq30(f):
    """(30): (27) inserted into (26), still in the observed views."""
    return energy(f, minimiser(f))


def eq31(f):
    """(31): (30) with the views written as scene and noise."""
    (kl, kr), (tl, tr), (nl, nr) = f.hypothesis, f.truth, f.noise
    estimate = ((tl * f.scene + nl) * conj(kl) + (tr * f.scene + nr) * conj(kr)) / f.B
    left = abs2(kl * estimate - (tl * f.scene + nl))
    right = abs2(kr * estimate - (tr * f.scene + nr))
    return left + right + f.ratio * abs2(estimate)


def eq32(f):
    """(32): scene and noise separated inside each square."""
    views = sum(
        abs2(f.scene * (k * f.S - t * f.B) / f.B + k * f.n / f.B - x)
        for k, t, x in zip(f.hypothesis, f.truth, f.noise, strict=True)
    )
    return views + f.ratio * abs2(f.scene * f.S / f.B + f.n / f.B)


def eq33(f):
    """(33): without the products of scene and noise, which average to zero."""
    scene = sum(abs2(f.scene * (k * f.S - t * f.B) / f.B) for k, t in zip(f.hypothesis, f.truth, strict=True))
    noise = sum(abs2(k * f.n / f.B - x) for k, x in zip(f.hypothesis, f.noise, strict=True))
    return scene + noise + f.ratio * abs2(f.scene * f.S / f.B) + f.ratio * abs2(f.n / f.B)


def scene_part(f):
    """The scene's part of (34), with ``E|C|² = |Φ|⁻²`` (25)."""
    views = sum(abs2((k * f.S - t * f.B) / f.B) for k, t in zip(f.hypothesis, f.truth, strict=True))
    return (views + f.ratio * abs2(f.S / f.B)) / f.prior


def noise_part(f):
    """The noise's part of (34), corrected: squared moduli ``|K^v|²`` where the print has ``K^v²``."""
    kl, kr = f.hypothesis
    own = abs2((abs2(kl) + f.ratio) / f.B) + abs2((abs2(kr) + f.ratio) / f.B)
    other = 2 * abs2(kl * kr / f.B)  # the modulus does not see a conjugate
    return f.variance * (own + other + f.ratio * abs2(kl / f.B) + f.ratio * abs2(kr / f.B))


def own_noise(f):
    """Factor of a view's own noise in (33), for view l: ``K^l K̄^l / B − 1``."""
    return abs2(f.hypothesis[0]) / f.B - 1


def own_noise_sorted(f):
    """The same factor, simplified: ``−(|K^r|² + σ²|Φ|²) / B``."""
    return -(abs2(f.hypothesis[1]) + f.ratio) / f.B


def eq34(f):
    """(34), corrected."""
    return scene_part(f) + noise_part(f)


def eq34_printed(f):
    """(34) and (35) as printed: a kernel's square ``K^v²`` in place of its squared modulus."""
    kl, kr = f.hypothesis
    own = abs2((kl**2 + f.ratio) / f.B) + abs2((kr**2 + f.ratio) / f.B)
    other = 2 * abs2(kl * kr / f.B)  # the modulus does not see a conjugate
    noise = f.variance * (own + other + f.ratio * abs2(kl / f.B) + f.ratio * abs2(kr / f.B))
    return scene_part(f) + noise


def scene_terms(f):
    """The two sums over the scene in (35): mismatch of the kernels, and cost of the prior."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    return (abs2(tl * kr - tr * kl) / f.B + f.ratio * (abs2(tl) + abs2(tr)) / f.B) / f.prior


def noise_terms(f):
    """The last sum of (36), of the noise: ``σ² (σ²|Φ|² / B + 1)``."""
    return f.variance * (f.ratio / f.B + 1)


def noise_polynomial(f):
    """The noise part multiplied out: ``σ² (P² + 3rP + 2r²) / B²``, ``P = Σ_v |K^v|²``, ``r = σ²|Φ|²``."""
    power = abs2(f.hypothesis[0]) + abs2(f.hypothesis[1])
    return f.variance * (power * power + 3 * f.ratio * power + 2 * f.ratio * f.ratio) / (f.B * f.B)


def eq35(f):
    """(35), corrected: scene simplified, noise as in (34)."""
    return scene_terms(f) + noise_part(f)


def eq36(f):
    """(36): ``|Φ|⁻² |K⋆^l K^r − K⋆^r K^l|² / B + σ² [Σ_v |K⋆^v|² / B + σ²|Φ|² / B + 1]``."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    mismatch = abs2(tl * kr - tr * kl) / f.B / f.prior
    return mismatch + f.variance * ((abs2(tl) + abs2(tr)) / f.B + f.ratio / f.B + 1)


def eq37(f):
    """(37): ``|Φ|⁻² |K⋆^l K^r − K⋆^r K^l|² / B + σ² [(Σ_v |K⋆^v|² + σ²|Φ|²) / B + 1]``."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    mismatch = abs2(tl * kr - tr * kl) / f.B / f.prior
    return mismatch + f.variance * ((abs2(tl) + abs2(tr) + f.ratio) / f.B + 1)


def eq4(f):
    """(4): ``C₁ |K⋆^l K^r − K⋆^r K^l|² + σ² (Σ_v |K⋆^v|² + σ²|Φ|²) / B + C₂``, C₁ = |Φ|⁻²/B, C₂ = σ²."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    c1, c2 = 1 / (f.prior * f.B), f.variance
    return c1 * abs2(tl * kr - tr * kl) + f.variance * (abs2(tl) + abs2(tr) + f.ratio) / f.B + c2


def least_energy(f):
    """The energy at its minimum, in two views: ``Σ_v |I^v|² − |Σ_v K̄^v I^v|² / B``."""
    (left, right), (kl, kr) = f.observed, f.hypothesis
    return abs2(left) + abs2(right) - abs2(conj(kl) * left + conj(kr) * right) / f.B


def lagrange_left(f):
    """``Σ_v |K⋆^v|² Σ_v |K^v|² − |Σ_v K⋆^v K̄^v|²``."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    return (abs2(tl) + abs2(tr)) * (abs2(kl) + abs2(kr)) - abs2(tl * conj(kl) + tr * conj(kr))


def lagrange_right(f):
    """``|K⋆^l K^r − K⋆^r K^l|²``: Lagrange's identity for two complex pairs."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    return abs2(tl * kr - tr * kl)


def residual_power(f):
    """``|I^l K^r − I^r K^l|² / B``: what no sharp image explains at the hypothesis.

    See `wiener.cross_residual`.
    """
    (left, right), (kl, kr) = f.observed, f.hypothesis
    return abs2(left * kr - right * kl) / f.B


def split_energy(f):
    """Lagrange's identity on the views: ``|I^l K^r − I^r K^l|² / B + σ²|Φ|² Σ_v |I^v|² / B``."""
    left, right = f.observed
    return residual_power(f) + f.ratio * (abs2(left) + abs2(right)) / f.B


def averaged_residual_power(f):
    """``|Φ|⁻² |K⋆^l K^r − K⋆^r K^l|² / B + σ² Σ_v |K^v|² / B``."""
    (kl, kr), (tl, tr) = f.hypothesis, f.truth
    return abs2(tl * kr - tr * kl) / f.B / f.prior + f.variance * (abs2(kl) + abs2(kr)) / f.B


def covariance(f):
    """Covariance of the views, given the kernels, ``K^v K̄^w / |Φ|² + σ² δ_vw``, as ((ll, lr), (rl, rr))."""
    kl, kr = f.hypothesis
    ll, rr = abs2(kl) / f.prior + f.variance, abs2(kr) / f.prior + f.variance
    return (ll, kl * conj(kr) / f.prior), (kr * conj(kl) / f.prior, rr)


def determinant(f):
    """Determinant of the views' covariance."""
    (ll, lr), (rl, rr) = covariance(f)
    return ll * rr - lr * rl


def determinant_by_B(f):
    """``σ² B / |Φ|²``."""
    return f.variance * f.B / f.prior


def evidence_exponent(f):
    """σ² times ``Σ_vw Ī^v (covariance⁻¹)_vw I^w``, minus twice the logarithm of a Gaussian's exponential."""
    (left, right), ((ll, lr), (rl, rr)) = f.observed, covariance(f)
    quadratic = rr * abs2(left) + ll * abs2(right) - lr * conj(left) * right - rl * conj(right) * left
    return f.variance * quadratic / determinant(f)


def averaged_least_energy(f):
    """``Σ_v (|K⋆^v|²/|Φ|² + σ²) − (|S|²/|Φ|² + σ² Σ_v |K^v|²) / B``: squares of scene and noise averaged."""
    views = sum(abs2(t) / f.prior + f.variance for t in f.truth)
    return views - (abs2(f.S) / f.prior + f.variance * sum(abs2(k) for k in f.hypothesis)) / f.B


def noise_term(f):
    """The second term of (4), with C₂: what noise adds at the hypothesis."""
    (tl, tr), variance = f.truth, f.variance
    return variance * (abs2(tl) + abs2(tr) + f.ratio) / f.B + variance


def noise_term_at_truth(f):
    """The second term with C₂, where the hypothesis is the truth."""
    return noise_term(f._replace(hypothesis=f.truth))


def noise_of_both_views(f):
    """``σ² (B⋆ / B⋆ + 1) = 2σ²``: at the truth the term's numerator equals its denominator."""
    at_truth = f._replace(hypothesis=f.truth)
    return f.variance * (at_truth.B / at_truth.B + 1)


def dropped_and_kept(f):
    """The second term as what (5) keeps, ``σ² σ²|Φ|²/B``, what it drops, ``σ² Σ_v |K⋆^v|²/B``, and C₂."""
    kept = f.variance * f.ratio / f.B
    left_out = f.variance * sum(abs2(t) for t in f.truth) / f.B
    return kept + left_out + f.variance
