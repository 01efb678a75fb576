"""Figures of lesson 3: energies over the defocus size; estimates with their intervals.

Defocus sizes are radii in pixels; energies are in units of the noise variance σ², zero at the true size.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np

from dpdefocus.proof.trials import CORRECTIONS, Curves, minimum

# Legible without colour too: each line has its own dash.
TERMS = {"mismatch": ("#CC79A7", ":"), "noise": ("#56B4E9", "--"), "sum, (37)": ("#000000", "-")}
MARKERS = {"none": ("#000000", "o"), "(5)": ("#0072B2", "s"), "evidence": ("#D55E00", "^")}
DASHES = {"none": "-", "(5)": "--", "evidence": "-."}
TRUTH = "#009E73"

# Of the energy axis, in σ²: the interesting part lies near zero, the legend below it.
HIGHEST, LOWEST = 3.0, -2.4


def energy_panels(
    sizes: np.ndarray, true_size: float, variance: float, curves: Curves
) -> tuple[dict[str, np.ndarray], str]:
    """Expected energy over hypotheses, as 8-bit panels for a slider, and a sentence that gives its minima.

    The first panel shows the two terms and their sum, the second the sum minus each correction, with the
    minima.
    """
    energies = {which: curves.corrected(which) for which in CORRECTIONS}
    terms = dict(zip(TERMS, (curves.mismatch, curves.noise, curves.energy), strict=True))
    shifted = {
        name: (line - (name != "mismatch") * np.interp(true_size, sizes, line)) / variance
        for name, line in (terms | energies).items()
    }
    left, axes = _panel(true_size, sizes)
    for name, (colour, dash) in TERMS.items():
        axes.plot(sizes, shifted[name], dash, color=colour, linewidth=2, label=name)
    axes.legend(frameon=False, fontsize=11, loc="lower right")
    right, axes = _panel(true_size, sizes)
    places = {which: float(minimum(sizes, energy)) for which, energy in energies.items()}
    for which, (colour, marker) in MARKERS.items():
        line, place = shifted[which], places[which]
        axes.plot(sizes, line, DASHES[which], color=colour, linewidth=2)
        height = np.clip(np.interp(place, sizes, line), LOWEST, HIGHEST)
        axes.plot(place, height, marker, color=colour, label=_legend(which), clip_on=False)
    axes.legend(frameon=False, fontsize=11, loc="lower right")
    text = f"Truth {true_size:g} px; minimum {places['none']:.2f} px"
    text += f", less (5) {places['(5)']:.2f} px, less evidence {places['evidence']:.2f} px."
    return {"terms": _pixels(left), "minima": _pixels(right)}, text


def _panel(true_size, sizes):
    figure = plt.figure(figsize=(3.84, 3.0), dpi=100)
    axes = figure.add_axes((0.17, 0.18, 0.8, 0.79))  # the same in all panels, and faster than a layout engine
    axes.axvline(true_size, color=TRUTH, linewidth=1)
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set_xlabel("hypothesis d (pixels)", fontsize=13)
    axes.set_ylabel("energy − truth's (σ²)", fontsize=13)
    axes.tick_params(labelsize=12)
    axes.set(xlim=(0, sizes[-1]), ylim=(LOWEST, HIGHEST))
    return figure, axes


def _pixels(figure):
    """The figure as 8-bit red, green, blue, in few shades: a slider's pictures are then half as large."""
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].astype(int)
    plt.close(figure)
    return np.minimum((pixels + 16) // 32 * 32, 255).astype(np.uint8)


def where_the_minimum_lies(
    levels: Sequence[float], minima: Mapping[str, Mapping[str, np.ndarray]], true_size: float
) -> plt.Figure:
    """Minimum of the expected energy over the noise variance: a panel for each family, a line for each
    correction.
    """
    figure, row = _panels(len(minima))
    for axes, (family, lines) in zip(row, minima.items(), strict=True):
        for which, line in lines.items():
            colour, marker = MARKERS[which]
            axes.semilogx(levels, line, color=colour, marker=marker, markersize=4, label=_legend(which))
        axes.axhline(true_size, color=TRUTH, linewidth=1)
        axes.set(title=family, xlabel="noise variance σ²")
    row[0].set_ylabel("minimum (pixels)")
    row[0].legend(frameon=False, fontsize=9)
    return figure


def measured_shifts(
    levels: Sequence[float], families: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]]
) -> plt.Figure:
    """Shift of the estimate over the noise: (predicted, measured, half width of its interval) for each
    correction.
    """
    figure, row = _panels(len(families))
    for axes, (family, lines) in zip(row, families.items(), strict=True):
        for which, (predicted, measured, half) in lines.items():
            colour, marker = MARKERS[which]
            axes.semilogx(levels, predicted, color=colour, linewidth=1, label=f"{_legend(which)}, predicted")
            axes.errorbar(
                levels, measured, half, color=colour, marker=marker, linestyle="", capsize=3, markersize=4
            )
        axes.axhline(0, color=TRUTH, linewidth=1)
        axes.set(title=family, xlabel="noise variance σ²")
    row[0].set_ylabel("estimate − truth (pixels)")
    row[0].legend(frameon=False, fontsize=9)
    return figure


