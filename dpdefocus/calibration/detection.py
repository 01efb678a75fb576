"""From the photograph of a chart to its geometry: threshold, components, order, homography.

Axes   images are [height, width]; points [points, 2] = (x to the right, y down).
Units  pixels, (0, 0) being the centre of the first pixel; millimetres on the chart; the image that is
       searched is the *contrast*, (chart - black) / (white - black), which is 0 between discs and 1 in them.

The sum of both views is searched, so that they share one geometry. A blurred disc is found at the centroid of
its light: that of the disc plus that of the kernel. So the geometry absorbs the kernels' common shift as far
as a homography can; the *difference* between the views is not affected.

A step that fails raises `StepError`, which names it and carries a picture of what was found.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import least_squares

from dpdefocus.calibration.chart import MARKER_RADIUS, MARKERS, Chart
from dpdefocus.calibration.failure import StepError, picture_of
from dpdefocus.calibration.geometry import Geometry

# Least difference between the mean contrasts on the two sides of the threshold: a chart has 0.5 or more, a
# screen without one about none.
LEAST_CONTRAST = 0.15

# Components are discs if their area is between these multiples of the usual: markers are smaller, merged
# discs larger.
DISC_AREA = (0.2, 1.7)
LEAST_DISCS = 12

# A disc must lie within this fraction of a step from where its neighbour predicts it.
NEIGHBOUR_REACH = 0.3

# A find farther from the geometry than this fraction of the pitch is no disc of the grid, or a partly hidden
# one.
OUTLIER = 0.15

# Light of a marker relative to a whole disc's, by area; less than the mean of the two makes a disc a marker.
MARKER_LIGHT = MARKER_RADIUS**2
MARKER_BELOW = (1 + MARKER_LIGHT) / 2
VISIBLE_LIGHT = MARKER_LIGHT / 2


@dataclass(frozen=True)
class Discs:
    """Discs of the chart that were found, the geometry fitted to them, and their distances from it.

    indices: (row, column) of each, from the chart's middle disc; centroids: pixels.
    residuals: pixels, found minus predicted by the geometry; `spread` is their root mean square.
    """

    indices: Int[np.ndarray, "discs 2"]
    centroids: Float[np.ndarray, "discs 2"]
    residuals: Float[np.ndarray, "discs 2"]
    geometry: Geometry

    @property
    def spread(self) -> float:
        return float(np.sqrt((self.residuals**2).sum(1).mean()))


def find_chart(contrast: Float[np.ndarray, "height width"], chart: Chart, distortion: bool = False) -> Discs:
    """Find the discs of a chart and fit its geometry.

    Args:
        contrast: 0 between discs, 1 in them.
        distortion: also fit two coefficients of radial lens distortion. Without it, distortion appears as
            shifts of the kernels, as in the paper.

    Raises:
        StepError: a step failed: threshold, components, order or geometry.
    """
    level = threshold(contrast)
    points = components(contrast, level)
    indices, order = order_on_grid(points, contrast)
    points = points[order]
    # The middle is not known yet: first fit the geometry of a lattice of pitch one.
    indices, points, light = _look_again(contrast, _lattice_geometry(indices, points, contrast))
    indices = _count_from_markers(indices, points, light, contrast)

    on_chart = (np.abs(indices - _middle(chart)) <= np.array([chart.rows - 1, chart.cols - 1]) / 2).all(1)
    if np.count_nonzero(~on_chart) > 0.1 * len(indices):
        raise StepError(
            "order",
            f"found discs beyond the chart's {chart.rows} x {chart.cols}, counted from the markers. Give the "
            "chart.json of the chart that was photographed",
            picture_of(contrast, points),
        )
    return _fit(indices[on_chart], points[on_chart], chart, contrast, distortion)


def contrast_of(
    chart: Float[np.ndarray, "views height width"],
    white: Float[np.ndarray, "views height width"],
    black: Float[np.ndarray, "views height width"],
) -> Float[np.ndarray, "height width"]:
    """`(chart - black) / (white - black)`, each the sum of the views; 0 where white is not above black."""
    above, whole = (chart - black).sum(0), (white - black).sum(0)
    lit = whole > 0.02 * np.median(whole)
    return np.clip(np.where(lit, above / np.where(lit, whole, 1), 0), -0.5, 2.0)


def threshold(contrast: Float[np.ndarray, "height width"]) -> float:
    """Otsu's global threshold: the level that minimises the variance within its two sides.

    Raises:
        StepError: the sides hardly differ.
    """
    grey = np.round(np.clip(contrast, 0, 1) * 255).astype(np.uint8)
    level = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[0]
    bright = grey > level
    found = 0.0
    if bright.any() and not bright.all():
        found = (grey[bright].mean() - grey[~bright].mean()) / 255
    # Pure noise has a threshold too; with discs, most pixels of both sides are far from it.
    if found < LEAST_CONTRAST or not 0.02 < bright.mean() < 0.9:
        raise StepError(
            "threshold",
            f"no discs stand out: the two sides of the threshold differ by {found:.3f} of the white screen, "
            f"{bright.mean():.0%} of the pixels are bright; expected {LEAST_CONTRAST} or more, and 2 to "
            "90 %. Check that the chart's photographs show the chart, and that it fills the view",
            picture_of(contrast),
        )
    return (level + 0.5) / 255


def components(contrast: Float[np.ndarray, "height width"], level: float) -> Float[np.ndarray, "discs 2"]:
    """Centroids of the bright components that are whole discs.

    Components cut by the frame's border, merged discs and specks are left out.

    Raises:
        StepError: too few are left.
    """
    bright = (contrast > level).astype(np.uint8)
    _, _, stats, centres = cv2.connectedComponentsWithStats(bright, connectivity=4)
    left, top, width, height, area = stats[1:].T
    inside = (left > 0) & (top > 0) & (left + width < bright.shape[1]) & (top + height < bright.shape[0])
    # There may be many specks: the usual area is that at which half of the bright area is reached.
    by_area = np.sort(area)
    usual = by_area[np.searchsorted(np.cumsum(by_area), by_area.sum() / 2)] if len(area) else 0
    round_enough = np.maximum(width, height) < 1.6 * np.minimum(width, height)
    disc = inside & round_enough & (area > DISC_AREA[0] * usual) & (area < DISC_AREA[1] * usual)
    if np.count_nonzero(disc) < LEAST_DISCS:
        raise StepError(
            "components",
            f"found {np.count_nonzero(disc)} discs among {len(area)} bright areas, expected at least "
            f"{LEAST_DISCS}. Discs that merge need a chart of larger pitch, or less blur",
            picture_of(contrast, centres[1:]),
        )
    return centres[1:][disc]


def order_on_grid(
    points: Float[np.ndarray, "discs 2"], contrast: Float[np.ndarray, "height width"]
) -> tuple[Int[np.ndarray, "ordered 2"], Int[np.ndarray, " ordered"]]:
    """Row and column of discs in their grid, counted from one in the middle, and which discs these are.

    The grid grows from disc to neighbour: each step predicts the next disc from the last step, and adapts to
    where that disc is. So it follows a tilted or distorted grid, and walks around gaps.

    Raises:
        StepError: the discs form no grid.
    """
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    start, steps = _first_steps(points, distances)
    if steps is None:
        raise StepError(
            "order",
            f"the {len(points)} discs found make no square grid. Photograph a chart by `dpdefocus chart`, "
            "less tilted",
            picture_of(contrast, points),
        )
    place = {start: (0, 0)}
    taken = {(0, 0)}
    queue = [(start, steps)]
    while queue:
        disc, (along, down) = queue.pop(0)
        row, col = place[disc]
        for step_row, step_col in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            target = (row + step_row, col + step_col)
            step = step_col * along + step_row * down
            nearest = int(np.linalg.norm(points - points[disc] - step, axis=1).argmin())
            miss = np.linalg.norm(points[nearest] - points[disc] - step)
            if nearest in place or target in taken or miss > NEIGHBOUR_REACH * np.linalg.norm(step):
                continue
            place[nearest] = target
            taken.add(target)
            seen = points[nearest] - points[disc]
            new = (
                (0.5 * (along + step_col * seen), down)
                if step_col
                else (along, 0.5 * (down + step_row * seen))
            )
            queue.append((nearest, new))
    if len(place) < LEAST_DISCS or len(place) < 0.4 * len(points):
        raise StepError(
            "order",
            f"only {len(place)} of {len(points)} discs lie on one square grid. Photograph a chart by "
            "`dpdefocus chart`, whole and flat",
            picture_of(contrast, points),
        )
    order = np.array(list(place))
    return np.array([place[disc] for disc in order]), order


def centroids(
    contrast: Float[np.ndarray, "height width"],
    guesses: Float[np.ndarray, "discs 2"],
    reach: Float[np.ndarray, " discs"],
) -> tuple[Float[np.ndarray, "discs 2"], Float[np.ndarray, " discs"], Bool[np.ndarray, " discs"]]:
    """Centroid and sum of the light within `reach` pixels of each guess; the window is centred anew twice.

    The third array marks windows that lie wholly inside the frame. The window's edge fades over a pixel, so
    that the centroid does not jump with the pixel grid.
    """
    height, width = contrast.shape
    points, light = guesses.copy(), np.zeros(len(guesses))
    whole = np.zeros(len(guesses), bool)
    for index, radius in enumerate(reach):
        for _ in range(3):
            x, y = points[index]
            left, right = int(np.floor(x - radius)), int(np.ceil(x + radius)) + 1
            top, bottom = int(np.floor(y - radius)), int(np.ceil(y + radius)) + 1
            whole[index] = left >= 0 and top >= 0 and right <= width and bottom <= height
            if not whole[index]:
                break
            window = contrast[top:bottom, left:right]
            dx, dy = np.arange(left, right) - x, np.arange(top, bottom)[:, None] - y
            weight = window * np.clip(radius - np.hypot(dx, dy), 0, 1)
            light[index] = weight.sum()
            if light[index] <= 0:
                break
            move = np.array([(weight * dx).sum(), (weight * dy).sum()]) / light[index]
            points[index] += np.clip(move, -radius / 2, radius / 2)
    return points, light, whole


def _first_steps(points, distances):
    """A disc near the middle with four neighbours around it, and the steps along its row and column."""
    middle = np.median(points, axis=0)
    for disc in np.argsort(np.linalg.norm(points - middle, axis=1)):
        near = np.argsort(distances[disc])[:4]
        steps = points[near] - points[disc]
        along = steps[np.argmax(steps[:, 0] - np.abs(steps[:, 1]))]
        down = steps[np.argmax(steps[:, 1] - np.abs(steps[:, 0]))]
        length = np.linalg.norm([along, down], axis=1)
        opposite = [np.linalg.norm(steps + step, axis=1).min() for step in (along, down)]
        cosine = abs(along @ down) / max(np.prod(length), 1e-9)
        if (
            cosine < 0.4
            and max(opposite) < NEIGHBOUR_REACH * length.min()
            and np.ptp(length) < 0.5 * length.max()
        ):
            return int(disc), (along, down)
    return None, None


def _lattice_geometry(indices, points, contrast):
    """The homography from lattice positions to pixels by RANSAC, without markers or distortion."""
    plane = indices[:, ::-1].astype(float)
    homography, inliers = cv2.findHomography(plane, points, cv2.RANSAC, OUTLIER * _scale(plane, points))
    if homography is None or inliers.mean() < 0.5:
        raise StepError(
            "geometry",
            "no homography explains the discs' places. Photograph a flat chart",
            picture_of(contrast, points),
        )
    return Geometry(homography, contrast.shape)


def _look_again(contrast, geometry):
    """Index, centroid and relative light of the lattice's lit places whose windows lie inside the frame."""
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (np.array(contrast.shape[::-1]) - 1.0)
    on_chart = geometry.to_chart(corners)
    low, high = np.floor(on_chart.min(0)).astype(int), np.ceil(on_chart.max(0)).astype(int)
    cols, rows = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
    indices = np.stack([rows.ravel(), cols.ravel()], axis=1)
    plane = indices[:, ::-1].astype(float)
    expected = geometry.to_image(plane)
    sides = [np.linalg.norm(geometry.to_image(plane + step) - expected, axis=1) for step in ([1, 0], [0, 1])]
    reach = 0.5 * np.minimum(*sides)
    inside = ((expected > 0) & (expected < corners[-1])).all(1)
    indices, expected, reach = indices[inside], expected[inside], reach[inside]
    points, light, whole = centroids(contrast, expected, reach)
    light = light / (np.pi * reach**2)
    usual = np.median(light[whole]) if whole.any() else 0.0
    near = np.linalg.norm(points - expected, axis=1) < 2 * OUTLIER * 2 * reach
    kept = whole & near & (light > VISIBLE_LIGHT * usual) & (light < 1.5 * usual)
    return indices[kept], points[kept], light[kept] / usual


