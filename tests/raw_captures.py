"""A capture of random raw views with its calibration, in memory and as files, as fixtures."""

import dataclasses

import cv2
import numpy as np
import pytest

from dpdefocus import data, support

ROWS, COLS, SIZE = 2, 3, 7


FRAME = (160, 210)


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def calibration(rng):
    kernels = rng.uniform(size=(ROWS, COLS, 2, SIZE, SIZE))
    kernels = (kernels / kernels.sum(axis=(3, 4), keepdims=True)).astype(np.float32)
    white = (rng.integers(2000, 8000, size=(2, *FRAME)) / data.WHITE_LEVEL).astype(np.float32)
    return data.Calibration(kernels, white)


@pytest.fixture
def folder(tmp_path, rng, calibration):
    """A capture of raw 16-bit views, and its calibration without white sheets."""
    data.save_calibration(dataclasses.replace(calibration, white=None), tmp_path / "calibration")
    for view in data.VIEWS:
        raw = rng.integers(900, 9000, size=FRAME).astype(np.uint16)
        support.write_image(tmp_path / f"{view}.png", raw)
    return tmp_path


def load(folder, **options):
    return data.load_capture(folder / "left.png", folder / "right.png", folder / "calibration", **options)


def raw(folder, view="left"):
    return cv2.imread(str(folder / f"{view}.png"), cv2.IMREAD_UNCHANGED)
