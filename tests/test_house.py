"""What holds for the project as a whole: its dependencies, its plan, what importing costs."""

import ast
import importlib
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]

PACKAGE = ROOT / "dpdefocus"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

WINGS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
ROOMS = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
SOURCES = ["dpdefocus", "tests", "benchmarks", "docs"]
FIGURES = {"matplotlib", "plotly", "ipywidgets"}
PRINTS = "calibration.chart"  # writes the chart for printing, through matplotlib's PDF backend


def name_of(room):
    """``wing.room``, or the name of a file at the front."""
    return ".".join(room.relative_to(PACKAGE).with_suffix("").parts)


def imported(room):
    """All that a room imports, anywhere in it, by full name."""
    names = set()
    for node in ast.walk(ast.parse(room.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_environment_takes_python_from_conda_forge_and_all_else_from_pyproject():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    assert environment["channels"] == ["conda-forge"]
    python, pip, packages = environment["dependencies"]
    name, _, version = python.partition("=")
    assert name == "python"
    assert version in SpecifierSet(PROJECT["requires-python"])
    assert pip == "pip"
    assert packages == {"pip": ["-e ."]}


def test_every_dependency_has_a_range_and_the_bad_jax_is_left_out():
    extras = PROJECT["optional-dependencies"].values()
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        operators = {specifier.operator for specifier in requirement.specifier}
        assert {">=", "<"} <= operators, text
        if requirement.name == "jax":
            assert "0.10.1" in requirement.specifier and "0.10.2" not in requirement.specifier


@pytest.fixture(scope="module")
def distributions():
    """Package -> distributions that hold it; looking through all that is installed takes a while."""
    return packages_distributions()


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_room_imports_what_is_declared_and_only_figures_draw(room, distributions):
    texts = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"].get("cluster", [])]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    for name in imported(room):
        package = name.partition(".")[0]
        if package != "dpdefocus" and package not in sys.stdlib_module_names:
            assert declared & set(map(canonicalize_name, distributions[package])), (
                f"{name_of(room)} imports {package}, which is not declared"
            )
            may_draw = room.parent.name == "figures" or name_of(room) == PRINTS
            assert package not in FIGURES or may_draw, f"{name_of(room)} draws"


def test_few_rooms_at_the_front_and_none_is_crowded():
    assert len(list(PACKAGE.glob("*.py"))) <= 8
    sources = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py")]
    assert [path for path in sources if len(path.read_text().splitlines()) > 400] == []


def patched_names(path):
    """The last part of each name that a test file patches: ``monkeypatch.setattr(room, "name", ...)``, or
    ``("room.name", ...)``."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="setattr"), args=[*_, ast.Constant(str(name)), _]):
                yield name.rpartition(".")[2]


def test_no_test_patches_a_constant():
    """A number that a test must change is a setting, and settings are arguments."""
    tests = (ROOT / "tests").rglob("*.py")
    assert [f"{path.name}: {name}" for path in tests for name in patched_names(path) if name.isupper()] == []


def test_tests_mirror_the_wings():
    """A test file is named after a room of the wing that its folder names, or stands in a folder of its own
    subject."""
    own = {"benchmarks", "notebooks"}
    for path in (ROOT / "tests").rglob("test_*.py"):
        folder = path.parent.name
        if folder not in own | {"tests"}:
            assert (PACKAGE / folder / path.name.removeprefix("test_")).is_file(), path


@pytest.mark.parametrize("wing", [PACKAGE, *WINGS], ids=lambda wing: wing.name)
def test_every_name_that_a_wing_offers_is_there_and_none_is_a_room_s(wing):
    """The stub of a wing is what loads its names, and what editors and type checkers read."""
    module = importlib.import_module("dpdefocus" if wing == PACKAGE else f"dpdefocus.{wing.name}")
    assert ast.get_docstring(ast.parse((wing / "__init__.py").read_text()))
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    if wing != PACKAGE:
        rooms = {path.stem for path in wing.glob("*.py")}
        assert not rooms & set(module.__all__)


def test_importing_the_library_takes_no_time_and_starts_no_device():
    code = "import sys, time; began = time.perf_counter(); import dpdefocus as dp; "
    code += "took = time.perf_counter() - began; assert 'jax' not in sys.modules; print(took); dir(dp)"
    # The best of three: the machine may be busy.
    took = min(
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    )
    assert took < 0.5


def test_loading_every_room_starts_no_device():
    names = [f"dpdefocus.{name_of(room)}" for room in ROOMS]
    code = f"import importlib\nfor name in {names}: importlib.import_module(name)\n"
    code += "from jax._src import xla_bridge\n"
    code += "assert not xla_bridge.backends_are_initialized(), 'a device was started'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
