"""What is published: a wheel that solves a capture wherever it is installed, and how to cite it."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from blurred_plane import KERNELS, plane

import dpdefocus as dp

ROOT = Path(__file__).parents[1]


def run(*command, cwd):
    """What a command prints, run in a folder without the settings of this process's Python."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def built_here():
    """Whether the environment has the setuptools that builds the project; otherwise pip fetches one."""
    found = importlib.metadata.version("setuptools") if importlib.util.find_spec("setuptools") else "0"
    return int(found.partition(".")[0]) >= 77


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of a copy of the working tree, so that no build folder of this one gets into it."""
    source, out = (tmp_path_factory.mktemp(name) for name in ("source", "wheels"))
    shutil.copytree(ROOT / "dpdefocus", source / "dpdefocus", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, source)
    isolation = ["--no-build-isolation"] if built_here() else []
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", *isolation, "--wheel-dir", str(out), str(source), cwd=out)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """``bin/`` of an environment that holds the wheel, and beside it what it depends on from this one."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", str(environment), cwd=environment)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python)]
    run(*pip, "install", "--no-deps", "--no-index", str(wheel), cwd=environment)
    # A folder that a .pth file names comes last, and its own .pth files, such as that of an editable
    # installation of the project, are not read.
    print_packages = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(run(str(python), "-c", print_packages, cwd=environment).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_wheel_holds_every_file_of_the_library_and_nothing_else(wheel):
    files = (path for path in (ROOT / "dpdefocus").rglob("*") if path.is_file())
    expected = {path.relative_to(ROOT).as_posix() for path in files if "__pycache__" not in path.parts}
    assert {"dpdefocus/py.typed", "dpdefocus/fast/__init__.pyi", "dpdefocus/site/web/page.css"} <= expected
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == expected


def test_installed_wheel_solves_two_files_from_another_folder(installed, tmp_path):
    sharp, views = (0.5 * np.float32(image) + 0.1 for image in plane())
    for side, view in zip(("left", "right"), views, strict=True):
        dp.data.write_raw(tmp_path / f"{side}.png", view)
    dp.save_calibration(dp.Calibration(KERNELS), tmp_path / "kernels")

    where = run(str(installed / "python"), "-c", "import dpdefocus; print(dpdefocus.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent)
    command = str(installed / "dpdefocus")
    assert dp.__version__ in run(command, "--version", cwd=tmp_path)
    given = ["left.png", "right.png", "--calibration", "kernels", "--preset", "classroom"]
    run(command, "solve", *given, "--out", "solved", cwd=tmp_path)

    result = dp.load_result(tmp_path / "solved")
    # The plane lies at size 0.7; the preset tries sizes in steps of 0.15.
    np.testing.assert_allclose(result.defocus_map, 0.7, atol=0.075)
    assert np.abs(result.all_in_focus - sharp).mean() < 0.5 * np.abs(views.mean(0) - sharp).mean()
    files = {"all_in_focus.png", "defocus_map.png", "preview.png", "result.npz"}
    assert files <= {path.name for path in (tmp_path / "solved").iterdir()}


def test_citation_names_this_version_and_the_paper():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == dp.__version__
    assert citation["license"] == importlib.metadata.metadata("dpdefocus")["License-Expression"]
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]][::7] == ["Xin", "Garg"]


def test_changelog_begins_with_this_version():
    first = re.search(r"^## \[?([\d.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert first.group(1) == dp.__version__
