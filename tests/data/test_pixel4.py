"""The Pixel 4 scenes: reading, download, and the sums that it is checked by."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest
from raw_captures import calibration, folder, rng  # noqa: F401 fixtures

from dpdefocus import data
from dpdefocus.data import pixel4
from dpdefocus.support.errors import InputError


def test_pixel4_scene(pixel4_folder):
    capture, calibration = data.load_pixel4(pixel4_folder, "001")
    assert capture.views.shape == (2, 1008, 1344)
    assert calibration.kernels.shape == (6, 8, 2, 61, 61)
    # The white sheets make the views agree to some percent; without them they differ by 17 % on average.
    means = capture.views.mean(axis=(1, 2))
    assert means[0] == pytest.approx(means[1], rel=0.02)
    truth = data.load_ground_truth(pixel4_folder, "001")
    assert truth.all_in_focus.mean() == pytest.approx(means.mean(), rel=0.05)
    assert truth.all_in_focus.shape == truth.defocus_map.shape == truth.mask.shape == (1008, 1344)
    np.testing.assert_array_equal(truth.mask, truth.defocus_map > 0)
    with pytest.raises(InputError, match=r"scene '099' is not in .*: found the scenes 001"):
        data.load_pixel4(pixel4_folder, "099")


def test_scenes_that_are_not_there(folder):
    with pytest.raises(InputError, match="data_dir: the folder .*nowhere does not exist"):
        data.load_pixel4(folder / "nowhere", "001")
    with pytest.raises(InputError, match=r"scene '001' is not in .*: found no files such as 001_left.png"):
        data.load_pixel4(folder, "001")
    for view in data.VIEWS:
        (folder / f"{view}.png").rename(folder / f"007_{view}.png")
    assert data.list_scenes(folder) == ["007"]
    with pytest.raises(InputError, match="scene '001' is not in .*: found the scenes 007"):
        data.load_ground_truth(folder, "001")


@pytest.fixture
def server(tmp_path):
    """Serves the folder ``remote`` on this machine; yields its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    (tmp_path / "remote").mkdir()
    handler = functools.partial(Quiet, directory=tmp_path / "remote")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}/"
        running.shutdown()


def test_fetching_checks_sums_keeps_sound_files_and_takes_only_the_scenes_asked_for(
    tmp_path, server, monkeypatch
):
    names = ["001_left.png", "002_left.png", "calibration/blur_kernels_left.npy", "gt_defocus_map/001_gt.png"]
    for name in names:
        (tmp_path / "remote" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "remote" / name).write_text(f"content of {name}")
    registry = {n: "sha256:" + hashlib.sha256(f"content of {n}".encode()).hexdigest() for n in names}
    monkeypatch.setattr(pixel4, "_pixel4_registry", lambda: registry)

    target = data.fetch_pixel4(tmp_path / "data", ["001"], server)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert found == ["001_left.png", "calibration/blur_kernels_left.npy", "gt_defocus_map/001_gt.png"]

    (target / "001_left.png").write_text("damaged")
    (tmp_path / "remote" / "gt_defocus_map" / "001_gt.png").unlink()  # sound here: not asked for again
    data.fetch_pixel4(target, ["001"], server)
    assert (target / "001_left.png").read_text() == "content of 001_left.png"

    (tmp_path / "remote" / "002_left.png").write_text("another content")
    with pytest.raises(InputError, match="002_left.png could not be downloaded from http.*by hand"):
        data.fetch_pixel4(target, ["002"], server)
    assert not (target / "002_left.png").exists()
    with pytest.raises(InputError, match=r"scenes: found \['999'\], expected some of 001, 002"):
        data.fetch_pixel4(target, ["999"], server)


def test_registry_lists_the_seventeen_scenes_and_the_calibration():
    names = pixel4._pixel4_registry()
    assert len(names) == 72
    for scene in range(1, 18):
        for name in (
            "{}_left.png",
            "{}_right.png",
            "gt_all_in_focus_im/{}_gt.png",
            "gt_defocus_map/{}_gt.png",
        ):
            assert name.format(f"{scene:03}") in names


def test_registry_holds_the_sums_of_the_scenes_here(pixel4_folder):
    registry = pixel4._pixel4_registry()
    present = [name for name in registry if (pixel4_folder / name).is_file()]
    assert present
    for name in present:
        assert registry[name] == "sha256:" + hashlib.sha256((pixel4_folder / name).read_bytes()).hexdigest()
