"""Lesson 1: its interface, and the sliders that it must have."""

import re

import nbformat
from lesson_checks import ROOT, figures

from dpdefocus.lessons.run import known_parameters

LESSON = ROOT / "notebooks" / "01_image_formation.ipynb"


def test_parameters_are_the_stable_interface():
    names = ["seed", "height", "width", "f_number", "focus_distance", "data_dir"]
    assert list(known_parameters(LESSON)) == names


def test_focus_aperture_depth_and_field_position_have_sliders():
    pages = "".join(data["text/html"] for data in figures(nbformat.read(LESSON, as_version=4)))
    sliders = re.findall(r"block\">(.*?) <input", pages)
    assert {"focus distance", "aperture f/", "depth of the point"} <= set(sliders)
    assert {"row in the frame", "column in the frame"} <= set(sliders)