def ratios_by_band(
    families: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]], hypotheses: Sequence[float]
) -> plt.Figure:
    """Sampled over expected energy by frequency band: (ratio, lower, upper end) [hypotheses, bands] for each
    family.
    """
    figure, row = _panels(len(families))
    for axes, (family, (ratio, low, high)) in zip(row, families.items(), strict=True):
        count, bands = ratio.shape
        for index, (size, (colour, marker)) in enumerate(zip(hypotheses, MARKERS.values(), strict=True)):
            place = 1 + np.arange(bands) + 0.25 * (index - (count - 1) / 2)
            bars = (ratio[index] - low[index], high[index] - ratio[index])
            style = {"color": colour, "marker": marker, "markersize": 3, "linestyle": "", "capsize": 2}
            axes.errorbar(place, ratio[index], bars, label=f"d = {size:g} px", **style)
        axes.axhline(1, color="0.5", linewidth=0.8)
        axes.set(title=family, xlabel="frequency band, low to high", xticks=range(1, bands + 1, 3))
    row[0].set_ylabel("sampled / expected energy")
    row[0].legend(frameon=False, fontsize=9)
    return figure


def mean_defocus(captures: Mapping[str, Mapping[str, float]], truth: float | None = None) -> plt.Figure:
    """Mean defocus of each capture with and without correction, as in Fig. 12; a line at the true mean."""
    figure, axes = plt.subplots(figsize=(7.5, 3.4), layout="constrained")
    place = np.arange(len(captures))
    for index, (which, (colour, marker)) in enumerate(MARKERS.items()):
        means = [each[which] for each in captures.values()]
        axes.plot(place + 0.12 * (index - 1), means, marker, color=colour, label=_legend(which))
    if truth is not None:
        axes.axhline(truth, color=TRUTH, linewidth=1, label="truth")
    axes.set(ylabel="mean defocus\n(1 = calibrated kernels)", xticks=place, xticklabels=captures)
    axes.set_ylim(bottom=0)
    figure.legend(loc="outside right center", frameon=False)
    return figure


def error_over_noise(levels: Sequence[float], errors: Mapping[str, Sequence[float]]) -> plt.Figure:
    """Mean error of the defocus map over the noise variance, a line for each preset."""
    figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    for (preset, line), (colour, marker) in zip(errors.items(), MARKERS.values(), strict=False):
        axes.semilogx(levels, line, color=colour, marker=marker, label=preset)
    axes.set(xlabel="noise variance at middle grey", ylabel="mean error of the map\n(1 = calibrated kernels)")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def profiles(lines: Mapping[str, tuple[np.ndarray, np.ndarray | None]], ylabel: str, edges=()) -> plt.Figure:
    """Values over the image's columns, with bands of half widths where given; vertical lines at `edges`."""
    figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    for style, (label, (values, half)) in zip(("-", "--", "-.", ":") * 2, lines.items(), strict=False):
        columns = np.arange(len(values))
        (drawn,) = axes.plot(columns, values, style, label=label)
        if half is not None:
            axes.fill_between(columns, values - half, values + half, color=drawn.get_color(), alpha=0.3)
    for edge in edges:
        axes.axvline(edge, color="0.6", linewidth=0.8)
    axes.set(xlabel="column (pixels)", ylabel=ylabel)
    axes.legend(frameon=False)
    return figure


def _panels(count):
    figure, row = plt.subplots(
        1, count, figsize=(2.6 * count, 3.1), layout="constrained", sharey=True, squeeze=False
    )
    return figure, row[0]


def _legend(which):
    return "uncorrected" if which == "none" else f"less {which}"
