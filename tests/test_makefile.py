"""The Makefile: what it hands on, and that no shell reads it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# In place of a program: keeps its name and arguments, and fails as the call of the number that FAILS says.
STAND_IN = """
import json, os, pathlib, sys
calls = pathlib.Path("calls")
before = calls.read_text()
calls.write_text(before + json.dumps([pathlib.Path(sys.argv[0]).name, *sys.argv[1:]]) + chr(10))
sys.exit(os.environ.get("FAILS") == str(before.count(chr(10))))
"""


@pytest.fixture
def make(tmp_path):
    """Runs make in a folder of its own, with stand-ins for the programs; returns their calls."""
    bin = tmp_path / ".venv" / "bin"
    bin.mkdir(parents=True)
    for name in ("python", "dpdefocus", "ruff", "lint-imports", "jupyter"):
        (bin / name).write_text(f"#!{sys.executable}\n{STAND_IN}")
        (bin / name).chmod(0o755)
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("installed", "installed-test"):
        (tmp_path / ".venv" / name).touch()
    # Without what an outer make, such as the one that runs these tests, would hand down.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}

    def run(*arguments, **environment):
        (tmp_path / "calls").write_text("")
        command = ["make", *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=inherited | environment
        )
        return done, [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    return run


LESSON_4 = "notebooks/04_mpi_optimization.ipynb"


def test_make_hands_parameters_on_and_refuses_unknown_ones(make):
    _, calls = make("demo", "DATA=a folder", "SCENE=001", "OUT=out/x")
    expected = ["dpdefocus", "run", LESSON_4, "--out-dir", "out/x", "-p", "data_dir", "a folder"]
    assert calls == [[*expected, "-p", "scene", "001"]]
    names = {"LEFT": "left", "RIGHT": "right", "CALIBRATION": "calibration_dir", "BLACK_LEVEL": "black_level"}
    names |= {"WHITE_LEVEL": "white_level", "PRESET": "preset", "SEED": "seed"}
    _, (call,) = make("demo", *(f"{variable}=7" for variable in names))
    assert call[4:] == ["out/demo", *(each for name in names.values() for each in ("-p", name, "7"))]
    refused, calls = make("demo", "SCEN=001")
    assert refused.returncode != 0 and calls == []
    assert "unknown variable: SCEN; known are:" in refused.stderr


def test_make_calls_the_command(make):
    _, calls = make("batch", "CAPTURES=a.csv *.toml", "SCHEDULER=tcp://host:8786", "PRESET=fast")
    captures = ["a.csv", "pyproject.toml"]
    options = ["--out-dir", "out/batch", "--scheduler", "tcp://host:8786", "-p", "preset", "fast"]
    assert calls == [["dpdefocus", "batch", LESSON_4, *captures, *options]]
    for target in ("site", "student"):
        assert make(target)[1] == [["dpdefocus", target, "--out-dir", f"out/{target}"]]
    assert make("notebooks")[1][0] == ["dpdefocus", "colab"]


@pytest.mark.parametrize(
    "value",
    ['a"; touch x; "', "$(touch x)", "`touch x`", "$(shell touch x)", "it's $HOME", "a;touch x", "x#y", "$$"],
)
def test_what_is_given_to_make_is_run_by_no_shell(make, tmp_path, value):
    before = sorted(tmp_path.iterdir())
    names = "DATA", "SCENE", "LEFT", "RIGHT", "CALIBRATION", "PRESET", "SEED", "OUT", "SCHEDULER"
    _, (call,) = make("batch", "CAPTURES=a.csv", *(f"{name}={value}" for name in names))
    assert call.count(value) == len(names)
    _, (call,) = make("demo", LEFT=value)  # from the environment
    assert call[-1] == value
    _, calls = make("batch", f"CAPTURES={value}")
    assert " ".join(calls[0][3:-2]) == value
    _, (bench,) = make("bench", f"DATA={value}", f"SCENE={value}")
    assert bench[2:] == ["--data", value, "--scene", value]
    _, (table,) = make("table", f"DATA={value}")
    assert value in table
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "calls"])


def test_make_test_checks_style_and_order_of_imports_before_the_tests(make):
    _, calls = make("test")
    expected = [["ruff", "check"], ["ruff", "format", "--check"], ["lint-imports"]]
    assert calls[:3] == expected and calls[3][:3] == ["python", "-m", "pytest"]
    for failing in range(4):
        done, calls = make("test", FAILS=str(failing))
        assert done.returncode != 0 and len(calls) == failing + 1
