"""Saved outputs of other methods: both layouts read, what does not fit named."""

import cv2
import numpy as np
import pytest

from dpdefocus.evaluation.saved_outputs import load_saved, saved_scenes
from dpdefocus.support.errors import InputError

SHAPE = (6, 8)
RNG = np.random.default_rng(0)
SHARP = RNG.integers(0, 2**16, SHAPE, dtype=np.uint16)
MAP = RNG.integers(0, 2**8, SHAPE, dtype=np.uint8)


def write(path, image):
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), image)


def test_png_and_npz_give_the_same_images(tmp_path):
    write(tmp_path / "001" / "all_in_focus.png", SHARP)
    write(tmp_path / "001" / "defocus_map.png", MAP)
    np.savez(tmp_path / "003.npz", all_in_focus=SHARP / 65535, defocus_map=MAP / 255)
    assert saved_scenes(tmp_path) == ["001", "003"]
    for images in zip(load_saved(tmp_path, "001", SHAPE), load_saved(tmp_path, "003", SHAPE), strict=True):
        np.testing.assert_allclose(*images, atol=1e-7)
    assert load_saved(tmp_path, "001", SHAPE).all_in_focus.max() <= 1


def test_one_of_the_two_is_enough_and_of_colours_the_green_one_counts(tmp_path):
    colours = np.stack([SHARP * 0, SHARP, SHARP * 0], axis=-1)
    write(tmp_path / "001" / "all_in_focus.png", colours)
    saved = load_saved(tmp_path, "001", SHAPE)
    assert saved.defocus_map is None
    np.testing.assert_allclose(saved.all_in_focus * 65535, SHARP, rtol=1e-6)


def test_what_does_not_fit_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist"):
        saved_scenes(tmp_path / "nowhere")
    with pytest.raises(InputError, match="neither"):
        saved_scenes(tmp_path)
    write(tmp_path / "001" / "defocus_map.png", MAP[:3])
    with pytest.raises(InputError, match=r"defocus_map.png: found defocus_map of \(3, 8\), .*\(6, 8\)"):
        load_saved(tmp_path, "001", SHAPE)
    with pytest.raises(InputError, match="'002' is not in .* found 001"):
        load_saved(tmp_path, "002", SHAPE)
    write(tmp_path / "001" / "all_in_focus.png", MAP)
    with pytest.raises(InputError, match="all_in_focus.png holds uint8"):
        load_saved(tmp_path, "001", SHAPE)
    np.savez(tmp_path / "001.npz", defocus_map=MAP)
    with pytest.raises(InputError, match="both"):
        load_saved(tmp_path, "001", SHAPE)
    np.savez(tmp_path / "005.npz", depth=MAP)
    with pytest.raises(InputError, match="found the arrays .*depth.* expected all_in_focus or defocus_map"):
        load_saved(tmp_path, "005", SHAPE)
    np.savez(tmp_path / "009.npz", defocus_map=np.full(SHAPE, np.nan))
    with pytest.raises(InputError, match="009.npz: .* not finite"):
        load_saved(tmp_path, "009", SHAPE)
    (tmp_path / "013.npz").write_bytes(b"PK no archive")
    with pytest.raises(InputError, match="013.npz is damaged"):
        load_saved(tmp_path, "013", SHAPE)
