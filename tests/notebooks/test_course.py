"""The lessons as one course: one shape, one notation, each within its time, memory and size.

Every lesson is executed once in all tests, here. Copies broken on purpose show that each fault is told.
"""

import copy
import re

import nbformat
import numpy as np
import pytest
from lesson_checks import (
    LESSONS,
    MOST_BYTES,
    NOT_COMPARED,
    ROOT,
    code_cells,
    figures,
    nbval,
    run,
    run_problems,
    shape_problems,
    tags,
    text_changes,
)

from dpdefocus import evaluation, simulation
from dpdefocus.data.result import load_result

each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)

# LaTeX that is no symbol: marks, brackets, relations, operators, spaces.
NO_SYMBOL = set(
    [
        "hat",
        "bar",
        "tilde",
        "sum",
        "prod",
        "min",
        "max",
        "log",
        "exp",
        "arg",
        "frac",
        "tfrac",
        "sqrt",
        "left",
        "right",
        "lvert",
        "rvert",
        "lVert",
        "rVert",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "quad",
        "qquad",
        "mid",
        "propto",
        "sim",
        "star",
        "ast",
        "cdot",
        "odot",
        "times",
        "in",
        "le",
        "leq",
        "ge",
        "geq",
        "gg",
        "ll",
        "ne",
        "neq",
        "approx",
        "to",
        "Rightarrow",
        "leftarrow",
        "infty",
        "partial",
        "underbrace",
        "overline",
        "boxed",
        "dots",
        "ldots",
        "cdots",
        "limits",
        "pm",
    ]
)
WORDS = re.compile(
    r"\\(?:text|texttt|mathrm|operatorname|tag|begin|end|mathsf|mathbb|mathcal|mathbf)(?![a-zA-Z])\s*"
    r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|\w)"
)


def symbols(text):
    """The letters, Latin and Greek, of all formulas in a text of Markdown."""
    text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$]+?)\$", text, re.DOTALL)
    bare = " ".join(WORDS.sub(" ", block or inline) for block, inline in formulas)
    return {
        command or letter for command, letter in re.findall(r"\\([a-zA-Z]+)|([a-zA-Z])", bare)
    } - NO_SYMBOL


def notation():
    """The symbols that the notation page explains: those in the first column of its tables."""
    rows = re.findall(r"^\| (.*?) \| ", (ROOT / "docs" / "notation.md").read_text(), re.MULTILINE)
    return symbols("\n".join(rows))


def markdown(lesson):
    return "\n".join(cell.source for cell in lesson.cells if cell.cell_type == "markdown")


def read(path):
    return nbformat.read(path, as_version=4)


@each_lesson
def test_lesson_has_the_shape_of_all(lesson):
    assert shape_problems(read(lesson), int(lesson.name[:2])) == []
    assert lesson.stat().st_size < MOST_BYTES


@each_lesson
def test_symbols_of_a_lesson_are_in_the_notation(lesson):
    assert symbols(markdown(read(lesson))) - notation() == set()


def test_every_symbol_of_the_notation_is_used():
    used = set().union(*(symbols(markdown(read(lesson))) for lesson in LESSONS))
    assert notation() - used == set()


@each_lesson
def test_lesson_runs_within_time_and_memory_and_prints_what_is_committed(lesson):
    done = run(lesson)
    assert run_problems(done) == []
    print(f"{lesson.stem}: {done.seconds:.0f} s, {done.resident / 1e9:.2f} GB")


def test_run_of_lesson_4_leaves_results():
    """The same run as above, by its files."""
    done = run(next(lesson for lesson in LESSONS if lesson.stem == "04_mpi_optimization"))
    assert done.status == 0, done.output
    out = done.out_dir
    names = ["04_mpi_optimization.html", "04_mpi_optimization.ipynb", "all_in_focus.png", "defocus_map.png"]
    assert sorted(path.name for path in out.iterdir()) == [*names, "result.npz"]

    result = load_result(out)
    assert result.settings["preset"] == "classroom"
    assert result.all_in_focus.shape == result.defocus_map.shape == result.confidence.shape
    assert np.all(np.diff(result.scales) < 0) and np.all(result.alphas[0] == 1)

    # Measured: 0.60 (the photograph: 0.45) and 0.11.
    shot = simulation.demo_capture(seed=2)
    truth = shot.all_in_focus, shot.defocus_map, shot.valid
    scores = evaluation.score(result.all_in_focus, result.defocus_map, truth)
    assert scores["ssim"] > 0.57 and scores["aiwe1"] < 0.13


def lose(pattern):
    """Takes what a pattern finds out of the first figure."""

    def broken(lesson):
        data = figures(lesson)[0]
        data["text/html"] = re.sub(pattern, "", data["text/html"], count=1, flags=re.DOTALL)

    return broken


