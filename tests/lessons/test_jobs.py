"""What is to be done: the captures that folders, files, patterns and tables name."""

import pytest
from capture_tables import KNOWN, captures  # noqa: F401 a fixture

from dpdefocus.lessons.jobs import read_jobs
from dpdefocus.support.errors import InputError


def test_captures_are_named_by_folders_files_and_patterns(tmp_path):
    for name in (
        "shots/one/left.tif",
        "shots/one/right.tif",
        "shots/two/Left_a.png",
        "shots/two/Right_a.png",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name in ("cup_left.png", "cup_right.png", "pen-left.png", "pen-right.png", "notes.txt"):
        (tmp_path / name).touch()
    jobs = read_jobs([str(tmp_path / "shots" / "*")], [("seed", "3")], KNOWN)
    assert [job.name for job in jobs] == ["one", "two"]
    right = str((tmp_path / "shots/two/Right_a.png").resolve())
    assert dict(jobs[1].given)["right"] == right and dict(jobs[1].given)["seed"] == "3"
    # Both files of a pair make one capture.
    jobs = read_jobs([str(tmp_path / "*.png")], [], KNOWN)
    assert [job.name for job in jobs] == ["cup", "pen"]
    assert dict(jobs[0].given)["left"] == str((tmp_path / "cup_left.png").resolve())


def test_names_of_rows(captures):
    jobs = read_jobs([str(captures("scene,left", "001,", "007,x", ",a/b.png"))], [], KNOWN)
    assert [job.name for job in jobs] == ["001", "007-x", "line-4"]
    jobs = read_jobs([str(captures("\ufeffname, scene", "my cup, 001"))], [], KNOWN)
    assert jobs[0].name == "my cup" and jobs[0].given == (("scene", "001"),)


@pytest.mark.parametrize(
    ("lines", "common", "message"),
    [
        (["scene,sed", "1,2"], [], "capture 1-2: unknown parameter sed: .* Did you mean seed?"),
        (["scene,seed", "1,two"], [], "capture 1-two: parameter seed: found 'two', expected int"),
        (["scene,seed", "1,2,3"], [], "line 2: found 3 values, expected 2"),
        (["scene,scene", "1,2"], [], "expected a different name for each"),
        (["scene"], [], "a line for each capture"),
        (["name,seed", "a,1", "a,2"], [], "several captures are named a: .* column 'name'"),
        (["name,seed", "../a,1"], [], "line 2: '../a' cannot name a folder"),
        (["name,out_dir", "a,b"], [], "parameter out_dir: every capture has its folder"),
        (["seed", "1"], [("seed", "2")], "1: parameter seed is given both with the capture and with -p"),
    ],
)
def test_what_does_not_fit_is_found_before_work_starts(captures, lines, common, message):
    with pytest.raises(InputError, match=message):
        read_jobs([str(captures(*lines))], common, KNOWN)
