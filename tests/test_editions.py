"""Editions: solutions gone and all else kept; the Colab cell is there with an address, and harmless elsewhere."""

import re
import shutil

import nbformat
import pytest
from lessons import LESSONS, ROOT, code_cells, shape_problems, tags

from dpdefocus.editions import main, student_edition, with_colab_cell
from dpdefocus.pages import notebook_page
from dpdefocus.site import project_repository

ADDRESS = "https://github.com/owner/name"


def read(path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_student_edition_lacks_the_solutions_and_nothing_else(lesson):
    whole = read(lesson)
    student = student_edition(whole)
    text = "\n".join(cell.source for cell in student.cells)
    assert "## Exercises" in text and "Solutions" not in text and "<details>" not in text
    kept = [cell.source for cell in whole.cells if "solution" not in tags(cell)]
    assert [cell.source for cell in student.cells] == kept and len(kept) < len(whole.cells)
    assert not any(cell.outputs or cell.execution_count for cell in code_cells(student))
    assert any(cell.outputs for cell in code_cells(whole))


def test_student_command_writes_every_lesson(tmp_path, capsys):
    assert main(["--root", str(ROOT), "student", "--out-dir", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [path.name for path in LESSONS]
    assert f"{len(LESSONS)} lessons" in capsys.readouterr().out
    assert main(["--root", str(tmp_path), "student", "--out-dir", str(tmp_path / "other")]) == 2
    assert "found no lessons" in capsys.readouterr().err


def test_lessons_have_the_colab_cell_exactly_if_the_project_has_an_address():
    for path in LESSONS:
        lesson = read(path)
        expected = [cell.source for cell in with_colab_cell(lesson, project_repository(ROOT)).cells]
        assert [cell.source for cell in lesson.cells] == expected


def test_colab_cell_installs_on_colab_only_and_comes_and_goes(tmp_path):
    (tmp_path / "notebooks").mkdir()
    shutil.copy(LESSONS[0], tmp_path / "notebooks")
    path = tmp_path / "notebooks" / LESSONS[0].name
    before = path.read_text()
    project = '[project]\nname = "x"\n'
    (tmp_path / "pyproject.toml").write_text(f'{project}[project.urls]\nRepository = "{ADDRESS}"\n')
    for _ in range(2):
        assert main(["--root", str(tmp_path), "colab"]) == 0
        lesson = read(path)
        cells = [cell for cell in lesson.cells if "colab" in tags(cell)]
        assert len(cells) == 1 and cells[0] is code_cells(lesson)[0]
    # What the magic does is Colab's; all else is Python, and the magic is reached on Colab only.
    python = re.sub(r"%pip install --quiet (\S+)", r"installed.append('\1')", cells[0].source)
    installed = []
    exec(python, {"installed": installed})
    assert installed == []
    exec(python.replace('"google.colab"', '"sys"'), {"installed": installed})
    assert installed == [f"git+{ADDRESS}"]
    assert "google.colab" not in notebook_page(lesson)
    assert not any("parameters cell" in problem for problem in shape_problems(lesson, 1))

    (tmp_path / "pyproject.toml").write_text(project)
    assert main(["--root", str(tmp_path), "colab"]) == 0
    assert path.read_text() == before
