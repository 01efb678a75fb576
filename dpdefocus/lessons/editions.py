"""Editions of the lessons made from the one source: for students, without solutions; for Colab.

    dpdefocus student --out-dir out/student
    dpdefocus colab

Both run in the project's folder. The first writes copies without solutions and without outputs, to be filled
by the student's own kernel. The second gives each lesson a first cell that installs the library on Colab,
from the address that pyproject.toml names, or else says there what to set; it does nothing outside of Colab.
"""

import copy
from pathlib import Path

import nbformat

from dpdefocus.site.course import lesson_paths, project_repository
from dpdefocus.site.pages import NOT_SHOWN
from dpdefocus.support.files import replacing, writable_folder

NOTEBOOKS = Path("notebooks")
SOLUTION, COLAB = "solution", "colab"
COLAB_ID = "install-on-colab"


def student_edition(lesson: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The lesson without its cells tagged ``solution``, not yet executed."""
    lesson = copy.deepcopy(lesson)
    lesson.cells = [cell for cell in lesson.cells if SOLUTION not in cell.metadata.get("tags", [])]
    for cell in lesson.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return lesson


def with_colab_cell(lesson: nbformat.NotebookNode, repository: str) -> nbformat.NotebookNode:
    """The lesson with a cell before its first code that installs the library on Colab, from ``repository``.

    Where that is empty the cell asks for it, on Colab. Cells after it are numbered as if all were run again.
    Neither the cell nor its number is shown on the pages.
    """
    lesson = copy.deepcopy(lesson)
    lesson.cells = [cell for cell in lesson.cells if COLAB not in cell.metadata.get("tags", [])]
    metadata = {"tags": [COLAB, NOT_SHOWN], "jupyter": {"source_hidden": True}}
    source = _COLAB_SOURCE.format(repository)
    cell = nbformat.v4.new_code_cell(source, id=COLAB_ID, metadata=metadata)
    code = [number for number, cell in enumerate(lesson.cells) if cell.cell_type == "code"]
    if all(lesson.cells[number].execution_count for number in code):
        for count, number in enumerate(code, 2):
            lesson.cells[number].execution_count = count
            for output in lesson.cells[number].outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
        cell.execution_count = 1
    lesson.cells.insert(code[0], cell)
    return lesson


_COLAB_SOURCE = """\
# On Colab the library is installed first. Elsewhere it is there already, and this does nothing.
import sys

repository = "{}"  # the project's address, such as https://github.com/<owner>/<name>
if "google.colab" in sys.modules:
    assert repository, "write the project's address between the quotes above, and run this cell again"
    %pip install --quiet git+{{repository}}"""


def write(lessons: dict[str, nbformat.NotebookNode], folder: Path) -> None:
    """Write all lessons, name -> notebook, or none."""
    writable_folder(folder, "--out-dir")
    with replacing(folder, *lessons) as staged:
        for path, lesson in zip(staged, lessons.values(), strict=True):
            nbformat.write(lesson, path)


def write_student_edition(out_dir: Path) -> list[Path]:
    """Write a copy of each lesson without its solutions; the paths of the copies."""
    lessons = {path.name: student_edition(lesson) for path, lesson in _read().items()}
    write(lessons, out_dir)
    return [out_dir / name for name in lessons]


def renew_colab_cells() -> None:
    """Give the lessons themselves their cell for Colab, with the address that the project has now."""
    repository = project_repository()
    lessons = {path.name: with_colab_cell(lesson, repository) for path, lesson in _read().items()}
    write(lessons, NOTEBOOKS)


def _read() -> dict[Path, nbformat.NotebookNode]:
    return {path: nbformat.read(path, as_version=4) for path in lesson_paths(NOTEBOOKS)}