def _count_from_markers(indices, points, light, contrast):
    """Indices rotated, and counted from the markers.

    Raises:
        StepError: no markers, or several sets of them, or mirrored ones.
    """
    lights = {tuple(index): value for index, value in zip(indices, light, strict=True)}
    quarters = [np.linalg.matrix_power(np.array([[0, 1], [-1, 0]]), quarter) for quarter in range(4)]
    mirrored = [turn @ np.array([[1, 0], [0, -1]]) for turn in quarters]
    fits = []
    for turn in quarters + mirrored:
        for origin in indices:
            seen = [lights.get(tuple(origin + turn @ marker), 1.0) for marker in MARKERS]
            if max(seen) < MARKER_BELOW:
                fits.append((np.abs(np.array(seen) - MARKER_LIGHT).max(), turn, origin))
    fits.sort(key=lambda fit: fit[0])
    small = light < MARKER_BELOW
    picture = picture_of(contrast, points, marked=points[small])
    # Partly hidden discs may form such a triangle too, but none of three right amounts of light.
    if not fits or (len(fits) > 1 and fits[1][0] < 2 * fits[0][0]):
        raise StepError(
            "order",
            f"found {len(fits)} sets of the chart's three markers, the smaller discs at its middle, among "
            f"{len(indices)} discs of which {np.count_nonzero(small)} are smaller; expected one. Photograph "
            "a chart by `dpdefocus chart`, with its middle in view and nothing before it",
            picture,
        )
    _, turn, origin = fits[0]
    if np.linalg.det(turn) < 0:
        raise StepError("order", "the chart is seen mirrored. Take photographs that are not flipped", picture)
    return (indices - origin) @ turn


