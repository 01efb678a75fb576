"""Lesson 1 as it is committed, and as it runs: text, numbers, captions, time and memory.

The run is nbval's, in a kernel of its own: what cells print is compared with the committed notebook, figures
are not.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LESSON = ROOT / "notebooks" / "01_image_formation.ipynb"
NOT_COMPARED = "nbval-ignore-output"

# Starts a test run of a notebook, and tells the most memory that any process of it had resident.
RUNNER = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]])
print("resident kB:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""


def nbval(notebook):
    """Run a notebook and compare what it prints; (exit status, output, seconds, resident bytes)."""
    options = ["--nbval", "--quiet", "-p", "no:cacheprovider", "-o", "addopts=", "-W", "default"]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"DPDEFOCUS_BATCH": "1", "PYTHONPATH": path}
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, *options, str(notebook)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=ROOT,
    )
    resident = int(re.search(r"resident kB: (\d+)", done.stdout).group(1)) * 1024
    return done.returncode, done.stdout + done.stderr, time.perf_counter() - began, resident


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


@pytest.fixture
def lesson():
    return nbformat.read(LESSON, as_version=4)


def test_committed_lesson_is_small_executed_and_without_widget_state(lesson):
    assert LESSON.stat().st_size < 1_000_000
    assert "widgets" not in lesson.metadata
    code = [cell for cell in lesson.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        for output in cell.outputs:
            assert output.output_type != "error" and output.get("name") != "stderr"
            assert not any("widget" in kind for kind in output.get("data", {}))


def test_parameters_stand_in_one_tagged_cell_with_types_and_comments(lesson):
    tagged = [cell for cell in lesson.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = re.findall(r"^(\w+): \w+ = \S+(?: +# .+)?$", tagged[0].source, re.MULTILINE)
    assert names == ["seed", "height", "width", "f_number", "focus_distance", "data_dir"]


def test_every_figure_has_a_number_a_caption_and_alternative_text(lesson):
    assert without_caption(lesson) == []
    pages = "".join(data["text/html"] for data in figures(lesson))
    numbers = [int(number) for number in re.findall(r"<em>Figure (\d+)", pages)]
    assert sorted(set(numbers)) == list(range(1, 14)) and numbers == sorted(numbers)
    # Sliders for focus distance, aperture, depth and field position, in the form that needs no kernel.
    sliders = re.findall(r"block\">(.*?) <input", pages)
    assert {"focus distance", "aperture f/", "depth of the point"} <= set(sliders)
    assert {"row in the frame", "column in the frame"} <= set(sliders)


def test_a_lost_caption_or_alternative_text_is_noticed(lesson):
    caption, description, *_ = figures(lesson)
    caption["text/html"] = re.sub("<figcaption>.*?</figcaption>", "", caption["text/html"])
    description["text/html"] = re.sub('alt="[^"]*"', 'alt=""', description["text/html"])
    assert without_caption(lesson) == [0, 1]


def test_cells_hold_either_figures_or_text_that_is_compared(lesson):
    for cell in lesson.cells:
        if cell.cell_type == "code":
            printed = any(output.output_type == "stream" for output in cell.outputs)
            ignored = NOT_COMPARED in cell.metadata.get("tags", [])
            drawn = any("text/html" in output.get("data", {}) for output in cell.outputs)
            assert drawn == ignored and not (printed and ignored)


def test_lesson_runs_within_time_and_memory_and_prints_what_is_committed():
    status, output, seconds, resident = nbval(LESSON)
    assert status == 0, output
    assert seconds < 90
    assert resident < 1e9


def test_a_changed_number_and_a_slider_that_raises_are_noticed(lesson, tmp_path):
    changed = json.loads(LESSON.read_text())
    changed["cells"] = changed["cells"][:5]
    printed = changed["cells"][4]["outputs"][0]["text"]
    changed["cells"][4]["outputs"][0]["text"] = "".join(printed).replace("A = 7", "A = 8")
    slider = "from dpdefocus import widgets\nx = widgets.Control('x', (1, 2))\n"
    slider += "widgets.explore(lambda x: 1 / 0, {'x': x}, '', '')"
    broken = nbformat.v4.new_code_cell(slider, execution_count=4, metadata={"tags": [NOT_COMPARED]})
    changed["cells"].append(broken)
    path = tmp_path / "changed.ipynb"
    path.write_text(json.dumps(changed))
    status, output, _, _ = nbval(path)
    assert status == 1
    assert "2 failed" in output and "ZeroDivisionError" in output, output
