"""Images as files come, and files written so that nothing is lost."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tifffile

from dpdefocus.support.errors import InputError
from dpdefocus.support.files import read_image, replacing

IMAGE = np.arange(60, dtype=np.uint16).reshape(6, 10) * 1000


def written(path, image=IMAGE, suffix=".png"):
    path.write_bytes(cv2.imencode(suffix, image)[1].tobytes())
    return path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
def test_images_keep_their_bits(tmp_path, suffix):
    found = read_image(written(tmp_path / f"view{suffix}", suffix=suffix), "a view")
    np.testing.assert_array_equal(found, IMAGE)
    assert found.dtype == np.uint16


def test_a_name_that_is_not_utf_8_is_a_name_like_any_other(tmp_path):
    """Those of old cameras' cards."""
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    np.testing.assert_array_equal(read_image(written(path), "a view"), IMAGE)


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_a_turned_tiff_is_refused(tmp_path, orientation):
    """OpenCV would turn it, or refuse it as damaged; kernels belong to the sensor's own rows."""
    path = tmp_path / "turned.tif"
    tifffile.imwrite(path, IMAGE, extratags=[(274, "H", 1, orientation, True)])
    with pytest.raises(InputError, match=rf"marked as turned \(TIFF orientation {orientation}\)"):
        read_image(path, "a view")


def test_colours_in_planes_are_refused_and_interleaved_ones_are_read(tmp_path):
    colours = np.stack([IMAGE // 3, IMAGE, IMAGE // 2])
    path = tmp_path / "colours.tif"
    tifffile.imwrite(path, colours, photometric="rgb", planarconfig="separate")
    with pytest.raises(InputError, match="separate planes.*Save it interleaved"):
        read_image(path, "a view")
    tifffile.imwrite(path, np.moveaxis(colours, 0, 2), photometric="rgb")
    np.testing.assert_array_equal(read_image(path, "a view")[..., 1], IMAGE)


def test_headers_that_declare_too_much_and_pages_are_told(tmp_path):
    huge = tmp_path / "huge.pgm"
    huge.write_bytes(b"P5 60000 60000 65535\n" + bytes(100))
    with pytest.raises(InputError, match="huge.pgm"):
        read_image(huge, "a view")
    pages = tmp_path / "pages.tif"
    tifffile.imwrite(pages, np.stack([IMAGE, IMAGE]), photometric="minisblack")
    with pytest.raises(InputError, match="pages.tif holds 2 images"):
        read_image(pages, "a view")
    damaged = tmp_path / "damaged.tif"
    damaged.write_bytes(b"II*\0" + bytes(20))
    with pytest.raises(InputError, match="damaged.tif is damaged"):
        read_image(damaged, "a view")


def test_what_is_no_file_or_no_image_is_told(tmp_path):
    fifo = tmp_path / "pipe.png"
    os.mkfifo(fifo)
    for path, message in (
        (fifo, "pipe.png is no file"),
        (tmp_path, "is a folder"),
        (tmp_path / "absent.png", "does not exist"),
        (tmp_path / ("x" * 300 + ".png"), "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            read_image(path, "a view")
    for content in (b"", b"text"):
        (tmp_path / "text.png").write_bytes(content)
        with pytest.raises(InputError, match="is not an image that can be read"):
            read_image(tmp_path / "text.png", "a view")


def test_files_are_moved_in_order_all_or_none(tmp_path, monkeypatch):
    moved = []
    move = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: moved.append(b.name) or move(a, b))
    with replacing(tmp_path, "picture", "archive") as paths:
        for path in paths:
            path.write_text("new")
        assert not (tmp_path / "archive").exists()
    assert moved == ["picture", "archive"]
    with pytest.raises(ZeroDivisionError), replacing(tmp_path, "picture") as (path,):
        path.write_text("newer")
        raise ZeroDivisionError
    assert (tmp_path / "picture").read_text() == "new"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["archive", "picture"]


def test_a_folder_in_the_way_and_a_full_disk_leave_the_earlier_files(tmp_path):
    (tmp_path / "archive").mkdir()
    (tmp_path / "picture").write_text("old")
    with pytest.raises(InputError, match="archive is a folder"), replacing(tmp_path, "picture", "archive"):
        pytest.fail("work has started")
    with pytest.raises(InputError, match="nothing more can be written"), replacing(tmp_path, "picture"):
        raise OSError(28, "No space left on device")
    assert (tmp_path / "picture").read_text() == "old"


def test_what_a_killed_process_has_left_goes_and_what_a_live_one_writes_stays(tmp_path):
    script = """
import os, signal, sys
from pathlib import Path
from dpdefocus.support.files import replacing
with replacing(Path(sys.argv[1]), "a") as (path,):
    path.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    (left,) = tmp_path.glob(".partial-*")
    with replacing(tmp_path, "b") as (first,):
        assert not left.exists()
        with replacing(tmp_path, "c") as (second,):
            assert first.parent.exists()
            second.write_text("c")
        first.write_text("b")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b", "c"]
