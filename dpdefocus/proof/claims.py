"""Claims of lesson 3 about sampled noise and whole images, each a check that raises `CheckFailed`.

What a claim depends on is an argument (a transform, a renderer, a prediction), so that a wrong one can be
shown to fail. Every check is deterministic for its seed and returns one line that says what holds. Axes and
units as in `trials`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import kstest

from dpdefocus.optics import tiled_blur
from dpdefocus.optics.mpi import render as render_mpi
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.paper import bias
from dpdefocus.proof.checks import CheckFailed, check_expectation, check_numbers, confidence_interval
from dpdefocus.proof.derivation import Frequency, abs2, eq37, noise_term, random_frequencies
from dpdefocus.proof.trials import (
    CORRECTIONS,
    Curves,
    band_means,
    distribution_of_mean,
    energies,
    energy_by_band,
    energy_cumulants,
    expected_curves,
    frequency_bands,
    kernel_spectra,
    minimum,
    sample_photons,
    sample_views,
    shift_of_first_order,
    unitary,
)

SINGLE = 2e-5  # relative, for what the library computes in single precision
BY_BAND = 1e-3  # the same, where a mismatch is a small difference of large products
CONFIDENCE = 0.99


def circular_convolution(image, kernel):
    """Convolution of periodic images [size, size], by its definition: a sum over shifts."""
    shifts = np.ndindex(kernel.shape)
    return sum(kernel[shift] * np.roll(image, shift, (0, 1)) for shift in shifts)


def convolution_theorem(seed: int, kernel_transform: Callable = np.fft.fft2) -> str:
    """(19) → (20): a convolution is a product of transforms, unitary for images, plain for kernels."""
    image, kernel = np.random.default_rng(seed).uniform(size=(2, 8, 8))
    product = kernel_transform(kernel) * unitary(image)
    check_numbers("(19) -> (20)", unitary(circular_convolution(image, kernel)), product)
    return "(19) -> (20): the convolution theorem holds on 64 frequencies"


def sums_of_squares(seed: int, transform: Callable = unitary) -> str:
    """(26): sums of squares over pixels and frequencies agree (Parseval), if the transform is unitary."""
    image = np.random.default_rng(seed).normal(size=(8, 8))
    check_numbers("Parseval", (image**2).sum(), abs2(transform(image)).real.sum())
    return "sum over pixels = sum over frequencies"


def single_layer(seed: int, render: Callable = render_mpi) -> str:
    """(17) → (18): one opaque layer renders as its blurred intensity (compared away from the border)."""
    rng = np.random.default_rng(seed)
    image, kernels = rng.uniform(size=(24, 24)), rng.uniform(size=(2, 5, 5))
    kernels /= kernels.sum((1, 2), keepdims=True)
    layers, opaque, grid = (jnp.asarray(x, jnp.float32) for x in (image[None], np.ones((1, 24, 24)), kernels))
    grid = grid[None, None, None]
    tiling = tiling_of(24, 24, grid)
    program = jax.jit(lambda *mpi, grid: render(*mpi, tiled_blur.kernel_spectra(grid, tiling), tiling))
    rendered = np.asarray(program(layers, opaque, grid=grid))
    direct = []
    for kernel in kernels:
        padded = np.zeros((24, 24))
        padded[:5, :5] = kernel
        direct.append(np.roll(circular_convolution(image, padded), (-2, -2), (0, 1)))
    inner = (slice(None), slice(4, -4), slice(4, -4))
    check_numbers("(17) -> (18)", rendered[inner], np.stack(direct)[inner], SINGLE)
    return "(17) -> (18): one opaque layer renders as k * c"


def noise_statistics(
    seed: int, transform: Callable = unitary, square: Callable = abs2, draws: int = 2000
) -> str:
    """Below (20): white noise has ``E N = 0``, ``E |N|² = σ²`` and ``E N^l N̄^r = 0`` at every frequency."""
    noise = transform(np.random.default_rng(seed).normal(size=(draws, 2, 6, 6)))
    left, right = noise[:, 0], noise[:, 1]
    check_expectation("E N = 0", np.stack([left.real, left.imag], 1), 0)
    check_expectation("E |N|^2 = sigma^2", np.real(square(left)), 1)
    crossed = left * np.conj(right)
    check_expectation("E N^l conj(N^r) = 0", np.stack([crossed.real, crossed.imag], 1), 0)
    return f"E N = 0, E |N|^2 = sigma^2, E N^l conj(N^r) = 0: within 99 % intervals over {draws} draws"


def average_of(
    name: str, formula: Callable, seed: int, expected: Callable = eq37, draws: int = 20000, at: int = 3
) -> str:
    """A formula averaged over sampled scenes and noise, at a few random frequencies, is what is expected."""
    rng = np.random.default_rng(seed)
    f = random_frequencies(seed)
    hypothesis, truth = (tuple(k.ravel()[1 : at + 1] for k in pair) for pair in (f.hypothesis, f.truth))
    variance, prior = f.variance.item(), f.prior.item()
    normal = rng.normal(size=(2, 3, draws, at)) / np.sqrt(2)
    scene, left, right = normal[0] + 1j * normal[1]
    noise = (left * np.sqrt(variance), right * np.sqrt(variance))
    sampled = Frequency(hypothesis, truth, scene / np.sqrt(prior), noise, variance, prior)
    check_expectation(name, np.real(formula(sampled)), np.real(expected(sampled)))
    return f"{name}: {draws} sampled scenes and noises average to it within 99 % intervals, {at} frequencies"


class Sampled(NamedTuple):
    """Energies of sampled captures at one hypothesis, by frequency band, and the kernels they belong to."""

    truth: np.ndarray  # spectra [views, length, length]
    hypothesis: np.ndarray
    energies: np.ndarray  # [draws, bands]


class SampledBands(NamedTuple):
    """Samples [hypotheses] for each kernel family, the constants they were drawn with, and the bands' map."""

    families: Mapping[str, list[Sampled]]
    sizes: Sequence[float]
    noise_variance: float
    prior: float
    rings: np.ndarray

    def mean_energy(self, one: Sampled, expected: Callable = bias.expected_energy):
        """(37) in every band."""
        kernels = jnp.asarray(one.truth), jnp.asarray(one.hypothesis)
        terms = expected(*kernels, self.noise_variance, self.prior)
        return band_means(np.asarray(terms.mismatch) + np.asarray(terms.noise), self.rings)


