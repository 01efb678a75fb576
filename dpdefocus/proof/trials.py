"""Experiments on noise bias: kernels over defocus, sampled captures, the estimator over many of them.

Axes: spectra [n, views, size, size], full transforms of square periodic images; transforms of images are
unitary. Defocus sizes d are radii in pixels. Everything is periodic, so that (20) holds exactly: theory and
trial differ by noise only, not by effects of a border. Random numbers come from NumPy generators, the same on
every machine.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int
from scipy.stats import pearson3

from dpdefocus.fast.wiener import hypothesis_energy
from dpdefocus.optics.pupil import Pupil, butterworth, field_varying, half_discs, translating_disc
from dpdefocus.paper import bias
from dpdefocus.support.errors import InputError
from dpdefocus.support.parabola import fit_parabola

CORRECTIONS = ("none", "(5)", "evidence")
SIZES_AT_ONCE = 8  # of one compiled program, which serves any number of sizes


def kernel_families() -> dict[str, Pupil]:
    """Four pupils by name: three parametric ones, and a corner of a field that varies (cat's eye, uneven
    views).
    """
    corner = field_varying(3, 4)
    return {
        "half discs": half_discs(),
        "translating disc": translating_disc(),
        "Butterworth": butterworth(),
        "cat's eye": Pupil(corner.transmission[:1, :1], corner.extent),
    }


def kernels_in_field(pupil: Pupil, sizes, length: int) -> Float[np.ndarray, "n views field field"]:
    """A pupil's kernels at defocus sizes [n], on the largest odd field within `length` pixels a side."""
    sizes = np.atleast_1d(np.asarray(sizes, np.float32))
    needed = pupil.kernel_size(float(np.abs(sizes).max()))
    field = length - 1 + length % 2
    if needed > field:
        raise InputError(f"sizes: kernels of {needed} pixels; expected to fit the field of {length} pixels.")
    batches = -(-len(sizes) // SIZES_AT_ONCE)
    whole = np.resize(sizes, (batches, SIZES_AT_ONCE))
    kernels = np.concatenate([np.asarray(pupil.kernels(batch, field))[:, 0, 0] for batch in whole])
    return kernels[: len(sizes)]


def kernel_spectra(pupil: Pupil, sizes, length: int) -> Complex[np.ndarray, "n views length length"]:
    """Transforms of a pupil's kernels at defocus sizes [n], centred, over a field of `length` pixels."""
    kernels = kernels_in_field(pupil, sizes, length)
    field = kernels.shape[-1]
    padded = np.pad(kernels, ((0, 0), (0, 0), (0, length - field), (0, length - field)))
    centred = np.roll(padded, (-(field // 2), -(field // 2)), (-2, -1))
    return np.fft.fft2(centred).astype(np.complex64)


def unitary(images):
    """The unitary transform: white noise of variance σ² has power σ² at every frequency, and sums of squares
    are kept.
    """
    return np.fft.fft2(images, norm="ortho")


def sample_views(
    seed: int, truth: Complex[np.ndarray, "views size size"], noise_variance: float, prior: float, draws: int
) -> Complex[np.ndarray, "draws views size size"]:
    """Spectra of captures under the proof's model: a white scene of power 1/|Φ|², blurred, plus noise."""
    rng = np.random.default_rng(seed)
    shape = truth.shape[-2:]
    scene = unitary(rng.normal(size=(draws, 1, *shape))) / np.sqrt(prior)
    noise = unitary(rng.normal(size=(draws, 2, *shape))) * np.sqrt(noise_variance)
    return (truth * scene + noise).astype(np.complex64)


def sample_photons(
    seed: int, views: Float[np.ndarray, "views size size"], gain: float, offset: float, draws: int
) -> Complex[np.ndarray, "draws views size size"]:
    """Spectra of captures of the same views with Poisson–Gaussian noise of variance ``a I + b``."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.maximum(views, 0) / gain, size=(draws, *views.shape))
    noisy = gain * counts + rng.normal(size=counts.shape) * np.sqrt(offset)
    return unitary(noisy).astype(np.complex64)


@jax.jit
def energies(
    observed: Complex[Array, "draws views height width"],
    hypotheses: Complex[Array, "n views height width"],
    ratio: Float[Array, ""] | float,
) -> Float[Array, "draws n"]:
    """The energy (26) of each hypothesis for each capture, mean over frequencies."""
    ratios = jnp.full(observed.shape[-2:], ratio, jnp.float32)

    def of_hypothesis(kernels):
        return jax.vmap(lambda one: hypothesis_energy(one, kernels, ratios).mean())(observed)

    return jax.lax.map(of_hypothesis, hypotheses).T


class Curves(NamedTuple):
    """Expected energy over hypotheses [n], mean over frequencies: its terms, and the two corrections."""

    mismatch: np.ndarray
    noise: np.ndarray
    paper: np.ndarray
    evidence: np.ndarray

    @property
    def energy(self):
        """(37)."""
        return self.mismatch + self.noise

    def corrected(self, which: str):
        """(37) minus one of `CORRECTIONS`."""
        return self.energy - self.correction(which)

    def correction(self, which: str):
        """What is subtracted from an energy, [n]."""
        return {"none": 0 * self.noise, "(5)": self.paper, "evidence": self.evidence}[which]


def expected_curves(truth, hypotheses, noise_variance: float, prior: float) -> Curves:
    """(37) term by term, (5) and the evidence's correction, for kernels [views, ...] and hypotheses [n,
    views, ...].
    """
    # Plain floats: a NumPy scalar would make JAX compile the program a second time.
    found = _curves(truth, hypotheses, float(noise_variance), float(prior))
    return Curves(*(np.asarray(each, np.float64) for each in found))


@jax.jit
def _curves(
    truth: Complex[Array, "views ..."],
    hypotheses: Complex[Array, "n views ..."],
    noise_variance: Float[Array, ""],
    prior: Float[Array, ""],
) -> tuple[Float[Array, " n"], ...]:
    def at(kernels):
        terms = bias.expected_energy(truth, kernels, noise_variance, prior)
        ratio = noise_variance * prior
        paper = noise_variance * ratio / ((jnp.abs(kernels) ** 2).sum(0) + ratio)
        evidence = bias.evidence_correction(kernels, noise_variance, prior)
        return terms.mismatch.mean(), terms.noise.mean(), paper.mean(), evidence.mean()

    return jax.lax.map(at, hypotheses)


def minimum(sizes, curves):
    """Minimiser of curves [..., n] over evenly spaced sizes, to a fraction of their step.

    It is the vertex of the parabola through the least value and its neighbours, or an end of the range.
    """
    curves = np.asarray(curves, np.float64)
    costs = curves.reshape(-1, curves.shape[-1]).T
    return fit_parabola(costs, np.asarray(sizes, np.float64)).size.reshape(curves.shape[:-1])


def shift_of_first_order(sizes, curves: Curves, true_size: float) -> float:
    """How far weak noise moves the minimum: minus the noise term's slope over the mismatch's curvature, at
    d⋆.
    """
    near = np.abs(np.asarray(sizes) - true_size) < 0.75
    offset = np.asarray(sizes)[near] - true_size
    slope = np.polyfit(offset, curves.noise[near], 2)[1]
    curvature = 2 * np.polyfit(offset, curves.mismatch[near], 2)[0]
    return float(-slope / curvature)


def frequency_bands(length: int, bands: int) -> Int[np.ndarray, "length length"]:
    """Index of the ring in which each frequency lies: rings of equal width up to the diagonal's end."""
    f = np.fft.fftfreq(length)
    radius = np.hypot(f[:, None], f)
    return np.minimum((radius / radius.max() * bands).astype(int), bands - 1)


def band_means(values, bands: Int[np.ndarray, "length length"]) -> Float[np.ndarray, "*n bands"]:
    """Mean of values [..., length, length] in each band."""
    weights = np.stack([(bands == band).ravel() / (bands == band).sum() for band in range(bands.max() + 1)])
    values = np.asarray(values, np.float64)
    return values.reshape(*values.shape[:-2], -1) @ weights.T


def energy_by_band(
    observed: Complex[np.ndarray, "draws views height width"],
    kernels: Complex[np.ndarray, "views height width"],
    ratio: float,
    bands: Int[np.ndarray, "height width"],
) -> Float[np.ndarray, "draws bands"]:
    """The energy (26) of one hypothesis for each capture, mean over each band of frequencies."""
    return band_means(_energy_by_frequency(jnp.asarray(observed), jnp.asarray(kernels), ratio), bands)


@jax.jit
def _energy_by_frequency(
    observed: Complex[Array, "draws views height width"],
    kernels: Complex[Array, "views height width"],
    ratio: Float[Array, ""],
) -> Float[Array, "draws height width"]:
    ratios = jnp.full(kernels.shape[-2:], ratio, jnp.float32)
    return jax.vmap(lambda one: hypothesis_energy(one, kernels, ratios))(observed)


def energy_cumulants(
    truth: Complex[np.ndarray, "views size size"],
    hypothesis: Complex[np.ndarray, "views size size"],
    noise_variance: float,
    prior: float,
    bands: Int[np.ndarray, "size size"],
) -> Float[np.ndarray, "3 bands"]:
    """First three cumulants of one capture's energy in each band, for the captures of `sample_views`.

    At each frequency the energy is a quadratic form ``Iᴴ M I`` in the two views, ``M = 1 − K Kᴴ/B``, which
    are Gaussian with the covariance ``Σ = K⋆ K⋆ᴴ/|Φ|² + σ²``. Its n-th cumulant is ``(n−1)! tr (Σ M)ⁿ``; the
    first is (37). A real image has each frequency twice, f and −f: a band of m frequencies is the mean of m/2
    independent energies (a frequency that is its own mirror image counts as half a one, of twice the spread),
    so that ``κ_n = (n−1)!/2 Σ_f tr (2 Σ M / m)ⁿ``.
    """
    kernels, true = (np.asarray(x, np.complex128) for x in (hypothesis, truth))
    one = np.eye(2)
    spread = np.einsum("vyx,wyx->yxvw", true, true.conj()) / prior + noise_variance * one
    denominator = (np.abs(kernels) ** 2).sum(0) + noise_variance * prior
    form = one - np.einsum("vyx,wyx->yxvw", kernels, kernels.conj()) / denominator[..., None, None]
    count = np.bincount(bands.ravel())
    product = spread @ form
    power, cumulants = one, []
    for order, factorial in ((1, 1), (2, 1), (3, 2)):
        power = power @ product
        trace = np.trace(power, axis1=-2, axis2=-1).real.ravel()
        cumulants.append(factorial / 2 * (2 / count) ** order * np.bincount(bands.ravel(), trace))
    return np.stack(cumulants)


def distribution_of_mean(cumulants: Float[np.ndarray, "3 bands"], draws: int):
    """Distribution of the mean over `draws` captures, by band: the shifted gamma of three cumulants.

    A sum of that many weighted χ² is nearly a gamma distribution; lesson 3 tests how nearly.
    """
    first, second, third = cumulants
    return pearson3(third / np.sqrt(draws * second**3), first, np.sqrt(second / draws))


def two_layers(
    far: Float[np.ndarray, "size size"],
    near: Float[np.ndarray, "size size"],
    matte: Float[np.ndarray, "size size"],
    kernels: Complex[np.ndarray, "layers views size size"],
) -> Float[np.ndarray, "views size size"]:
    """A periodic scene of two layers, far one first, by (2): ``(k₁ * c₁)(1 − k₂ * α₂) + k₂ * (c₂ α₂)``."""

    def blur(image, kernel):
        return np.fft.ifft2(np.fft.fft2(image) * kernel).real

    back, front = kernels
    return blur(far, back) * (1 - blur(matte, front)) + blur(near * matte, front)


@jax.jit
def local_energies(
    observed: Complex[Array, "draws views size size"],
    hypotheses: Complex[Array, "n views size size"],
    ratio: Float[Array, ""] | float,
    window: Float[Array, ""] | float,
) -> Float[Array, "draws n size"]:
    """Energy of each hypothesis by column: of each pixel, windowed along the row, averaged over the rows.

    The energy splits into ``|I^l K^r − I^r K^l|²/B + r Σ_v |I^v|²/B``; each of the three is the power of a
    filtered image, which is transformed back to pixels. The window is a Gaussian of σ = `window` pixels,
    periodic.
    """
    size = observed.shape[-1]
    f = jnp.fft.fftfreq(size)
    smooth = jnp.exp(-2 * (jnp.pi * window * f) ** 2)

    def of_hypothesis(kernels):
        root = jnp.sqrt((jnp.abs(kernels) ** 2).sum(0) + ratio)[None]
        crossed = (observed[:, 0] * kernels[1][None] - observed[:, 1] * kernels[0][None]) / root
        parts = jnp.stack([crossed, *(jnp.sqrt(ratio) * observed[:, view] / root for view in (0, 1))], 1)
        power = (jnp.abs(jnp.fft.ifft2(parts, norm="ortho")) ** 2).sum(1).mean(1)
        return jnp.fft.ifft(jnp.fft.fft(power) * smooth[None]).real

    return jnp.moveaxis(jax.lax.map(of_hypothesis, hypotheses), 0, 1)
