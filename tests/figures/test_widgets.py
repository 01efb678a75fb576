"""Sliders: both forms show the same pictures, the static one by itself, and mistakes show in the cell."""

import json
import re

import ipywidgets
import numpy as np
import pytest

from dpdefocus import figures, support
from dpdefocus.figures import widgets
from dpdefocus.support.errors import InputError


def draw(brightness, width):
    panel = np.full((4, int(width)), brightness, np.uint8)
    colour = np.stack([panel] * 3, -1)
    return figures.Picture({"grey": panel, "colour": colour}, f"{brightness} in {width} < 9.")


CONTROLS = {
    "brightness": figures.Control("brightness", (10, 200), "of 255", start=1),
    "width": figures.Control("width", (3, 5, np.inf), "px"),
}
FINITE = CONTROLS | {"width": figures.Control("width", (3, 5, 7), "px")}


def explored(live):
    return figures.explore(draw, FINITE, "A caption & more.", "A flat panel.", live)


def test_static_form_holds_every_combination_in_the_order_its_script_counts():
    page = explored(False)._repr_html_()
    content = re.search(r"= (\[\[.*\]\]);$", page, re.MULTILINE).group(1)
    frames, labels = json.loads(content)
    assert labels == [["10 of 255", "200 of 255"], ["3 px", "5 px", "7 px"]]
    assert len(frames) == 6
    for at, (sources, text) in enumerate(frames):
        picture = draw((10, 200)[at // 3], (3, 5, 7)[at % 3])
        assert text == picture.text
        assert sources == [widgets._source(panel) for panel in picture.panels.values()]


def test_static_form_starts_where_the_controls_say_with_caption_and_alternative_text():
    page = explored(False)._repr_html_()
    before_script = page.partition("<script>")[0]
    assert widgets._source(draw(200, 3).panels["grey"]) in before_script
    assert "A caption &amp; more." in before_script
    assert re.findall(r'alt="([^"]*)"', before_script) == [
        f"{title}. A flat panel. 200 in 3 &lt; 9." for title in ("grey", "colour")
    ]
    ranges = re.findall(r'type="range" min="0" max="(\d)" value="(\d)"', before_script)
    assert ranges == [("1", "1"), ("2", "0")]
    # Nothing in the data can end the script.
    assert page.count("</script>") == 1 and page.endswith("</script>")
    assert repr(explored(False)) == "A caption & more."


def test_static_form_is_the_same_each_time():
    assert explored(False)._repr_html_() == explored(False)._repr_html_()


def test_live_form_shows_the_static_pictures_when_its_sliders_are_let_go():
    live = explored(True)
    view, brightness, width, caption = live.children
    assert not brightness.continuous_update and not width.continuous_update
    assert "A caption &amp; more." in caption.value
    assert view.value == widgets._view(draw(200, 3), "A flat panel.")
    width.value = 7
    assert view.value == widgets._view(draw(200, 7), "A flat panel.")
    brightness.value = 10
    assert view.value == widgets._view(draw(10, 7), "A flat panel.")


@pytest.mark.parametrize(("batch", "form"), [("1", figures.Frames), ("0", ipywidgets.VBox)])
def test_form_follows_who_is_watching(monkeypatch, batch, form):
    monkeypatch.setenv("DPDEFOCUS_BATCH", batch)
    monkeypatch.setenv("CI", "false")
    assert support.is_batch() == (batch == "1")
    assert isinstance(explored(None), form)


@pytest.mark.parametrize("live", [True, False])
def test_drawing_that_fails_stops_the_cell(live):
    with pytest.raises(OverflowError):
        figures.explore(draw, CONTROLS | {"width": figures.Control("width", (np.inf, 3))}, "", "", live)


def test_words_are_read_as_they_are_and_infinity_as_a_word():
    assert CONTROLS["width"].labels == ["3 px", "5 px", "infinity"]
    assert figures.Control("part left out", ("none", "edges")).labels == ["none", "edges"]


def test_too_many_frames_and_sliders_with_nothing_to_move_are_refused():
    many = {name: figures.Control(name, tuple(range(20))) for name in ("brightness", "width")}
    with pytest.raises(InputError, match="400 frames"):
        figures.explore(draw, many, "", "", live=False)
    for values, start in (((1,), 0), ((1, 2), 2)):
        with pytest.raises(InputError, match="Control x"):
            figures.Control("x", values, start=start)
