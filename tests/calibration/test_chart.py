"""The chart: its discs where they belong, in every file and at every geometry."""

import dataclasses
import re
import struct
import zlib

import cv2
import numpy as np
import pytest

from dpdefocus import calibration
from dpdefocus.calibration.simulated_photographs import tilted_screen
from dpdefocus.support.errors import InputError

SMALL = calibration.Chart(rows=7, cols=9, pitch=10.0, radius=3.0, page=(100.0, 80.0), dpi=60.0)


def area_and_centroid(image, centre, reach):
    y, x = np.indices(image.shape)
    inside = image * (np.hypot(x - centre[0], y - centre[1]) < reach)
    total = inside.sum()
    return total, np.array([(inside * x).sum(), (inside * y).sum()]) / total


def test_discs_are_centred_on_the_page_and_markers_are_smaller():
    np.testing.assert_allclose(SMALL.centres.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.ptp(SMALL.centres, axis=0), [80, 60])
    even = dataclasses.replace(SMALL, rows=6, cols=8)
    np.testing.assert_allclose(even.centres.mean(0), 0, atol=1e-12)
    assert np.count_nonzero(SMALL.radii < 3) == 3
    marked = SMALL.centres[SMALL.radii < 3]
    np.testing.assert_allclose(marked, [[0, 0], [10, 0], [0, 20]])  # the middle, right of it, two below


def test_every_turn_and_reflection_moves_the_markers():
    markers = {tuple(place) for place in np.array(calibration.MARKERS)}
    for mirror in (np.diag([1, 1]), np.diag([1, -1])):
        for quarter in range(4):
            turn = np.linalg.matrix_power([[0, 1], [-1, 0]], quarter) @ mirror
            turned = np.array(calibration.MARKERS) @ turn
            places = {tuple(place) for shift in turned for place in turned - shift}
            same = any({tuple(p - s) for p in turned} == markers for s in turned)
            assert same == (quarter == 0 and mirror[1, 1] == 1), places


def test_rendered_discs_have_the_area_and_centroid_of_their_ellipses():
    geometry = tilted_screen((180, 240), pixels_per_mm=2.3, tilt=(15.0, -20.0))
    image = calibration.render_chart(SMALL, geometry)
    centroids = geometry.disc_centroids(SMALL.centres, SMALL.radii)
    # An ellipse's area is pi times the root of the determinant of its second moments, here by brute force.
    angle = np.linspace(0, 2 * np.pi, 20001)[:-1]
    for disc in (0, 13, 31, 40):
        rim = SMALL.centres[disc] + SMALL.radii[disc] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        x, y = geometry.to_image(rim).T
        step = np.roll(y, -1) * x - np.roll(x, -1) * y
        exact = 0.5 * step.sum()
        centre = np.array([(step * (x + np.roll(x, -1))).sum(), (step * (y + np.roll(y, -1))).sum()]) / (
            6 * exact
        )
        np.testing.assert_allclose(centroids[disc], centre, atol=1e-4)
        area, found = area_and_centroid(image, centre, 11)
        assert area == pytest.approx(exact, rel=2e-3)
        np.testing.assert_allclose(found, centre, atol=5e-3)
    # The image of the centre is elsewhere: the correction is not idle.
    assert np.abs(geometry.to_image(SMALL.centres) - centroids).max() > 0.02


def test_margin_adds_what_lies_around_the_frame():
    geometry = tilted_screen((60, 80), pixels_per_mm=2.0)
    wide = calibration.render_chart(SMALL, geometry, margin=9)
    np.testing.assert_allclose(wide[9:-9, 9:-9], calibration.render_chart(SMALL, geometry), atol=1e-6)
    part = calibration.render_chart(SMALL, geometry.shifted(7, 11, (40, 50)))
    np.testing.assert_allclose(part, wide[16:56, 20:70], atol=1e-6)


