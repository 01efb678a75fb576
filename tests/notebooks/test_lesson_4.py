"""Lesson 4: its interface and its errors; the report of results; Binder."""

import re
import subprocess
import sys

import yaml
from lesson_checks import ROOT

from dpdefocus.lessons.run import known_parameters

LESSON = ROOT / "notebooks" / "04_mpi_optimization.ipynb"
PARAMETERS = {
    "data_dir": "",
    "scene": "synthetic",
    "left": "",
    "right": "",
    "calibration_dir": "",
    "black_level": 1024,
    "white_level": 16383,
    "preset": "",
    "out_dir": "",
    "seed": 2,
}


def batch(*arguments):
    command = [sys.executable, "-m", "dpdefocus", "run", str(LESSON), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)


def test_parameters_are_the_stable_interface():
    assert known_parameters(LESSON) == PARAMETERS


def test_what_cannot_be_used_is_one_clear_error(tmp_path):
    for given, message in [
        (("prest", "fast"), "error: unknown parameter prest: expected one of .* Did you mean preset?"),
        (("preset", "slow"), "error: preset: found 'slow', expected one of fast, classroom"),
        (("left", "a.png"), "error: right, calibration_dir: not given"),
    ]:
        done = batch("--out-dir", tmp_path, "-p", *given)
        assert done.returncode == 2
        assert re.fullmatch(f"{message}.*\n", done.stderr), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_binder_names_python_exactly_and_installs_the_package():
    environment = yaml.safe_load((ROOT / "binder" / "environment.yml").read_text())
    assert "python=3.11" in environment["dependencies"]
    post_build = ROOT / "binder" / "postBuild"
    assert post_build.stat().st_mode & 0o111
    assert "pip install" in post_build.read_text()
