"""Uses of the library in code: every way to name a thing, and names that only look like one."""

import pytest

from dpdefocus import site

PATHS = {
    "optics.Lens": "optics.lens.Lens",
    "optics.lens.Lens": "optics.lens.Lens",
    "optics.lens.Lens.focused_at": "optics.lens.Lens.focused_at",
    "data.save_result": "data.result.save_result",
    "solve": "solver.solve",
    "fast.PRESET": "fast.settings.PRESET",
}


def named(*cells):
    """For each cell the text of each use, and the path."""
    found = site.library_uses(cells, PATHS)
    return [
        {cell[use.start : use.end]: use.path for use in uses} for cell, uses in zip(cells, found, strict=True)
    ]


@pytest.mark.parametrize(
    ("cell", "text", "path"),
    [
        ("import dpdefocus as dp\ndp.solve(1)", "dp.solve", "solver.solve"),
        ("import dpdefocus\ndpdefocus.optics.Lens(1)", "dpdefocus.optics.Lens", "optics.lens.Lens"),
        ("from dpdefocus import optics\noptics.Lens(1)", "optics.Lens", "optics.lens.Lens"),
        ("from dpdefocus.optics import lens\nlens.Lens(1)", "lens.Lens", "optics.lens.Lens"),
        ("from dpdefocus.optics import lens as room\nroom.Lens(1)", "room.Lens", "optics.lens.Lens"),
        ("from dpdefocus.optics import lens\nlens.Lens.focused_at", "lens.Lens.focused_at", None),
        ("from dpdefocus import fast\nfast.PRESET.items()", "fast.PRESET", "fast.settings.PRESET"),
        ("from dpdefocus import optics\nx = [optics.Lens(1).gain]", "optics.Lens", "optics.lens.Lens"),
        ("from dpdefocus import optics\nä = 'ä'; ö = 'ö', optics.Lens(1)", "optics.Lens", "optics.lens.Lens"),
    ],
)
def test_a_use_is_found_where_it_stands(cell, text, path):
    assert named(cell) == [{text: path or "optics.lens.Lens.focused_at"}]


def test_what_one_cell_imports_the_next_ones_use_and_each_links_a_name_once():
    cells = (
        "from dpdefocus.data import save_result",
        "save_result(1)\nsave_result(2)",
        "%magic",
        "save_result",
    )
    found = site.library_uses(cells, PATHS)
    assert [len(uses) for uses in found] == [1, 1, 0, 1]
    assert [uses[0].imported for uses in found if uses] == [True, False, False]
    assert found[1][0].start == 0
    assert named(*cells)[0] == {"save_result": "data.result.save_result"}


@pytest.mark.parametrize(
    "cell",
    [
        "optics.Lens(1)",
        "import numpy as np\nnp.solve()",
        "from scipy import optics\noptics.Lens(1)",
        "from dpdefocus import optics\noptics.unknown(1)",
        "from dpdefocus import optics",
        "from dpdefocus import optics\nthing.optics.Lens(1)",
        "text = 'optics.Lens'  # optics.Lens",
    ],
)
def test_what_only_looks_like_a_use_is_none(cell):
    assert named(cell) == [{}]


def test_a_name_that_is_given_another_meaning_is_the_librarys_no_more():
    cells = ("from dpdefocus import optics\noptics.Lens(1)", "optics = make()", "optics.Lens(1)")
    assert named(*cells) == [{"optics.Lens": "optics.lens.Lens"}, {}, {}]
    for other in ("def optics(): pass", "def f(optics): pass", "for optics in range(3): pass"):
        assert named("from dpdefocus import optics", other, "optics.Lens(1)") == [{}, {}, {}]