def replace(old, new):
    """Replaces a text in all cells."""

    def broken(lesson):
        assert any(old in cell.source for cell in lesson.cells)
        for cell in lesson.cells:
            cell.source = cell.source.replace(old, new)

    return broken


def untagged(lesson):
    for cell in code_cells(lesson):
        cell.metadata["tags"] = [tag for tag in tags(cell) if tag != NOT_COMPARED]


def not_executed(lesson):
    code_cells(lesson)[3].execution_count = None


def with_state(lesson):
    lesson.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}


def with_live_slider(lesson):
    view = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    code_cells(lesson)[3].outputs.append(view)


def without_last_solution(lesson):
    cell = next(cell for cell in lesson.cells if "solution" in tags(cell))
    cell.source = re.sub(r"\n4\. .*?(?=\n\n</details>)", "", cell.source, flags=re.DOTALL)


FAULTS = {
    "the opening lacks a title": replace("# Lesson 1", "# Lesson 2"),
    "the opening lacks what one will be able to do": replace("You will be able to", "Goals"),
    "the opening lacks the time to run on CPU and GPU": replace("GPU", "computer"),
    "the opening lacks a link to the notation": replace("notation.md", "other.md"),
    "parameter without type or comment: seed = 0": replace("seed: int = 0", "seed = 0"),
    "no question before the code of section 6": replace(
        "**Question.** How would you measure", "How would you measure"
    ),
    "ends in ['Exercises', 'Summary', 'Further reading']": replace("## References", "## Further reading"),
    "exercises ['1', '2', '3', '4'] have solutions ['1', '2', '3']": without_last_solution,
    "a solution is not folded away": replace("<details>", "<div>"),
    "output 0 lacks caption or alternative text": lose("<figcaption>.*?</figcaption>"),
    "figures are numbered [2": lose("Figure 1. "),
    "a figure in a cell that is compared as text": untagged,
    "execution counts [1, 2, 3, None": not_executed,
    "holds widget state": with_state,
    "a slider that needs a kernel": with_live_slider,
}


@pytest.mark.parametrize(("problem", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_of_shape_is_told(problem, fault):
    lesson = read(LESSONS[0])
    fault(lesson)
    assert any(found.startswith(problem) for found in shape_problems(lesson, 1)), shape_problems(lesson, 1)


def test_a_figure_without_alternative_text_is_told():
    lesson = read(LESSONS[0])
    data = figures(lesson)[0]
    data["text/html"] = re.sub('alt="[^"]*"', 'alt=""', data["text/html"])
    assert shape_problems(lesson, 1) == ["output 0 lacks caption or alternative text"]


def test_a_symbol_of_ones_own_is_told():
    assert symbols(r"The blur $\hat\zeta_d = \text{about } k^v$ in `$code$`.") == {"zeta", "d", "k", "v"}
    assert "zeta" not in notation()


def test_a_changed_text_is_told():
    lesson = read(LESSONS[0])
    changed = copy.deepcopy(lesson)
    cell = next(cell for cell in code_cells(changed) if cell.outputs and NOT_COMPARED not in tags(cell))
    cell.outputs[0].text = cell.outputs[0].text.replace("7.47", "7.48")
    assert len(text_changes(lesson, changed)) == 1
    assert text_changes(lesson, lesson) == []


def test_a_run_that_changes_raises_in_a_slider_or_costs_too_much_is_told(tmp_path):
    """One copy with every fault: a number, a slider's callback, memory, time."""
    slider = "from dpdefocus import figures\nx = figures.Control('x', (1, 2))\n"
    slider += "figures.explore(lambda x: 1 / 0, {'x': x}, '', '')"
    greedy = (
        "import os\nimport numpy as np\n"
        "assert len(getattr(os, 'sched_getaffinity', lambda _: ())(0)) <= 2\n"
        "much = np.ones(140_000_000)"
    )
    sources = ["print('PSNR 30.1 dB')", slider, greedy]
    cells = [nbformat.v4.new_code_cell(source, execution_count=n + 1) for n, source in enumerate(sources)]
    cells[0].outputs = [nbformat.v4.new_output("stream", name="stdout", text="PSNR 30.2 dB\n")]
    cells[1].metadata["tags"] = [NOT_COMPARED]
    metadata = read(LESSONS[0]).metadata
    path = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    failed, slow, large = run_problems(nbval(path), most_seconds=1)
    assert "2 failed" in failed and "ZeroDivisionError" in failed and "PSNR 30.2" in failed, failed
    assert slow.endswith("at most 1 s on two cores")
    assert large.endswith("at most 1.00 GB")
