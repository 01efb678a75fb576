"""Editions: solutions gone and all else kept; the Colab cell is there, and harmless elsewhere."""

import re
import shutil
import tomllib

import nbformat
import pytest
from lesson_checks import LESSONS, ROOT, code_cells, shape_problems, tags

from dpdefocus.__main__ import main
from dpdefocus.lessons import editions as editions_room
from dpdefocus.lessons.editions import student_edition, with_colab_cell
from dpdefocus.site.pages import notebook_page

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


def test_student_command_writes_every_lesson(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["student", "--out-dir", str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [path.name for path in LESSONS]
    assert f"{len(LESSONS)} lessons" in capsys.readouterr().out
    monkeypatch.chdir(tmp_path)
    assert main(["student", "--out-dir", str(tmp_path / "other")]) == 2
    assert "found no lessons" in capsys.readouterr().err


def test_lessons_have_the_colab_cell_of_the_projects_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    address = project.get("urls", {}).get("Repository", "")
    for path in LESSONS:
        lesson = read(path)
        assert nbformat.writes(with_colab_cell(lesson, address)) == nbformat.writes(lesson), path.name


def test_colab_cell_installs_on_colab_only_and_asks_for_a_missing_address(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    shutil.copy(LESSONS[0], tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    for address in (ADDRESS, ""):
        monkeypatch.setattr(editions_room, "project_repository", lambda address=address: address)
        assert main(["colab"]) == 0
        lesson = read(tmp_path / "notebooks" / LESSONS[0].name)
        cells = [cell for cell in lesson.cells if "colab" in tags(cell)]
        assert len(cells) == 1 and cells[0] is code_cells(lesson)[0]
        assert [cell.execution_count for cell in code_cells(lesson)] == list(
            range(1, len(code_cells(lesson)) + 1)
        )
        # What the magic does is Colab's; all else is Python, and the magic is reached on Colab only.
        python = re.sub(r"%pip install --quiet (\S+)", r"installed.append(f'\1')", cells[0].source)
        assert "%" not in python
        installed = []
        exec(python, {"installed": installed})
        assert installed == []
        on_colab = python.replace('"google.colab"', '"sys"')
        if address:
            exec(on_colab, {"installed": installed})
            assert installed == [f"git+{ADDRESS}"]
        else:
            with pytest.raises(AssertionError, match="write the project's address"):
                exec(on_colab, {"installed": installed})
        assert "google.colab" not in notebook_page(lesson)
        assert not any("parameters cell" in problem for problem in shape_problems(lesson, 1))
