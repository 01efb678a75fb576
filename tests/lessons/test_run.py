"""The batch runner, from its command line, on a notebook of three cells."""

import json
import subprocess
import sys

import nbformat
import pytest
from browser import Opened, browser  # noqa: F401

from dpdefocus.__main__ import main
from dpdefocus.lessons.run import checked_parameters, known_parameters
from dpdefocus.support.errors import InputError

PARAMETERS = """
scene: str = "synthetic"  # a scene's number
seed: int = 0
strength: float = 0.5
sharpen: bool = False
out_dir: str = ""
"""

FIGURE = """
import plotly.graph_objects as go
go.Figure(go.Scatter(y=[1, 3, 2], name="a curve of the test")).show()
print(repr(scene), seed, repr(out_dir))
"""


FAILURE = """
def f(): raise ArithmeticError('the loss is not finite')
f()
"""


def lesson(code, folder):
    """Writes a lesson whose last cell is the given code."""
    cells = [
        nbformat.v4.new_markdown_cell("# A lesson\n\n$$\\hat I_s = \\sum_i t_i c_i \\tag{1}$$"),
        nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), folder / "lesson.ipynb")
    return folder / "lesson.ipynb"


@pytest.fixture
def notebook(tmp_path):
    return lambda code: lesson(code, tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run that went well: what it printed, and the folder of what it left."""
    folder = tmp_path_factory.mktemp("batch")
    out = folder / "out"
    out.mkdir()
    (out / "lesson.failed.ipynb").write_text("of an earlier run")
    return batch(lesson(FIGURE, folder), "--out-dir", out, "-p", "scene", "001", "-p", "seed", "7"), out


def batch(*arguments):
    command = [sys.executable, "-m", "dpdefocus", "run", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_run_leaves_the_executed_notebook_and_a_report_that_needs_no_network(finished):
    done, out = finished
    assert done.returncode == 0, done.stderr
    assert str(out) in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["lesson.html", "lesson.ipynb"]
    assert f"'001' 7 '{out}'" in (out / "lesson.ipynb").read_text()
    assert "/.partial-" not in (out / "lesson.ipynb").read_text()
    report = (out / "lesson.html").read_text()
    assert "a curve of the test" in report
    assert "Plotly.newPlot" in report and "plotly.js v" in report  # the figure, and the program that draws it


def test_report_draws_figures_and_formulas_in_a_browser_without_a_network(browser, finished):
    with Opened(browser, finished[1] / "lesson.html") as opened:
        opened.page.wait_for_selector(".main-svg .scatterlayer path.js-line", state="attached")
        assert opened.page.locator("math munder").count() == 1
        assert opened.page.locator(".equation-number").inner_text() == "(1)"
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 400
        assert opened.complaints == []


def test_failure_is_one_short_message_and_keeps_earlier_results(notebook, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "lesson.ipynb").write_text("earlier")
    (out / "lesson.html").write_text("earlier")
    done = batch(notebook(FAILURE), "--out-dir", out)
    assert done.returncode == 1, done.stderr
    assert "ArithmeticError: the loss is not finite" in done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    assert (out / "lesson.ipynb").read_text() == (out / "lesson.html").read_text() == "earlier"
    kept = json.loads((out / "lesson.failed.ipynb").read_text())
    outputs = [output for cell in kept["cells"] for output in cell.get("outputs", [])]
    assert any(output.get("ename") == "ArithmeticError" for output in outputs)
    assert len(list(out.iterdir())) == 3


def test_bad_input_found_by_the_notebook_is_told_as_such(notebook, tmp_path):
    code = "from dpdefocus.support.errors import InputError\nraise InputError('scene 999 is not there')"
    done = batch(notebook(code), "--out-dir", tmp_path / "out")
    assert (done.returncode, done.stderr) == (2, "error: scene 999 is not there\n")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("sed", "1"), "unknown parameter sed: expected one of scene, seed, .* Did you mean seed?"),
        (("seed", "one"), "parameter seed: found 'one', expected int"),
        (("sharpen", "maybe"), "parameter sharpen: found 'maybe', expected bool"),
    ],
)
def test_parameters_that_do_not_fit_are_errors(notebook, given, message):
    with pytest.raises(InputError, match=message):
        checked_parameters([given], known_parameters(notebook("")))


def test_parameters_take_the_type_of_their_default(notebook):
    given = [("scene", "001"), ("seed", "3"), ("strength", "1"), ("sharpen", "true")]
    values = checked_parameters(given, known_parameters(notebook("")))
    assert repr(values) == repr({"scene": "001", "seed": 3, "strength": 1.0, "sharpen": True})


def test_what_cannot_start_does_not(notebook, tmp_path, capsys):
    lesson = notebook("")
    blocked = tmp_path / "file"
    blocked.write_text("")
    for arguments, found in [
        ((lesson, "--out-dir", blocked / "out"), f"nothing can be written to {blocked}"),
        ((tmp_path / "none.ipynb", "--out-dir", tmp_path), "none.ipynb does not exist"),
        ((lesson, "--out-dir", tmp_path / "out", "-p", "sceen", "1"), "Did you mean scene?"),
        ((lesson, "--out-dir", tmp_path / "out", "-p", "out_dir", "x"), "give the folder as --out-dir"),
    ]:
        assert main(["run", *map(str, arguments)]) == 2
        assert found in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