def test_files_have_the_page_s_true_size(tmp_path):
    calibration.save_chart(SMALL, tmp_path)
    picture = cv2.imread(str(tmp_path / "chart.png"), cv2.IMREAD_UNCHANGED)
    scale = 60 / 25.4
    assert picture.shape == (round(80 * scale), round(100 * scale))
    file = (tmp_path / "chart.png").read_bytes()
    x, y, unit = struct.unpack(">IIB", file[file.index(b"pHYs") + 4 :][:9])
    assert (x, y, unit) == (round(60 / 0.0254), round(60 / 0.0254), 1)

    expected = SMALL.centres * scale + (np.array(picture.shape[::-1]) - 1) / 2
    for centre, radius in zip(expected, SMALL.radii * scale, strict=True):
        area, found = area_and_centroid(picture / 255, centre, 11)
        assert area == pytest.approx(np.pi * radius**2, rel=5e-3)
        np.testing.assert_allclose(found, centre, atol=0.02)
    assert (picture / 255).sum() == pytest.approx(np.pi * (SMALL.radii**2).sum() * scale**2, rel=1e-3)
    assert cv2.imread(str(tmp_path / "white.png"), cv2.IMREAD_UNCHANGED).min() == 255
    assert cv2.imread(str(tmp_path / "black.png"), cv2.IMREAD_UNCHANGED).max() == 0
    assert calibration.load_chart(tmp_path) == SMALL


def test_pdf_draws_each_disc_once_at_its_place_in_points():
    file = calibration.pdf(SMALL)
    box = [float(x) for x in re.search(rb"/MediaBox \[([^]]*)\]", file)[1].split()]
    np.testing.assert_allclose(box, [0, 0, 100 / 25.4 * 72, 80 / 25.4 * 72], atol=1e-6)
    page = zlib.decompress(re.search(rb"stream\r?\n(.*?)\r?\nendstream", file, re.DOTALL)[1]).decode()
    paths = re.findall(r"[\d.]+ [\d.]+ m\n(?:[\d. ]+ [lc]\n)+h", page)
    # The whole page is black; then come white discs, each a closed chain of Bézier curves.
    assert re.search(r"\b0 g\s+0 0 m\b", page) and len(paths) == 1 + 63
    assert page.count(" 1 g\n") == 63
    for path, centre, radius in zip(paths[1:], SMALL.centres, SMALL.radii, strict=True):
        start, *curves = (np.array(line.split()[:-1], float) * 25.4 / 72 for line in path.splitlines()[:-1])
        knots = np.array([start, *(curve[4:] for curve in curves)])
        np.testing.assert_allclose(knots[0], knots[-1])
        first, second = np.array([curve[:4].reshape(2, 2) for curve in curves]).swapaxes(0, 1)
        halfway = (knots[:-1] + 3 * first + 3 * second + knots[1:]) / 8
        # PDF counts y upwards from the page's lower edge.
        for points in (knots, halfway):
            away = points - (centre * [1, -1] + [50, 40])
            np.testing.assert_allclose(np.linalg.norm(away, axis=1), radius, rtol=1e-5)
        turns = np.unwrap(np.arctan2(*(knots - (centre * [1, -1] + [50, 40])).T))
        assert abs(turns[-1] - turns[0]) == pytest.approx(2 * np.pi)


def test_pdf_is_the_same_each_time():
    assert calibration.pdf(SMALL) == calibration.pdf(SMALL)


def test_as_many_discs_as_fit_and_what_does_not_fit_is_named():
    fitting = {"page": (100.0, 80.0), "dpi": 50.0, "pitch": 10.0, "radius": 3.0}
    chart = calibration.filling(**fitting)
    assert (chart.rows, chart.cols, chart.pixels) == (7, 9, (157, 197))
    for changes, message in [
        ({"radius": 6.0}, r"radius 6.0 mm at a pitch of 10.0 mm; expected 1 to 4.5 mm"),
        ({"pitch": 30.0, "radius": 9.0}, "expected at least 5 x 5"),
        ({"pitch": 0.0}, "pitch 0.0 mm; expected a positive number"),
        ({"dpi": 1e5}, "check the dpi"),
    ]:
        with pytest.raises(InputError, match=message):
            calibration.filling(**fitting | changes)


def test_charts_that_cannot_be_read(tmp_path):
    with pytest.raises(InputError, match=r"chart.json does not exist: expected a chart"):
        calibration.load_chart(tmp_path)
    (tmp_path / "chart.json").write_text('{"rows": 7}')
    with pytest.raises(InputError, match=r"chart.json is not a chart \('pitch'\)"):
        calibration.load_chart(tmp_path)
    with pytest.raises(InputError, match=r"7 x 9 discs take 86 x 66 mm, the page is 50 x 80 mm"):
        dataclasses.replace(SMALL, page=(50.0, 80.0))