def sampled_bands(
    seed: int,
    families: Mapping,
    true_size: float,
    hypotheses: Sequence[float],
    noise_variance: float,
    prior: float,
    draws: int,
    length: int = 48,
    bands: int = 12,
) -> SampledBands:
    """Captures of each kernel family at the true size, and their energies (26) at each hypothesis by band."""
    rings = frequency_bands(length, bands)
    sampled = {}
    for index, (family, pupil) in enumerate(families.items()):
        truth, *tried = kernel_spectra(pupil, [true_size, *hypotheses], length)
        observed = sample_views(1000 * seed + index, truth, noise_variance, prior, draws)
        sampled[family] = [
            Sampled(truth, kernels, energy_by_band(observed, kernels, noise_variance * prior, rings))
            for kernels in tried
        ]
    return SampledBands(sampled, hypotheses, noise_variance, prior, rings)


def energy_at_every_band(
    sampled: SampledBands, expected: Callable = bias.expected_energy
) -> tuple[dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]], int]:
    """(28) → (37) on images: sampled energy against (37) in every band, for each family and hypothesis.

    Returns for each family the ratio sampled / expected and the lower and upper end of its interval, each
    [hypotheses, bands], and how many would miss of intervals that hold at 99 % one by one. The intervals
    returned hold jointly at 99 % (Bonferroni), and each must contain one. They follow from the distribution
    of the energy (`energy_cumulants`), not from its spread in the sample.
    """
    outside = (1 - CONFIDENCE) / 2
    joint = outside / (len(sampled.families) * len(sampled.sizes) * (sampled.rings.max() + 1))
    ratios, missed = {}, 0
    for family, samples in sampled.families.items():
        rows = []
        for size, one in zip(sampled.sizes, samples, strict=True):
            ratio = one.energies.mean(0) / sampled.mean_energy(one, expected)
            constants = sampled.noise_variance, sampled.prior, sampled.rings
            cumulants = energy_cumulants(one.truth, one.hypothesis, *constants)
            draws = len(one.energies)
            spread = distribution_of_mean(cumulants, draws)
            # The energy's scale is unknown: the ratio is divided by quantiles relative to their mean.
            at = [spread.ppf(share) / cumulants[0] for share in (1 - joint, joint, 1 - outside, outside)]
            low, high, alone_low, alone_high = (ratio / quantile for quantile in at)
            if not ((low <= 1) & (high >= 1)).all():
                worst = int(np.argmax(np.abs(ratio - 1) / (high - low)))
                raise CheckFailed(
                    f"(37), {family}, d = {size:g}: in band {worst} sampled energies are {ratio[worst]:.4f} "
                    f"of what is expected; their interval is {low[worst]:.4f} to {high[worst]:.4f} over "
                    f"{draws} draws."
                )
            missed += int(((alone_low > 1) | (alone_high < 1)).sum())
            rows.append((ratio, low, high))
        ratios[family] = tuple(np.array(part) for part in zip(*rows, strict=True))
    return ratios, missed


