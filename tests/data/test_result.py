"""Results are written whole and read back, and what cannot be kept or read is told."""

import dataclasses
import tempfile

import numpy as np
import pytest
from raw_captures import rng  # noqa: F401 a fixture

from dpdefocus import data, support
from dpdefocus.data import result as results_room
from dpdefocus.support.errors import InputError


@pytest.fixture
def result(rng):
    image, defocus, confidence = rng.uniform(size=(3, 20, 30)).astype(np.float32)
    return data.Result(
        all_in_focus=image,
        defocus_map=defocus + 0.2,
        confidence=confidence,
        scales=np.array([1.4, 0.8, 0.1], np.float32),
        alphas=rng.uniform(size=(3, 10, 15)).astype(np.float32),
        seconds=12.5,
        settings={"preset": "fast", "seed": 0, "layers": 3},
    )


def test_result_is_read_back_whole(tmp_path, result, rng):
    for saved in (result, dataclasses.replace(result, intensities=result.alphas * np.float32(0.5))):
        data.save_result(saved, tmp_path / "new" / "out")
        loaded = data.load_result(tmp_path / "new" / "out")
        for field in dataclasses.fields(saved):
            np.testing.assert_equal(getattr(loaded, field.name), getattr(saved, field.name), field.name)
    assert {"dpdefocus", "python", "jax"} <= loaded.versions.keys()
    assert sorted(path.name for path in (tmp_path / "new" / "out").iterdir()) == [
        "all_in_focus.png",
        "defocus_map.png",
        "result.npz",
    ]


def test_pictures_are_sixteen_bits_linear_and_between_the_scales(tmp_path, result):
    data.save_result(result, tmp_path)
    sharp = support.read_image_16bit(tmp_path / "all_in_focus.png", "picture")
    np.testing.assert_allclose(sharp / 65535, result.all_in_focus, atol=0.51 / 65535)
    defocus = support.read_image_16bit(tmp_path / "defocus_map.png", "picture")
    np.testing.assert_allclose(0.1 + 1.3 * defocus / 65535, result.defocus_map, atol=2e-5)


def test_failure_while_saving_leaves_the_earlier_result(tmp_path, result, monkeypatch):
    data.save_result(result, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(results_room, "write_image", full)
    with pytest.raises(InputError, match=r"nothing more can be written \(No space left on device\)"):
        data.save_result(dataclasses.replace(result, seconds=1.0), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_folder_that_cannot_be_written(tmp_path, result, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="out_dir: nothing can be written to .*file.* Give another folder"):
        data.save_result(result, tmp_path / "file" / "out")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=r"out_dir: nothing can be written to .* \(Permission denied\)"):
        support.writable_folder(tmp_path)


def test_results_that_cannot_be_kept(result):
    broken = result.defocus_map.copy()
    broken[0, 0] = np.inf
    for change, message in [
        ({"defocus_map": broken}, "defocus_map: found values that are not finite"),
        ({"confidence": result.confidence * 2}, r"confidence: found .* expected \[0, 1\]"),
        ({"settings": {"path": {1, 2}}}, "settings: .*expected what JSON can hold"),
    ]:
        with pytest.raises(InputError, match=message):
            dataclasses.replace(result, **change)


def test_files_that_are_no_result(tmp_path):
    with pytest.raises(InputError, match="result.npz does not exist: expected a saved result"):
        data.load_result(tmp_path)
    np.savez(tmp_path / "result.npz", something=np.zeros(3))
    with pytest.raises(InputError, match="result.npz is not a saved result"):
        data.load_result(tmp_path)
    (tmp_path / "result.npz").write_bytes(b"PK no zip file")
    with pytest.raises(InputError, match="result.npz is not a saved result"):
        data.load_result(tmp_path)
