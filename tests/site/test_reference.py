"""The reference beside what Python itself says of the library: names, signatures, and what they link to."""

import ast
import html
import importlib
import inspect
import re

import pytest
from lesson_checks import ROOT

from dpdefocus import site
from dpdefocus.site import reference as reference_room
from dpdefocus.site.library import wings

STUBS = sorted((ROOT / "dpdefocus").glob("*/__init__.pyi"))
USES = {"optics.mpi.render": [("lesson 4", "04_mpi_optimization.html#code-x")]}


@pytest.fixture(scope="module")
def library():
    return site.read_library()


@pytest.fixture(scope="module")
def bodies(library):
    """File name -> body of each page."""
    return {name: body for name, (_, body, _) in site.reference_pages(library, USES).items()}


def entries(body):
    """Id of each name that is described -> its part of the page."""
    parts = re.split(r'<section class="entry">\n<h\d id="([^"]+)">', body)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def names_of(stub):
    """(room, name) of all that a wing hands on, by its own file."""
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.parent.name)
def test_every_public_name_of_a_wing_is_described_and_no_private_one(bodies, stub):
    wing = stub.parent.name
    described = entries(bodies[f"reference_{wing}.html"])
    handed_on = {f"{wing}.{room}.{name}" for room, name in names_of(stub)}
    assert handed_on and handed_on <= set(described)
    assert not [path for path in described if any(name.startswith("_") for name in path.split("."))]
    for path in described:
        room, name, *member = path.split(".")[1:]
        found = getattr(importlib.import_module(f"dpdefocus.{wing}.{room}"), name)
        assert not member or hasattr(found, member[0])
    rooms = [each.stem for each in stub.parent.glob("[!_]*.py")]
    assert all(f'<h2 id="{wing}.{room}">' in bodies[f"reference_{wing}.html"] for room in rooms)


def test_front_door_lists_its_names_and_the_wings(bodies):
    front = bodies["reference.html"]
    for room, name in names_of(ROOT / "dpdefocus" / "__init__.pyi"):
        if room is None:
            assert f'<a href="reference_{name}.html"><code>{name}</code></a>' in front
        else:
            assert re.search(rf'<li><a href="reference[^"]*\.{name}"><code>{name}</code></a>', front), name
    assert {f"reference_{stub.parent.name}.html" for stub in STUBS} | {"reference.html"} == set(bodies)
    assert "solver.solve" in entries(front)


def text(markup):
    return html.unescape(re.sub("<[^>]*>", "", markup))


def test_signatures_are_pythons_own(bodies):
    compared = 0
    for name, body in bodies.items():
        for path, entry in entries(body).items():
            found = importlib.import_module(f"dpdefocus.{path.split('.')[0]}")
            for part in path.split(".")[1:]:
                room = f"{found.__name__}.{part}"
                found = getattr(found, part) if hasattr(found, part) else importlib.import_module(room)
            if not inspect.isfunction(found):
                continue
            written = text(re.search(r"<pre>.*?</pre>", entry, re.DOTALL)[0])
            arguments = ast.parse(f"def {written.strip().replace(chr(10), ' ')}: ...").body[0].args
            expected = inspect.signature(found).parameters
            named = [*arguments.posonlyargs, *arguments.args, *filter(None, [arguments.vararg])]
            named += [*arguments.kwonlyargs, *filter(None, [arguments.kwarg])]
            assert [each.arg for each in named] == [each for each in expected if each != "self"], (name, path)
            defaults = [each for each in expected.values() if each.default is not inspect.Parameter.empty]
            written_defaults = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
            assert len(written_defaults) == len(defaults), (name, path)
            compared += 1
    assert compared > 300


def test_an_entry_has_axes_arguments_errors_and_the_lessons_that_use_it(bodies):
    rendered = entries(bodies["reference_optics.html"])["optics.mpi.render"]
    assert '"layers height width"' in text(rendered) and '-> Float[Array, "views height width"]' in text(
        rendered
    )
    assert 'Used in <a href="04_mpi_optimization.html#code-x">lesson 4</a>' in rendered
    assert '<a href="reference_optics.html#optics.tiling.Tiling">' in rendered
    lens = entries(bodies["reference_optics.html"])["optics.lens.Lens"]
    assert "<dt><code>focal_length</code></dt>\n<dd><p>metres.</p>" in lens
    assert (
        '<dt><a href="reference_support.html#support.errors.InputError"><code>InputError</code></a></dt>'
        in lens
    )
    assert "Used in" not in lens and "Raises" in lens


def test_axes_and_units_of_a_room_stand_out(bodies):
    pages = "".join(bodies.values())
    assert pages.count("<strong>Axes:</strong>") + pages.count("<strong>Axes</strong>") > 40
    assert pages.count("<strong>Units:</strong>") + pages.count("<strong>Units</strong>") > 40
    assert not re.search(r"Axes {2,}\S", text(pages))


def test_nothing_of_a_docstring_is_lost_as_a_tag(bodies):
    tags = set(re.findall(r"<(\w+)", "".join(bodies.values())))
    known = [
        "a",
        "code",
        "dd",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "li",
        "p",
        "pre",
        "section",
        "small",
        "span",
        "strong",
        "ul",
    ]
    assert tags <= set(known)


@pytest.mark.parametrize(
    ("name", "within", "path"),
    [
        ("Lens", "optics.lens", "optics.lens.Lens"),
        ("Lens", "optics.pupil.field_varying", "optics.lens.Lens"),
        ("radius", "optics.lens.Lens", "optics.lens.Lens.radius"),
        ("mpi.render", "fast.solve", "optics.mpi.render"),
        ("mpi.render(intensities, alphas, ...)", "", "optics.mpi.render"),
        ("optics.render", "", "optics.mpi.render"),
        ("solve", "data.result", "solver.solve"),
        ("InputError", "optics.lens.Lens", "support.errors.InputError"),
        ("blended_tiles", "fast.wiener", "optics.blended_tiles"),
        ("optics", "fast", "optics"),
        ("d = A + B / Z", "optics.lens", ""),
        ("Lens", "fast.solve", ""),
        ("solve.anything", "", ""),
    ],
)
def test_a_name_in_backticks_means_what_is_nearest(library, name, within, path):
    assert library.find(name, within) == path


def test_a_lessons_text_links_to_names_with_their_room_only(library):
    address = reference_room.address_in_text
    assert address(library, "mpi.render(x)") == "reference_optics.html#optics.mpi.render"
    assert address(library, "captures.open_capture") == "reference.html#captures.open_capture"
    assert address(library, "dp.solve(capture)") == "reference.html#solver.solve"
    assert address(library, "optics.mpi") == "reference_optics.html#optics.mpi"
    for text in ("render", "mpi", "capture.views", "f(mpi.render)", "result.npz"):
        assert address(library, text) == ""


def test_parameters_of_a_function_are_no_links(bodies):
    """`find` would take them for rooms or names."""
    for body in bodies.values():
        for entry in entries(body).values():
            signature = text(re.search(r"<pre>.*?</pre>", entry, re.DOTALL)[0]) if "<pre>" in entry else ""
            parameters = re.findall(r"[(,]\s*(\w+)[:=,)]", signature)
            linked = re.findall(r'<a href="reference[^"]*"><code>(\w+)</code>', entry)
            assert not set(parameters) & set(linked)


def test_wings_stand_from_the_ground_up(library):
    order = [wing.name for wing in wings(library.package)]
    assert sorted(order) == [stub.parent.name for stub in STUBS]
    assert order[:3] == ["support", "data", "optics"] and order.index("fast") < order.index("evaluation")
