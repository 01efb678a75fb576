"""Panels against the screen's curve and matplotlib's table of colours."""

import matplotlib
import numpy as np

from dpdefocus.support.panels import colour_panel, grey_panel


def test_grey_is_light_to_the_power_of_the_screen():
    panel = grey_panel(np.array([[-1.0, 0.0, 0.25, 0.5, 1.0]], np.float32), 0.5)
    assert panel.tolist() == [[0, 0, round(255 * 0.5 ** (1 / 2.2)), 255, 255]]


def test_colours_are_those_of_viridis_between_the_limits():
    levels = np.linspace(0, 1, 256)
    panel = colour_panel(np.float32(0.5 + 2 * levels)[None], 0.5, 2.5)
    expected = np.round(255 * matplotlib.colormaps["viridis"](np.arange(256))[:, :3])
    np.testing.assert_array_equal(panel[0, :, ::-1], expected)
    beyond = colour_panel(np.array([[-9.0, 9.0, np.nan]]), 0.5, 2.5)[0, :, ::-1]
    np.testing.assert_array_equal(beyond, [expected[0], expected[-1], [255] * 3])


def test_a_constant_map_on_its_own_scale_is_dark():
    panel = colour_panel(np.full((2, 3), 1.25), 1.25, 1.25)
    np.testing.assert_array_equal(panel, colour_panel(np.zeros((2, 3)), 0.0, 1.0))
