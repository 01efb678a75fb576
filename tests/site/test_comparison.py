"""The comparison page in a real browser: the wipe, and the value of every pixel."""

import numpy as np
import pytest
from browser import WIDE, Opened, browser  # noqa: F401

from dpdefocus import site
from dpdefocus.baselines.methods import Estimate
from dpdefocus.data.capture import Capture, GroundTruth
from dpdefocus.data.result import Result
from dpdefocus.site.comparison import Compared, comparison_page
from dpdefocus.support.errors import InputError

HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def pictures():
    """What a solved capture of noise would show: every value is different."""
    rng = np.random.default_rng(0)
    views = rng.uniform(0.1, 0.9, (2, HEIGHT, WIDTH)).astype(np.float32)
    mask = np.ones((HEIGHT, WIDTH), bool)
    mask[3, 5] = False
    capture = Capture(views, "noise", np.zeros((HEIGHT, WIDTH), bool))
    size = rng.uniform(0.2, 1.5, (HEIGHT, WIDTH)).astype(np.float32)
    result = Result(views[0], size, views[1], np.ones(1, np.float32), np.ones((1, 2, 2), np.float32), 1.0, {})
    others = {"sharp only": Estimate(all_in_focus=views[0]), "map only": Estimate(defocus_map=size)}
    return site.pictures_of(capture, result, GroundTruth(views[1], size[::-1].copy(), mask), others)


def test_every_method_is_compared_by_what_it_makes(pictures):
    assert {"sharp only, sharp", "map only, map", "map only, error"} <= set(pictures)
    assert not {"sharp only, map", "map only, sharp"} & set(pictures)
    error = pictures["map only, error"].values
    assert np.isnan(error[3, 5]) and np.nanmax(np.abs(error - pictures["error of the map"].values)) == 0


@pytest.fixture(scope="module")
def path(tmp_path_factory, pictures):
    """The page alone."""
    path = tmp_path_factory.mktemp("compare") / "compare.html"
    path.write_text(site.page("Compare", comparison_page(pictures, ("photograph", "all in focus"))))
    return path


def shown(page):
    """The text beneath each picture of the comparison: its name and its value."""
    told = (
        "all => all.map((c) => "
        "[c.querySelector('strong').textContent, c.querySelector('.value').textContent])"
    )
    return dict(page.locator(".figures figcaption").evaluate_all(told))


def assert_shown(page, pictures, row, column):
    told = shown(page)
    assert list(told) == list(pictures)
    for name, picture in pictures.items():
        value = picture.values[row, column]
        number, _, unit = told[name].partition(" ")
        if np.isnan(value):
            assert told[name] == "not known"
        else:
            # Four decimals of one of 65535 steps.
            assert abs(float(number) - value) < 1e-4 and unit == picture.unit, name


def test_comparison_tells_the_values_of_the_pixel_pointed_at(browser, path, pictures):
    with Opened(browser, path, WIDE) as opened:
        page = opened.page
        assert_shown(page, pictures, HEIGHT // 2, WIDTH // 2)
        page.locator(".column").press("ArrowRight")
        page.locator(".row").press("Home")
        assert_shown(page, pictures, 0, WIDTH // 2 + 1)
        frame = page.locator(".figures .frame").nth(2)
        box = frame.bounding_box()
        frame.click(position={"x": 5.5 / WIDTH * box["width"], "y": 3.5 / HEIGHT * box["height"]})
        assert_shown(page, pictures, 3, 5)
        assert shown(page)["true defocus map"] == "not known"
        assert page.locator(".where").inner_text().startswith("Column 5, row 3")


def test_wipe_shows_either_picture_and_moves_by_keyboard_and_pointer(browser, path):
    with Opened(browser, path, WIDE) as opened:
        page = opened.page
        over, place = page.locator(".over"), page.locator(".place")
        clipped = "image => image.style.clipPath"
        assert over.evaluate(clipped) == "inset(0px 50% 0px 0px)"
        place.press("ArrowRight")
        assert over.evaluate(clipped) == "inset(0px 49% 0px 0px)"
        frame = page.locator(".wipe .frame")
        across = frame.bounding_box()["width"]
        frame.hover(position={"x": across / 2, "y": 50})
        page.mouse.down()
        frame.hover(position={"x": across / 4, "y": 50})
        page.mouse.up()
        assert over.evaluate(clipped) == "inset(0px 75% 0px 0px)"
        before = over.get_attribute("src")
        page.locator(".left").select_option(label="defocus map")
        assert over.get_attribute("src") != before
        assert over.get_attribute("alt").startswith("defocus map. ")


def test_pictures_that_do_not_fit_are_refused(pictures):
    small = Compared(np.zeros((2, 2), np.float32), "A flat picture.", "linear raw", (0.0, 1.0))
    with pytest.raises(InputError, match="expected one size"):
        comparison_page(pictures | {"small": small}, ("photograph", "small"))
    with pytest.raises(InputError, match="no picture 'sharp'"):
        comparison_page(pictures, ("photograph", "sharp"))


def test_drawn_pictures_span_their_limits_and_leave_the_unknown_white():
    values = np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)
    grey = Compared(values, "", "linear raw", (0.0, 1.0)).drawn()
    assert grey.tolist() == [[0, round(255 * 0.5 ** (1 / 2.2)), 255, 255]]
    colour = Compared(values, "", "defocus size", (0.0, 1.0), "viridis").drawn()
    assert colour[0, 0].tolist() == [84, 1, 68] and colour[0, 3].tolist() == [255, 255, 255]
