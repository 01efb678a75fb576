"""What the tests of the lessons share: each lesson run once, and what is wrong with a lesson's shape or run.

`shape_problems` and `run_problems` tell in words what they find, so that a test can break a copy of a lesson
and see it told.
"""

import atexit
import functools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import nbformat

from dpdefocus.lessons.run import known_parameters

ROOT = Path(__file__).parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
NOT_COMPARED = "nbval-ignore-output"

MOST_BYTES = 1_000_000  # of a committed notebook
MOST_RESIDENT = 1e9  # bytes, of a lesson's kernel
MOST_SECONDS = 90  # on two cores

# Runs a Python program on two cores, and tells the most memory that any process of it had resident, and the
# processors' time.
RUNNER = """
import os, resource, subprocess, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
done = subprocess.run([sys.executable, *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("resident kB:", used.ru_maxrss, "processor seconds:", used.ru_utime + used.ru_stime)
sys.exit(done.returncode)
"""


class Run(NamedTuple):
    """One execution of a notebook: exit status, what was printed, cost, the folder of its results, if any.

    `seconds` are wall time, or those of the processors if they are fewer: a lesson computes all the time, and
    on a machine that others use, too, the wall clock tells more about them.
    """

    status: int
    output: str
    seconds: float
    resident: int
    out_dir: Path | None = None


def _measured(*arguments, out_dir=None):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"DPDEFOCUS_BATCH": "1", "PYTHONPATH": path}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    wall = time.perf_counter() - began
    resident, seconds = re.search(r"resident kB: (\d+) processor seconds: (\S+)", done.stdout).groups()
    output = done.stdout + done.stderr
    return Run(done.returncode, output, min(wall, float(seconds)), int(resident) * 1024, out_dir)


def nbval(notebook: Path) -> Run:
    """Run a notebook in a kernel of its own, and compare what it prints with what it holds."""
    options = ["--nbval", "--quiet", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "default"]
    return _measured("-m", "pytest", *options, notebook)


@functools.cache
def run(lesson: Path) -> Run:
    """The one run of a lesson in all tests, with what it prints compared.

    A lesson that saves results runs as `make demo` runs it, by papermill; its text is compared afterwards.
    """
    if "out_dir" not in known_parameters(lesson):
        return nbval(lesson)
    out_dir = Path(tempfile.mkdtemp(prefix="lesson-"))
    atexit.register(shutil.rmtree, out_dir, ignore_errors=True)
    done = _measured("-m", "dpdefocus", "run", lesson, "--out-dir", out_dir, out_dir=out_dir)
    if done.status:
        return done
    committed, executed = (
        nbformat.read(folder / lesson.name, as_version=4) for folder in (lesson.parent, out_dir)
    )
    changed = text_changes(committed, executed)
    return done._replace(status=int(bool(changed)), output="\n".join([done.output, *changed]))


def text_changes(committed: nbformat.NotebookNode, executed: nbformat.NotebookNode) -> list[str]:
    """Where the text that cells print differs, as nbval compares it; not in cells marked timing or plot."""

    def compared(notebook):
        left_out = {NOT_COMPARED, "parameters", "injected-parameters"}
        return [cell for cell in code_cells(notebook) if not left_out & set(tags(cell))]

    pairs = zip(compared(committed), compared(executed), strict=True)
    return [
        f"printed {printed(after)!r}, expected {printed(before)!r}"
        for before, after in pairs
        if printed(before) != printed(after)
    ]


def run_problems(done: Run, most_seconds: float = MOST_SECONDS) -> list[str]:
    """What is wrong with a run: an error or a changed text, too long, too much memory."""
    found = [f"the run failed:\n{done.output}"] if done.status else []
    if done.seconds > most_seconds:
        found.append(f"took {done.seconds:.0f} s; at most {most_seconds} s on two cores")
    if done.resident > MOST_RESIDENT:
        found.append(f"held {done.resident / 1e9:.2f} GB; at most {MOST_RESIDENT / 1e9:.2f} GB")
    return found


def tags(cell):
    return cell.metadata.get("tags", [])


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def figures(notebook):
    """The data of every output that has HTML."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return [output.data for output in outputs if "text/html" in output.get("data", {})]


def without_caption(notebook):
    """Figures of the notebook that lack a caption, a number, or alternative text for a picture."""
    lacking = []
    for number, data in enumerate(figures(notebook)):
        page = data["text/html"]
        caption = re.search(r"<figcaption><em>(.*?)</em></figcaption>", page, re.DOTALL)
        pictures = re.findall(r"<img [^>]*>", page.partition("<script>")[0])
        described = [re.search(r'alt="[^"]{10,}"', picture) for picture in pictures]
        numbered = caption and re.match(r"Figure \d+[a-z]?[.,] ", caption.group(1))
        if not numbered or not pictures or not all(described):
            lacking.append(number)
    return lacking


PARAMETER = re.compile(r"(\w+): (int|float|str|bool) = (\S.*?)  # \S.*")
QUESTION = re.compile(r"\*\*(Question|Try it|Before you go on)[^*]*\*\*|\*\*[^*]*\?\*\*")


def shape_problems(notebook: nbformat.NotebookNode, number: int) -> list[str]:
    """Where a lesson departs from the shape that all have; `number` is the lesson's."""
    return [
        *_opening_problems(notebook.cells[0].source, number),
        *_parameter_problems(notebook),
        *_section_problems(notebook),
        *_closing_problems(notebook),
        *_output_problems(notebook),
        *_figure_problems(notebook),
    ]


