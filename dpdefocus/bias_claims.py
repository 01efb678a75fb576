"""Claims of lesson 3 about sampled noise and whole images, each a check that raises `CheckFailed`.

What a claim rests on can be handed in (a transform, a renderer, a prediction), so that a wrong one can be
seen to fail. Every check is deterministic for its seed and gives one line that says what holds. Axes and
units as in `bias_trials`.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from scipy.stats import kstest

from dpdefocus import bias, blur, mpi
from dpdefocus.bias_trials import (
    CORRECTIONS,
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
    unitary,
)
from dpdefocus.derivation import (
    CheckFailed,
    Frequency,
    abs2,
    check_expectation,
    check_numbers,
    confidence_interval,
    eq37,
    random_frequencies,
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
    """(26): a sum of squares over pixels is the sum over frequencies (Parseval), if the transform is unitary."""
    image = np.random.default_rng(seed).normal(size=(8, 8))
    check_numbers("Parseval", (image**2).sum(), abs2(transform(image)).real.sum())
    return "sum over pixels = sum over frequencies"


def single_layer(seed: int, render: Callable = mpi.render) -> str:
    """(17) → (18): one opaque layer renders as its blurred intensity (compared away from the border)."""
    rng = np.random.default_rng(seed)
    image, kernels = rng.uniform(size=(24, 24)), rng.uniform(size=(2, 5, 5))
    kernels /= kernels.sum((1, 2), keepdims=True)
    layers, opaque, grid = (jnp.asarray(x, jnp.float32) for x in (image[None], np.ones((1, 24, 24)), kernels))
    grid = grid[None, None, None]
    tiling = blur.tiling_of(24, 24, grid)
    rendered = np.asarray(render(layers, opaque, blur.kernel_spectra(grid, tiling), tiling))
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


def energy_at_every_band(
    seed: int,
    families: dict,
    true_size: float,
    hypotheses: Sequence[float],
    noise_variance: float,
    prior: float,
    draws: int,
    length: int = 48,
    bands: int = 12,
    expected: Callable = bias.expected_energy,
) -> tuple[dict, int]:
    """(28) → (37) on images: sampled energy against (37) in every band, for each family and hypothesis.

    Gives for each family the ratio sampled / expected and the lower and upper end of its interval, each
    [hypotheses, bands], and how many intervals would miss if each had its 99 % alone. The intervals given hold
    all together at 99 % (Bonferroni), and every one of them must contain one. They rest on the distribution of
    the energy (`energy_cumulants`) and not on its spread in the sample.
    """
    rings = frequency_bands(length, bands)
    outside = (1 - CONFIDENCE) / 2
    joint = outside / (len(families) * len(hypotheses) * bands)
    ratios, missed = {}, 0
    for index, (family, pupil) in enumerate(families.items()):
        truth = kernel_spectra(pupil, [true_size], length)[0]
        observed = sample_views(1000 * seed + index, truth, noise_variance, prior, draws)
        rows = []
        for size in hypotheses:
            kernels = kernel_spectra(pupil, [size], length)[0]
            sampled = energy_by_band(observed, kernels, noise_variance * prior, rings).mean(0)
            terms = expected(jnp.asarray(truth), jnp.asarray(kernels), noise_variance, prior)
            ratio = sampled / band_means(terms.mismatch + terms.noise, rings)
            cumulants = energy_cumulants(truth, kernels, noise_variance, prior, rings)
            spread = distribution_of_mean(cumulants, draws)
            # The energy's scale is the unknown: its quantiles, by their mean, divide the ratio.
            at = [spread.ppf(share) / cumulants[0] for share in (1 - joint, joint, 1 - outside, outside)]
            low, high, alone_low, alone_high = (ratio / quantile for quantile in at)
            if not ((low <= 1) & (high >= 1)).all():
                worst = int(np.argmax(np.abs(ratio - 1) / (high - low)))
                raise CheckFailed(
                    f"(37), {family}, d = {size:g}: in band {worst} sampled energies are {ratio[worst]:.4f} of "
                    f"what is expected; their interval is {low[worst]:.4f} to {high[worst]:.4f} over {draws} "
                    "draws."
                )
            missed += int(((alone_low > 1) | (alone_high < 1)).sum())
            rows.append((ratio, low, high))
        ratios[family] = tuple(np.array(part) for part in zip(*rows, strict=True))
    return ratios, missed


def energy_distribution(
    seed: int,
    families: dict,
    true_size: float,
    hypotheses: Sequence[float],
    noise_variance: float,
    prior: float,
    draws: int,
    length: int = 48,
    bands: int = 12,
    cumulants: Callable = energy_cumulants,
) -> str:
    """Energies of single captures are distributed as `energy_cumulants` says.

    The first cumulant is (37) in every band; the rest by Kolmogorov's and Smirnov's test over all bands, all
    families and hypotheses together at 99 %.
    """
    rings = frequency_bands(length, bands)
    least = (1 - CONFIDENCE) / (len(families) * len(hypotheses))
    for index, (family, pupil) in enumerate(families.items()):
        truth = kernel_spectra(pupil, [true_size], length)[0]
        observed = sample_views(1000 * seed + index, truth, noise_variance, prior, draws)
        for size in hypotheses:
            kernels = kernel_spectra(pupil, [size], length)[0]
            found = cumulants(truth, kernels, noise_variance, prior, rings)
            terms = bias.expected_energy(jnp.asarray(truth), jnp.asarray(kernels), noise_variance, prior)
            name = f"distribution of the energy, {family}, d = {size:g}"
            check_numbers(name, found[0], band_means(terms.mismatch + terms.noise, rings), BY_BAND)
            samples = energy_by_band(observed, kernels, noise_variance * prior, rings)
            # Bands are independent, so that their places in their own distributions are one sample.
            chance = kstest(distribution_of_mean(found, 1).cdf(samples).ravel(), "uniform").pvalue
            if not chance >= least:
                raise CheckFailed(
                    f"{name}: a fit as bad as this has a chance of {chance:.2g}; expected {least:.2g} or more."
                )
    return f"energies of {draws} captures are distributed as predicted"


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

    Gives for each correction (predicted shift, mean measured shift, half width of its 99 % interval), each
    [levels]. All levels and corrections must agree together.
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
            terms = bias.expected_energy(truth, kernels, *constants)
            return np.asarray(terms.mismatch + terms.noise - correction(kernels, *constants))

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
    """But its frequencies are not independent: ``E N(f) N̄(g)`` is the variance map's transform at f − g,
    over √n.
    """
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
    predicted = band_means(terms.mismatch + terms.noise, rings)
    check_expectation("(37) with photon noise", samples, predicted)
    return "(37) with sigma^2 = a mean(I) + b: within 99 % intervals in all 8 bands"
