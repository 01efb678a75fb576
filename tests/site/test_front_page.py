"""The first page: times of any length, and pictures that are the lessons' own."""

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from nbformat import v4

from dpdefocus import site
from dpdefocus.support.files import LOSSLESS, WEBP, webp

OPENING = (
    "# Lesson 1 · T\n\n**You will be able to**\n- do a thing.\n\n**Assumes** nothing. {}\nSymbols: none.\n"
)


def lesson(time="", pictures=()):
    figures = [
        f'<figure><img alt="{alt}" src="{WEBP}{webp(pixels, LOSSLESS)}"><figcaption>F</figcaption></figure>'
        for alt, pixels in pictures
    ]
    outputs = [v4.new_output("display_data", {"text/html": figure}) for figure in figures]
    return v4.new_notebook(
        cells=[v4.new_markdown_cell(OPENING.format(time)), v4.new_code_cell("x", outputs=outputs)]
    )


def front_page(*args, **options):
    return site.front_page_body({Path("01_x.ipynb"): lesson(*args, **options)}, {})


@pytest.mark.parametrize(
    "time",
    [
        "**Time** 5 minutes to read; a minute to run (not measured on a GPU).",
        "**Time** 5 minutes to read; a\nminute to run (not measured\non a GPU).",
        "**Time**\n5 minutes to read; a minute to run (not measured on a GPU).",
    ],
)
def test_time_is_told_whole_however_its_lines_are_broken(time):
    assert "<p>5 minutes to read; a minute to run (not measured on a GPU).</p>" in front_page(time)


def test_picture_is_the_middle_of_the_figure_with_most_to_see():
    rng = np.random.default_rng(0)
    flat = np.full((300, 500), 128, np.uint8)
    smooth = cv2.resize(rng.integers(0, 255, (12, 30), np.uint8), (900, 300), interpolation=cv2.INTER_CUBIC)
    page = front_page(pictures=[("a flat field", flat), ("waves", smooth)])
    alt, picture = re.search(rf'<img alt="([^"]+)" src="{WEBP}([^"]+)">', page).groups()
    found = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_GRAYSCALE)
    middle = cv2.resize(smooth[:, 225:675], (288, 192), interpolation=cv2.INTER_AREA)
    assert alt == "waves" and found.shape == (192, 288)
    assert np.abs(found.astype(int) - middle).mean() < 4
    assert "<img" not in front_page()
