"""What holds for the project as a whole: its dependencies, its order of modules, its commands."""

import ast
import os
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
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MODULES = sorted((ROOT / "dpdefocus").glob("*.py"))

# Data flows along this road; a module imports none further down.
ROAD = [
    # files and what is in them
    "errors",
    "progress",
    "memory",
    "files",
    "raw",
    "data",
    "results",
    # image formation, and its inversion
    "optics",
    "lens",
    "blur",
    "mpi",
    "overlap",
    "wiener",
    "labelling",
    "occlusion",
    "deblur",
    # noise, the published method, the solver and its scores
    "bias",
    "checks",
    "derivation",
    "bias_trials",
    "bias_claims",
    "losses",
    "objective",
    "published",
    "presets",
    "solve",
    "metrics",
    # simulated captures, and what is tried on them
    "scenes",
    "simulate",
    "captures",
    "focus_stack",
    "bias_scenes",
    "ablations",
    # calibration
    "geometry",
    "chart",
    "detection",
    "photographs",
    "vignetting",
    "kernel_programme",
    "kernel_fit",
    "kernel_models",
    "kernel_scaling",
    "calibrate",
    "chart_photo",
    # other methods
    "edge_aware",
    "guided_filter",
    "stereo",
    "cost_aggregation",
    "symmetry",
    "wiener_selection",
    "baselines",
    "saved_outputs",
    "published_figures",
    # pages and batches
    "formulas",
    "pages",
    "comparison",
    "site",
    "editions",
    "contact_sheet",
    "batch",
    "batches",
]

FIGURES = {"matplotlib", "plotly", "ipywidgets"}


def draws(module):
    """Whether a module knows figures: `plots`, `widgets`, or one lesson's own, `plots_<lesson>`."""
    return module.partition("_")[0] in {"plots", "widgets"}


def imported(module):
    """All that a module imports, anywhere in it, by full name."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
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


def test_every_room_has_its_place_on_the_road():
    assert sorted(ROAD) == [
        module.stem for module in MODULES if module.stem != "__init__" and not draws(module.stem)
    ]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_module_imports_what_is_declared_and_nothing_further_down_the_road(module):
    texts = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"].get("cluster", [])]
    declared = {canonicalize_name(Requirement(text).name) for text in texts}
    distributions = packages_distributions()
    for name in imported(module):
        package, _, rest = name.partition(".")
        if package == "dpdefocus":
            other = rest.partition(".")[0]
            assert draws(module.stem) or not draws(other), f"{module.stem} imports {other}"
            if other != "__version__" and not draws(module.stem):
                assert ROAD.index(other) <= ROAD.index(module.stem), f"{module.stem} imports {other}"
        elif package not in sys.stdlib_module_names:
            assert declared & set(map(canonicalize_name, distributions[package])), (
                f"{module.stem} imports {package}, which is not declared"
            )
            assert package not in FIGURES or draws(module.stem), f"{module.stem} imports {package}"


def test_lines_are_at_most_110_characters_long():
    long = []
    for folder in ("dpdefocus", "benchmarks", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
            long += [f"{path.relative_to(ROOT)}:{n}: {len(line)}" for n, line in lines if len(line) > 110]
    assert not long, "longer than 110 characters: " + ", ".join(long)


def test_importing_starts_no_device():
    names = [module.stem for module in MODULES if module.stem != "__init__"]
    code = "import importlib\n"
    code += f"for name in {names}: importlib.import_module('dpdefocus.' + name)\n"
    code += "from jax._src import xla_bridge\n"
    code += "assert not xla_bridge.backends_are_initialized(), 'a device was started'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def make(*arguments):
    # Without what an outer make, such as the one that runs these tests, would hand down.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(["make", *arguments], capture_output=True, text=True, cwd=ROOT, env=environment)


def test_make_hands_parameters_on_and_refuses_unknown_ones():
    shown = make("--dry-run", "demo", "DATA=a folder", "SCENE=001", "OUT=out/x").stdout
    assert '--out-dir "out/x"' in shown
    assert '-p data_dir "a folder" -p scene "001"' in shown
    assert "-p preset" not in shown
    refused = make("--dry-run", "demo", "SCEN=001")
    assert refused.returncode != 0
    assert "unknown variable: SCEN; known are:" in refused.stderr
