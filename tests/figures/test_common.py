"""The shared figures: what they show is the image, and they carry caption and alternative text."""

import base64
import re

import cv2
import matplotlib
import numpy as np
import pytest

from dpdefocus import figures

matplotlib.use("agg")


@pytest.fixture
def image():
    return np.random.default_rng(0).uniform(0, 1, (60, 80)).astype(np.float32)


def test_reduction_for_the_screen_is_a_mean_over_blocks():
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    expected = [[image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for x in range(3)] for y in range(2)]
    np.testing.assert_allclose(figures.for_screen(image, 4), expected)
    np.testing.assert_array_equal(figures.for_screen(image[:, :4], 4), image[:, :4])


def test_most_different_window_is_found_wherever_it_lies(image):
    for top, left in [(0, 0), (3, 41), (52, 72)]:
        other = image.copy()
        other[top : top + 8, left : left + 8] += 1
        assert figures.most_different(image, other, 8) == (slice(top, top + 8), slice(left, left + 8))


def test_panels_span_their_range():
    ramp = np.tile(np.linspace(-0.5, 1.5, 41, dtype=np.float32), (3, 1))
    grey = figures.grey(ramp, 1.0)
    assert grey[0, 0] == 0 and grey[0, -1] == 255 and grey[0, 20] == round(255 * 0.5 ** (1 / 2.2))
    coloured = figures.coloured(ramp, 0.0, 1.0)
    dark, bright = (255 * np.array(matplotlib.colormaps["viridis"](end)[:3]) for end in (0.0, 1.0))
    assert np.abs(coloured[0, 0] - dark).max() < 1 and np.abs(coloured[0, -1] - bright).max() < 1


@pytest.mark.parametrize(
    "draw",
    [
        lambda image: figures.photographs({"one": image, "two": image}),
        lambda image: figures.maps({"map": np.where(image > 0.5, image, np.nan)}, "pixels"),
        lambda image: figures.curves(np.arange(60), {"line": image[:, 0]}, "x", "y", "log"),
    ],
)
def test_figure_is_an_image_with_caption_and_alternative_text(draw, image):
    shown = figures.Captioned(draw(image), 'A <caption> & "quotes".', 'What it "shows".')._repr_html_()
    assert "A &lt;caption&gt; &amp; &quot;quotes&quot;." in shown
    assert 'alt="What it &quot;shows&quot;."' in shown
    encoded = re.search(r"data:image/webp;base64,([^\"]+)", shown)[1]
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    assert picture.std() > 10