def _middle(chart):
    """Index of the chart's middle, from its middle disc: zero for odd counts."""
    return np.array([(chart.rows - 1) / 2 - chart.rows // 2, (chart.cols - 1) / 2 - chart.cols // 2])


def _fit(indices, points, chart, contrast, distortion):
    """Homography, and distortion if asked for, by iteratively reweighted least squares of the centroids.

    Cauchy's loss, its scale from the residuals' median: partly hidden discs count little.
    """
    row, col = (indices + [chart.rows // 2, chart.cols // 2]).T
    disc = row * chart.cols + col
    centres, radii = chart.centres[disc], chart.radii[disc]
    start, inliers = cv2.findHomography(
        centres, points, cv2.RANSAC, OUTLIER * chart.pitch * _scale(centres, points)
    )
    if start is None or inliers.sum() < LEAST_DISCS:
        raise StepError("geometry", "no homography explains the discs' places", picture_of(contrast, points))
    kept = inliers.ravel().astype(bool)
    indices, points, centres, radii = indices[kept], points[kept], centres[kept], radii[kept]

    # Normalised so that all parameters are of order one.
    unit = np.diag([chart.pitch * max(chart.rows, chart.cols) / 2] * 2 + [1.0])
    scaled = start @ unit
    scaled /= np.linalg.norm(scaled)
    largest = int(np.abs(scaled).argmax())

    def geometry_of(parameters):
        homography = np.insert(parameters[:8], largest, scaled.flat[largest]).reshape(3, 3)
        return Geometry(homography @ np.linalg.inv(unit), contrast.shape, tuple(parameters[8:]) or (0.0, 0.0))

    def residuals(parameters):
        return (points - geometry_of(parameters).disc_centroids(centres, radii)).ravel()

    parameters = np.append(np.delete(scaled.ravel(), largest), [0.0, 0.0] if distortion else [])
    for _ in range(2):
        scale = max(1.5 * np.median(np.abs(residuals(parameters))), 1e-3)
        parameters = least_squares(residuals, parameters, x_scale="jac", loss="cauchy", f_scale=2 * scale).x
    geometry = geometry_of(parameters)
    homography = geometry.homography / geometry.homography[2, 2]
    geometry = replace(geometry, homography=homography)
    return Discs(indices, points, residuals(parameters).reshape(-1, 2), geometry)


def _scale(plane, points):
    """Pixels per unit of the plane, from the areas over which the points are spread."""
    spread = [np.linalg.det(np.cov(where.T)) for where in (points, plane)]
    return (spread[0] / spread[1]) ** 0.25
