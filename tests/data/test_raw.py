"""Raw files: levels there and back, the green of a mosaic, and the view that a sum leaves."""

import cv2
import numpy as np
import pytest

from dpdefocus import data
from dpdefocus.support.errors import InputError

BLACK, WHITE = 2048, 15000


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return rng.integers(0, 5000, size=(2, 20, 30))


def as_raw(values):
    return np.clip(values + BLACK, 0, WHITE).astype(np.uint16)


def test_noise_below_the_black_level_is_kept_where_means_count():
    image = np.array([[BLACK - 10, BLACK + 10]], np.uint16)
    np.testing.assert_allclose(
        data.signed_linear(image, BLACK, WHITE), [[-10 / WHITE, 10 / WHITE]], rtol=1e-6
    )
    np.testing.assert_allclose(data.linear(image, BLACK, WHITE), [[0, 10 / WHITE]], rtol=1e-6)
    np.testing.assert_array_equal(data.to_raw(data.signed_linear(image, BLACK, WHITE), BLACK, WHITE), image)


def test_other_side_is_what_the_sum_leaves_and_clipped_where_the_sum_is(pair):
    left, right = pair
    left[3, 4], right[3, 4] = 9000, 9000
    other = data.other_side(as_raw(left + right), as_raw(left), BLACK, WHITE)
    expected = as_raw(right)
    expected[3, 4] = WHITE
    np.testing.assert_array_equal(other, expected)


def test_frames_that_are_no_sum_and_side_are_refused(pair):
    left, right = pair
    with pytest.raises(InputError, match="the side is brighter than the sum in .*% of the pixels"):
        data.other_side(as_raw(left), as_raw(left + right), BLACK, WHITE)
    with pytest.raises(InputError, match=r"the sum is \(20, 30\) and the side \(19, 30\)"):
        data.other_side(as_raw(left + right), as_raw(left)[1:], BLACK, WHITE)


@pytest.mark.parametrize(("pattern", "first", "second"), [("rggb", (0, 1), (1, 0)), ("gbrg", (0, 0), (1, 1))])
def test_green_is_the_mean_of_a_square_s_two(pattern, first, second):
    mosaic = np.zeros((5, 6), np.uint16)
    mosaic[first[0] : 4 : 2, first[1] :: 2] = 1000
    mosaic[second[0] : 4 : 2, second[1] :: 2] = 2001
    mosaic[2 + first[0], 2 + first[1]] = WHITE
    green = data.green_of_mosaic(mosaic, pattern, WHITE)
    expected = np.full((2, 3), 1501)
    expected[1, 1] = WHITE
    np.testing.assert_array_equal(green, expected)
    with pytest.raises(InputError, match="pattern: found 'rgb', expected four letters"):
        data.green_of_mosaic(mosaic, "rgb")


@pytest.fixture
def frames(tmp_path, pair):
    """The files of a mosaic's sum and of its right view, at twice the resolution of the pair."""
    left, right = (np.kron(view, np.ones((2, 2), int)) for view in pair)
    cv2.imwrite(str(tmp_path / "sum.tiff"), as_raw(left + right))
    cv2.imwrite(str(tmp_path / "side.tiff"), as_raw(right))
    return tmp_path / "sum.tiff", tmp_path / "side.tiff"


def test_files_of_sum_and_side_become_the_pair_that_is_loaded(tmp_path, pair, frames):
    out = [tmp_path / f"{view}.png" for view in data.VIEWS]
    options = {"mosaic": True, "black_level": BLACK, "white_level": WHITE}
    views = data.split_files(*frames, "right", out, **options)
    for path, view, returned in zip(out, pair, views, strict=True):
        np.testing.assert_array_equal(data.read_raw(path, "a view"), as_raw(view))
        np.testing.assert_array_equal(returned, as_raw(view))
    # Taken for the left one, the two change places.
    np.testing.assert_array_equal(data.split_files(*frames, "left", out, **options), views[::-1])
    with pytest.raises(InputError, match="none.tiff does not exist: expected one view"):
        data.split_files(frames[0], tmp_path / "none.tiff", "right", out, **options)
    with pytest.raises(InputError, match="side: found 'lft', expected left or right"):
        data.split_files(*frames, "lft", out, **options)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (("sum.tiff", "right.png"), "would replace .*sum.tiff"),
        (("left.png", "folder/../side.tiff"), "would replace .*side.tiff"),
        (("left.png", "left.png"), "or each other; expected two other files"),
        (("left.tif", "right.png"), "expected names that end in .png"),
    ],
)
def test_no_input_and_no_other_output_is_overwritten(tmp_path, frames, out, message):
    (tmp_path / "folder").mkdir()
    before = [path.read_bytes() for path in frames]
    with pytest.raises(InputError, match=message):
        data.split_files(*frames, "right", [tmp_path / name for name in out], True, "rggb", BLACK, WHITE)
    assert [path.read_bytes() for path in frames] == before
    assert not list(tmp_path.glob("*.png"))


def test_pgm_of_sixteen_bits_is_read(tmp_path, pair):
    cv2.imwrite(str(tmp_path / "left.pgm"), as_raw(pair[0]))
    np.testing.assert_array_equal(data.read_raw(tmp_path / "left.pgm", "a view"), as_raw(pair[0]))
