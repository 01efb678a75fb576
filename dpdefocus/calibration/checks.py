"""Checks of a calibration: enough discs, enough light, plausible kernels.

Units: pixels of the photograph; linear raw in [0, 1].
"""

import numpy as np
from jaxtyping import Float, Float32, Int

from dpdefocus.calibration.chart import Chart
from dpdefocus.calibration.detection import Discs
from dpdefocus.calibration.failure import StepError
from dpdefocus.calibration.geometry import Geometry
from dpdefocus.data import loading
from dpdefocus.support.errors import InputError

# Discs per cell: with fewer than the first number its kernels lack edges in some directions, with the second
# they are well determined.
FEWEST_DISCS, ENOUGH_DISCS = 2, 4

# Largest relative difference between the views' ratio in the white screen and in the white sheets, which have
# the same vignetting.
VIEW_RATIO = 0.03

# Largest relative difference in light between photographed and sharp chart: flare causes less, another disc
# size more.
LIGHT_TOLERANCE = 0.1

# Behind the focus plane the left view's kernels lie to the left of the right view's. If the shift is below
# this fraction of their width (standard deviation), the side is uncertain.
LEAST_DISPARITY = 0.1

# The kernels' fit gives the gain of each view; vignetting and exposure explain deviations up to this.
LARGEST_GAIN_ERROR = 0.03

# Kernels narrower than this (standard deviation, pixels) hardly have a shape to be scaled.
NARROWEST = 1.5

# Width in pixels of the rim that the fit keeps dark.
EMPTY_RIM = 1

# The outermost pixels of a kernel, RIM of them inside that dark rim, should hold no more of the light than
# this.
RIM, RIM_LIGHT = 2, 0.01


def check_grid(crop: tuple[int, int], grid: tuple[int, int], size: int) -> None:
    """Raises InputError unless the crop holds the grid's cells, each as large as a kernel."""
    if size % 2 == 0 or size < 5:
        raise InputError(f"size: found {size}, expected an odd number of pixels, 5 or more")
    if min(grid) < 1 or any(part // count < size for part, count in zip(crop, grid, strict=True)):
        raise InputError(
            f"grid: {grid[0]} x {grid[1]} cells over {crop[0]} x {crop[1]} pixels; expected cells at least "
            f"as large as the kernels, {size} pixels. Take fewer cells or smaller kernels"
        )


def check_coverage(
    discs: Int[np.ndarray, "rows cols"], found: Discs, crop: tuple[int, int], picture: np.ndarray
) -> list[str]:
    """Check that each cell of the grid has enough discs; returns a warning if some have few.

    Raises:
        StepError: cells with too few discs for a kernel.
    """
    empty, few = discs < FEWEST_DISCS, discs < ENOUGH_DISCS
    if empty.any():
        raise StepError(
            "coverage",
            f"{np.count_nonzero(empty)} of {discs.size} cells see fewer than {FEWEST_DISCS} discs (found "
            f"{len(found.indices)} discs in all). The chart must fill the {crop[1]} x {crop[0]} pixels that "
            "are calibrated: go nearer, point at its middle, or show more discs",
            picture,
        )
    if few.any():
        return [f"too few discs in {np.count_nonzero(few)} of {discs.size} cells: fewer than {ENOUGH_DISCS}"]
    return []


def narrowest_pitch(geometry: Geometry, chart: Chart, places: Float[np.ndarray, "places 2"]) -> float:
    """The least distance between neighbouring discs in the photograph at any of these places, pixels."""
    here = geometry.to_chart(places)
    steps = [geometry.to_image(here + step) - places for step in chart.pitch * np.eye(2)]
    return float(np.linalg.norm(steps, axis=-1).min())


def pitch_warnings(pitch: float, size: int) -> list[str]:
    """Warns of discs that are too close together for kernels of that size; `chart` says why."""
    if pitch >= size - 2 * EMPTY_RIM:
        return []
    return [
        f"discs are down to {pitch:.0f} pixels apart and the kernels {size} wide: faint light near the "
        "kernels' borders is not determined, and centroids may be off by some tenths of a pixel. Take a "
        "chart of larger pitch, go nearer, or take a smaller size"
    ]


def check_light(sharp: np.ndarray, views: np.ndarray, picture: np.ndarray) -> None:
    """Check that the blurred chart has the light of the sharp one, as kernels of unit sum require.

    Raises:
        StepError: it has not: discs of another size, or values that are not linear.
    """
    share = float(np.nanmean(views) / loading.centre(sharp, views.shape[1:]).mean())
    if abs(share - 1) > LIGHT_TOLERANCE:
        raise StepError(
            "sharp chart",
            f"the photographs hold {share:.0%} of the light that the chart's discs would give, expected "
            f"100 % within {LIGHT_TOLERANCE:.0%}. Give the chart.json of the chart that was photographed "
            "(radius over pitch), and files that are linear, without a tone curve",
            picture,
        )


def gain_warnings(gains: Float[np.ndarray, "rows cols 2"]) -> list[str]:
    """Warns if the views' gains against the sharp chart contradict the white and black photographs."""
    off = np.abs(gains - 1).max()
    if off <= LARGEST_GAIN_ERROR:
        return []
    return [
        f"the views are up to {off:.1%} brighter or darker than the white and black screens say: were all "
        "photographs taken with the same exposure and the same light?"
    ]


def kernel_warnings(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"], disparity: Float[np.ndarray, "rows cols 2"]
) -> list[str]:
    """Warns of faults that show in the kernels: focus, swapped or turned views, too small a field."""
    warnings = []
    along, across = disparity.mean((0, 1))
    size = kernels.shape[-1]
    offset = np.arange(size) - size // 2
    mean = kernels.mean((0, 1, 2))
    mean_x = (mean * offset).sum()
    width = np.sqrt((mean * offset**2).sum() - mean_x**2)
    if abs(across) > abs(along) and abs(across) > LEAST_DISPARITY * width:
        warnings.append("the views differ up and down, not left and right: turn both views by 90 degrees")
    elif along > LEAST_DISPARITY * width:
        warnings.append(
            f"the chart is not behind the plane in focus: the left view's kernels lie {along:.1f} pixels to "
            "the right. Either the camera was focused beyond the chart, or left and right are swapped"
        )
    elif along > -LEAST_DISPARITY * width:
        warnings.append(
            f"the views hardly differ ({along:+.2f} pixels): is the chart behind the plane in focus?"
        )
    if width < NARROWEST:
        warnings.append(
            f"the chart is nearly in focus: kernels of {width:.1f} pixels; move it away, or focus nearer"
        )
    inner = slice(RIM + 1, -RIM - 1)
    outside = 1 - kernels[..., inner, inner].sum((-2, -1))
    if outside.max() > RIM_LIGHT:
        warnings.append(
            f"kernels reach the rim of their {size} pixels (up to {outside.max():.1%} of the light): take a "
            "larger size"
        )
    return warnings