def energy_distribution(sampled: SampledBands, cumulants: Callable = energy_cumulants) -> str:
    """Energies of single captures are distributed as `energy_cumulants` says.

    The first cumulant is (37) in every band; the distribution is tested by Kolmogorov's and Smirnov's test
    over all bands, all families and hypotheses jointly at 99 %.
    """
    least = (1 - CONFIDENCE) / (len(sampled.families) * len(sampled.sizes))
    for family, samples in sampled.families.items():
        for size, one in zip(sampled.sizes, samples, strict=True):
            constants = sampled.noise_variance, sampled.prior, sampled.rings
            found = cumulants(one.truth, one.hypothesis, *constants)
            name = f"distribution of the energy, {family}, d = {size:g}"
            check_numbers(name, found[0], sampled.mean_energy(one), BY_BAND)
            # Bands are independent, so that the values of their distribution functions form one sample.
            chance = kstest(distribution_of_mean(found, 1).cdf(one.energies).ravel(), "uniform").pvalue
            if not chance >= least:
                raise CheckFailed(
                    f"{name}: a fit as bad as this has a chance of {chance:.2g}; expected {least:.2g} or "
                    "more."
                )
    draws = len(next(iter(sampled.families.values()))[0].energies)
    return f"energies of {draws} captures are distributed as predicted"


def curves_in_double(truth, hypotheses, noise_variance: float, prior: float) -> Curves:
    """`expected_curves` by the proof's formulas in double precision: weak noise moves minima very little."""
    truth, hypotheses = (np.asarray(spectra, np.complex128) for spectra in (truth, hypotheses))
    f = Frequency(tuple(np.moveaxis(hypotheses, 1, 0)), tuple(truth), 0, (0, 0), noise_variance, prior)
    noise, shares = noise_term(f), f.ratio / f.B
    evidence = noise_variance * np.log((2 + f.ratio) * shares / f.ratio)
    terms = eq37(f) - noise, noise, noise_variance * shares, evidence
    return Curves(*(term.real.mean((-2, -1)) for term in terms))


class WeakShift(NamedTuple):
    """How far weak noise moves the minimum of (37), in pixels: exactly, and by slope over curvature."""

    exact: float
    first_order: float


def shift_by_weak_noise(
    pupil,
    true_size: float,
    noise_variance: float,
    prior: float,
    length: int = 48,
    expected: Callable = curves_in_double,
    first_order: Callable = shift_of_first_order,
) -> WeakShift:
    """Weak noise moves the minimum towards small blur, by the noise's slope over the mismatch's curvature.

    The first-order shift agrees with the exact one to 30 %.
    """
    sizes = true_size + 0.01 * np.arange(-20, 21)
    spectra = kernel_spectra(pupil, [true_size, *sizes], length)
    curves = expected(spectra[0], spectra[1:], noise_variance, prior)
    exact = float(minimum(sizes, curves.energy)) - true_size
    first = first_order(sizes, curves, true_size)
    if not (exact < 0 and abs(exact - first) < 0.3 * abs(first)):
        raise CheckFailed(
            f"weak noise: the minimum moves by {exact:+.3f} px, slope over curvature {first:+.3f} px; "
            "expected a move towards small blur, and the two alike."
        )
    return WeakShift(exact, first)


def corrected_shifts(curves: Curves, sizes: np.ndarray, true_size: float) -> dict[str, float]:
    """Shift of the minimum of (37) minus each correction: (5) leaves about half, the evidence's leaves none.

    Subtracting the whole second term leaves none either, but needs the true size.
    """
    shift = {which: float(minimum(sizes, curves.corrected(which))) - true_size for which in CORRECTIONS}
    exact = float(minimum(sizes, curves.mismatch)) - true_size
    gone = max(abs(shift["evidence"]), abs(exact)) < 0.01
    if not (gone and 0.8 * shift["none"] < shift["(5)"] < 0.3 * shift["none"]):
        raise CheckFailed(
            f"corrections: the minimum lies off the truth by {shift['none']:.3f} px, less (5) by "
            f"{shift['(5)']:.3f} px, less evidence by {shift['evidence']:.3f} px, less the second term by "
            f"{exact:.3f} px; expected less (5) about half of the first, below zero, and none in the others."
        )
    return shift


