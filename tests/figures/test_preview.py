"""The preview: each image at its place, in its tones and colours, with a scale whose ends are named."""

import subprocess
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest
from matplotlib import colormaps

from dpdefocus import figures
from dpdefocus.data.result import Result
from dpdefocus.figures import preview


def result_of(height, width):
    """A ramp of light to the right, one of sizes downwards, and confidence that is low on the left."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    images = [0.5 * x, 0.5 + y, np.where(x < 0.5, 0.25, 0.75)]
    layers = np.ones(1, np.float32), np.ones((1, 2, 2), np.float32)
    return Result(*(image.astype(np.float32) for image in images), *layers, 1.0, {})


def drawn(result, caption="a caption"):
    """The picture [height, width, 3] in red, green, blue, as shares of full."""
    picture = cv2.imdecode(np.frombuffer(figures.preview_png(result, caption), np.uint8), cv2.IMREAD_COLOR)
    return picture[..., ::-1] / 255


def panel(picture, number, size):
    """One of the three images of a picture, cut out; `size` is its (height, width)."""
    column = max(size[1], preview.NARROWEST)
    left = preview.GAP + number * (column + preview.GAP) + (column - size[1]) // 2
    return picture[preview.TITLE : preview.TITLE + size[0], left : left + size[1]]


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [(1008, 1344, (540, 720)), (1344, 1008, (720, 540)), (180, 240, (540, 720)), (300, 100, (720, 240))],
)
def test_images_keep_their_proportions_tones_and_colours(height, width, size):
    picture = drawn(result_of(height, width))
    sharp, sizes, sure = (panel(picture, number, size) for number in range(3))
    middle, at = size[0] // 2, np.array([0.1, 0.5, 0.9])
    # Light: the brightest half per cent is white, and the rest follows the curve of sRGB.
    assert sharp[middle, -2:].min() > 0.99 and sharp[middle, :2].max() < 0.1
    light = at * 0.5 / (0.995 * 0.5)
    found = sharp[middle, np.round(at * size[1]).astype(int), 0]
    np.testing.assert_allclose(found, 1.055 * light ** (1 / 2.4) - 0.055, atol=0.02)
    assert np.ptp(sharp, axis=2).max() == 0
    # Sizes: the colours of viridis from the 0.5th to the 99.5th percentile, dark for small.
    found = sizes[np.round(at * size[0]).astype(int), size[1] // 2]
    np.testing.assert_allclose(found, colormaps["viridis"]((at - 0.005) / 0.99)[:, :3], atol=0.03)
    # Confidence: from 0 to 1, whatever it spans.
    found = sure[middle, [size[1] // 4, 3 * size[1] // 4]]
    np.testing.assert_allclose(found, colormaps["cividis"]([0.25, 0.75])[:, :3], atol=0.01)
    # All else is white, and text on it.
    assert picture[:4].min() == 1 and picture[:, :4].min() == 1
    below = picture[preview.TITLE + size[0] + preview.BAR_BELOW :]
    assert all(part.min() < 0.3 for part in np.array_split(below, 3, axis=1))


def test_curve_of_srgb_meets_its_straight_part_and_clips():
    light = np.array([[-0.1, 0.0, 0.0031308, 0.00314, 0.5, 1.0, 2.0]])
    tones = figures.screen_tones(light, 1.0)
    np.testing.assert_allclose(tones[0], [0, 0, 0.04045, 0.04056, 0.7354, 1, 1], atol=1e-4)


def test_map_of_one_size_and_a_black_image_can_be_drawn():
    result = result_of(40, 40)
    flat = np.full((40, 40), 0.7, np.float32)
    picture = drawn(replace(result, defocus_map=flat, all_in_focus=np.zeros((40, 40), np.float32)))
    assert (
        panel(picture, 0, (720, 720)).max() == 0
        and np.ptp(panel(picture, 1, (720, 720)), axis=(0, 1)).max() == 0
    )


def test_preview_needs_no_window():
    code = (
        "import sys; from dpdefocus.figures import preview_png; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