def _opening_problems(opening, number):
    expected = {
        "a title": rf"\A# Lesson {number} · \S.+\n",
        "what one will be able to do": r"^\*\*You will be able to\*\*\n(?:- .+\n(?:  .+\n)*){3,}",
        "what it assumes": r"^\*\*Assumes\*\* \S",
        "the time to read": r"\*\*Time\*\* [^.]*\bto read\b",
        "the time to run on CPU and GPU": r"\*\*Time\*\*[^.]*\bto run on two CPU cores\b[^.]*\bGPU\b",
        "a link to the notation": r"\]\(\.\./docs/notation\.md\)",
    }
    return [
        f"the opening lacks {what}"
        for what, form in expected.items()
        if not re.search(form, opening, re.MULTILINE)
    ]


def _parameter_problems(notebook):
    tagged = [cell for cell in code_cells(notebook) if "parameters" in tags(cell)]
    if len(tagged) != 1:
        return [f"{len(tagged)} cells are tagged parameters"]
    comment, *lines = tagged[0].source.splitlines()
    found = [f"parameter without type or comment: {line}" for line in lines if not PARAMETER.fullmatch(line)]
    if not comment.startswith("# Parameters"):
        found.append("the parameters cell does not say what it is")
    first = next(cell for cell in code_cells(notebook) if "colab" not in tags(cell))
    if first is not tagged[0]:
        found.append("the parameters cell is not the first")
    return found


def _section_problems(notebook):
    """Numbered sections whose code no question precedes."""
    found, section, asked = [], None, True
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for heading in re.findall(r"^## (.+)", cell.source, re.MULTILINE):
                section, asked = heading, not re.match(r"\d", heading)
            asked = asked or bool(QUESTION.search(cell.source))
        elif not asked:
            found.append(f"no question before the code of section {section}")
            asked = True
    return found


def _closing_problems(notebook):
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    headings = [
        heading for heading in re.findall(r"^## (.+)", text, re.MULTILINE) if not re.match(r"\d", heading)
    ]
    found = []
    if headings[-3:] != ["Exercises", "Summary", "References"]:
        found.append(f"ends in {headings[-3:]}, not in exercises, summary and references")
    exercises = next((cell.source for cell in notebook.cells if "## Exercises" in cell.source), "")
    asked = re.findall(r"^(\d+)\. ", exercises.partition("## Exercises")[2], re.MULTILINE)
    solutions = [cell.source for cell in notebook.cells if "solution" in tags(cell)]
    answered = re.findall(r"^(\d+)\. ", "\n".join(solutions), re.MULTILINE)
    if len(asked) < 3 or asked != answered:
        found.append(f"exercises {asked} have solutions {answered}")
    if not all(text.startswith("<details>") and text.rstrip().endswith("</details>") for text in solutions):
        found.append("a solution is not folded away")
    return found


def _output_problems(notebook):
    found = []
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        found.append(f"execution counts {counts}: not run once from top to bottom")
    if "widgets" in notebook.metadata:
        found.append("holds widget state")
    for cell in code_cells(notebook):
        kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
        if any(output.output_type == "error" or output.get("name") == "stderr" for output in cell.outputs):
            found.append(f"error output: {cell.source[:60]}")
        if any("widget" in kind for kind in kinds):
            found.append(f"a slider that needs a kernel: {cell.source[:60]}")
        if "text/html" in kinds and NOT_COMPARED not in tags(cell):
            found.append(f"a figure in a cell that is compared as text: {cell.source[:60]}")
    compared = [cell for cell in code_cells(notebook) if NOT_COMPARED not in tags(cell) and printed(cell)]
    if len(compared) < 3:
        found.append("prints hardly anything that is compared")
    return found


def _figure_problems(notebook):
    found = [f"output {number} lacks caption or alternative text" for number in without_caption(notebook)]
    pages = "".join(data["text/html"] for data in figures(notebook))
    numbers = [int(number) for number in re.findall(r"<em>Figure (\d+)", pages)]
    if numbers != sorted(numbers) or set(numbers) != set(range(1, len(set(numbers)) + 1)):
        found.append(f"figures are numbered {numbers}")
    return found