def shift_of_the_minimum(
    seed: int,
    pupil,
    true_size: float,
    sizes: np.ndarray,
    levels: Sequence[float],
    prior: float,
    draws: int,
    length: int = 48,
    expected: Callable = expected_curves,
) -> dict:
    """The estimator over many captures against the minimum of (37), by noise level and correction.

    Returns for each correction (predicted shift, mean measured shift, half width of its 99 % interval), each
    [levels]. All levels and corrections must agree jointly.
    """
    hypotheses = kernel_spectra(pupil, sizes, length)
    truth = kernel_spectra(pupil, [true_size], length)[0]
    samples, predicted = [], []
    for index, level in enumerate(levels):
        observed = sample_views(1000 * seed + index, truth, level, prior, draws)
        found = np.asarray(energies(jnp.asarray(observed), jnp.asarray(hypotheses), level * prior))
        curves = expected(jnp.asarray(truth), jnp.asarray(hypotheses), level, prior)
        for which in CORRECTIONS:
            samples.append(minimum(sizes, found - curves.correction(which)) - true_size)
            predicted.append(minimum(sizes, curves.corrected(which)) - true_size)
    samples, predicted = np.stack(samples, 1), np.array(predicted)
    check_expectation("shift of the minimum", samples, predicted)
    mean, half = confidence_interval(samples)
    shape = (len(levels), len(CORRECTIONS))
    table = np.stack([part.reshape(shape) for part in (predicted, mean, half)])
    return {which: tuple(table[:, :, i]) for i, which in enumerate(CORRECTIONS)}


def least_at_the_truth(seed: int, correction: Callable = bias.evidence_correction) -> str:
    """``E(d) + σ² log B`` is least at the truth, at every frequency: no random hypothesis lies below it."""
    for trial in range(seed, seed + 20):
        f = random_frequencies(trial)
        truth, other = (jnp.asarray(np.stack(pair), jnp.complex64) for pair in (f.truth, f.hypothesis))
        constants = float(f.variance.item()), float(f.prior.item())

        def corrected(kernels, truth=truth, constants=constants):
            mismatch, noise = bias.expected_energy(truth, kernels, *constants)
            return np.asarray(mismatch) + np.asarray(noise) - np.asarray(correction(kernels, *constants))

        below = corrected(truth) - corrected(other)
        if not below.max() <= SINGLE:
            raise CheckFailed(f"least at the truth: a hypothesis lies {below.max():.2g} below the truth.")
    return "E + sigma^2 log B: no hypothesis lies below the truth, on 20 random pairs of kernels"


def photon_noise_power(
    seed: int, views: np.ndarray, gain: float, offset: float, draws: int, predicted: Callable | None = None
) -> str:
    """Poisson–Gaussian noise has the same power at every frequency: ``a mean(I) + b``."""
    noise = sample_photons(seed, views, gain, offset, draws) - unitary(views)
    rings = frequency_bands(views.shape[-1], 8)
    mean = views.mean((1, 2))
    level = gain * mean + offset if predicted is None else predicted(mean)
    check_expectation("E |N|^2 = a mean(I) + b", band_means(abs2(noise).real, rings), level[:, None])
    return "E |N|^2 = a mean(I) + b in all 8 bands and both views"


def photon_noise_covariance(
    seed: int,
    views: np.ndarray,
    gain: float,
    offset: float,
    draws: int,
    apart: tuple[int, int] = (0, 1),
    conj: Callable = np.conj,
) -> str:
    """Its frequencies are correlated: ``E N(f) N̄(g)`` is the variance map's transform at f − g, over √n."""
    noise = (sample_photons(seed, views, gain, offset, draws) - unitary(views))[:, 0]
    product = (noise * conj(np.roll(noise, apart, (1, 2)))).mean((1, 2))
    variance = unitary(gain * views[0] + offset)[apart] / views.shape[-1]
    pairs = np.stack([product.real, product.imag], 1)
    check_expectation("E N(f) conj(N(g))", pairs, [variance.real, variance.imag])
    share = abs(variance) / (gain * views[0].mean() + offset)
    return f"E N(f) conj(N(g)) is the variance map's transform: {share:.2f} of the power for neighbours"


def photon_energy(
    seed: int,
    views: np.ndarray,
    scene: np.ndarray,
    truth: np.ndarray,
    kernels: np.ndarray,
    gain: float,
    offset: float,
    ratio: float,
    draws: int,
    variances: Callable | None = None,
) -> str:
    """The expected energy of one scene under Poisson–Gaussian noise is (37)'s with ``σ_v² = a mean(I^v) +
    b``.
    """
    rings = frequency_bands(views.shape[-1], 8)
    samples = energy_by_band(sample_photons(seed, views, gain, offset, draws), kernels, ratio, rings)
    mean = views.mean((1, 2))
    level = gain * mean + offset if variances is None else variances(mean)
    power = jnp.asarray(abs2(unitary(scene)).real, jnp.float32)
    arrays = (jnp.asarray(truth), jnp.asarray(kernels), jnp.asarray(level, jnp.float32))
    terms = bias.expected_energy_of_noise(*arrays, power, ratio)
    predicted = band_means(np.asarray(terms.mismatch) + np.asarray(terms.noise), rings)
    check_expectation("(37) with photon noise", samples, predicted)
    return "(37) with sigma^2 = a mean(I) + b: within 99 % intervals in all 8 bands"
