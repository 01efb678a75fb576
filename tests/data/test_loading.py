"""Reading captures and calibrations, and the errors that bad ones get."""

import dataclasses

import cv2
import jaxtyping
import numpy as np
import pytest
from raw_captures import FRAME, SIZE, calibration, folder, load, raw, rng  # noqa: F401 fixtures

from dpdefocus import data, support
from dpdefocus.support.errors import InputError

# Reading


def test_views_are_linear_above_the_black_level_and_cropped_from_the_centre(folder):
    capture, _ = load(folder, crop=(100, 150))
    expected = np.clip(raw(folder).astype(float) - 1024, 0, None)[30:130, 30:180] / 16383
    np.testing.assert_allclose(capture.views[0], expected, rtol=1e-6)
    assert capture.name == "left.png"
    assert capture.views.min() == 0  # raw values below the black level


def test_right_view_gets_the_box_mean_of_the_white_ratio(folder, calibration):
    data.save_calibration(calibration, folder / "calibration")
    capture, loaded = load(folder)
    np.testing.assert_array_equal(loaded.kernels, calibration.kernels)
    np.testing.assert_allclose(loaded.white, calibration.white, rtol=1e-6)

    ratio = calibration.white[0].astype(float) / calibration.white[1]
    linear = np.clip(raw(folder, "right").astype(float) - 1024, 0, None) / 16383
    half = FRAME[0] * 101 // 1512 // 2
    inside = ratio[80 - half : 80 + half + 1, 100 - half : 100 + half + 1].mean()
    assert capture.views[1, 80, 100] == pytest.approx(linear[80, 100] * inside, rel=1e-5)


def test_vignetting_of_the_pixel_4s_frame_is_the_mean_over_101_pixels():
    rng = np.random.default_rng(0)
    white = rng.uniform(0.5, 0.6, size=(2, *data.PIXEL4_FRAME)).astype(np.float32)
    ratio = white[0].astype(float) / white[1]
    factor = data.relative_vignetting(white)
    for y, x in ((50, 50), (252, 336), (755, 1007), (1461, 1965)):
        expected = ratio[y - 50 : y + 51, x - 50 : x + 51].mean()
        assert factor[y, x] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("frame", [(60, 80), (252, 336), (1512, 2016)])
def test_vignetting_that_falls_evenly_is_corrected_up_to_the_border(frame):
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) for length in frame)
    ratio = 1 + 0.1 * y[:, None] - 0.3 * x[None, :]
    factor = data.relative_vignetting(np.stack([0.6 * ratio, np.full(frame, np.float32(0.6))]))
    np.testing.assert_allclose(factor, ratio, rtol=2e-5)


def test_saturated_pixels_are_marked_in_either_view(folder):
    left, right = raw(folder), raw(folder, "right")
    left[5, 6], right[7, 8] = 16383, 16400
    support.write_image(folder / "left.png", left)
    support.write_image(folder / "right.png", right)
    capture, _ = load(folder)
    assert np.argwhere(capture.saturated).tolist() == [[5, 6], [7, 8]]


def test_colour_views_give_their_green_channel_and_tiff_is_read(folder):
    grey = raw(folder)
    colour = np.stack([grey * 0 + 3000, grey, grey * 0 + 5000], axis=2)
    cv2.imwrite(str(folder / "colour.tif"), colour)
    capture, _ = data.load_capture(folder / "colour.tif", folder / "right.png", folder / "calibration")
    np.testing.assert_array_equal(capture.views, load(folder)[0].views)


def test_write_raw_is_read_back_to_half_a_level_and_clips_where_a_sensor_does(folder, rng):
    view = rng.uniform(0, 0.9, size=FRAME).astype(np.float32)
    view[0, 0] = 1.5
    data.write_raw(folder / "left.png", view)
    capture, _ = load(folder)
    np.testing.assert_allclose(capture.views[0, 1:], view[1:], atol=0.51 / data.WHITE_LEVEL)
    assert raw(folder)[0, 0] == data.WHITE_LEVEL
    assert np.argwhere(capture.saturated).tolist() == [[0, 0]]


def test_released_kernel_files_are_six_rows_by_eight_columns(tmp_path, calibration):
    flat = np.repeat(calibration.kernels[:1, 0], 48, axis=0)
    flat *= np.ones((48, 1, 1, 1), np.float32)
    flat[8] = calibration.kernels[1, 2]
    for index, view in enumerate(data.VIEWS):
        np.save(tmp_path / f"blur_kernels_{view}.npy", flat[:, index])
    loaded = data.load_calibration(tmp_path)
    assert loaded.kernels.shape == (6, 8, 2, SIZE, SIZE)
    assert loaded.white is None
    np.testing.assert_array_equal(loaded.kernels[1, 0], calibration.kernels[1, 2])


# Errors


def spoil(folder, change):
    left = raw(folder)
    support.write_image(folder / "left.png", change(left))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda left: left[:-1],
            r"left.png is \(159, 210\) and .*right.png is \(160, 210\): expected the same",
        ),
        (lambda left: (left // 256).astype(np.uint8), "left.png holds uint8 values: expected .* 16 bits"),
        (lambda left: left * 0 + 3000, r"left.png: every pixel is 0.1206 .* expected a photograph"),
        (lambda left: left * 0 + 500, "left.png: every pixel is 0 .* black_level"),
        (lambda left: np.where(left > 4000, 16383, left).astype(np.uint16), "left.png: 6.% .* are saturated"),
    ],
)
def test_views_that_do_not_fit(folder, change, message):
    spoil(folder, change)
    with pytest.raises(InputError, match=message):
        load(folder)


def test_view_files_that_are_not_one_image(folder):
    (folder / "text.png").write_text("no image")
    data.write_raw(folder / "cut.png", raw(folder).astype(np.float32) / 16383)
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:200])
    cv2.imwritemulti(str(folder / "pages.tif"), [raw(folder), raw(folder)])
    cv2.imwrite(str(folder / "float.tif"), np.full(FRAME, np.nan, np.float32))
    for name, message in [
        ("none.png", "none.png does not exist: expected the left view"),
        ("text.png", "text.png is not an image"),
        ("cut.png", "cut.png is damaged"),
        ("pages.tif", "pages.tif holds 2 images: expected one"),
        ("float.tif", "float.tif holds float32 values: expected the left view with 16 bits"),
        ("calibration", "calibration is a folder: expected the left view"),
    ]:
        with pytest.raises(InputError, match=message):
            data.load_capture(folder / name, folder / "right.png", folder / "calibration")


def test_options_that_do_not_fit(folder, monkeypatch):
    with pytest.raises(InputError, match=r"crop: found \(200, 100\), expected .* up to \(160, 210\)"):
        load(folder, crop=(200, 100))
    # As a user meets it: the tests' own type checks would come first.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    for black, white in ((500, 400), (-1, 400), (0, 70_000), (64.5, 1023), ("64", 1023)):
        message = f"black_level {black!r}, white_level {white}: expected whole numbers, 0 <= black < white"
        with pytest.raises(InputError, match=message):
            load(folder, black_level=black, white_level=white)


def test_values_above_the_white_level_are_another_camera_s(folder):
    """Not one hot pixel, which the sensor clips, but more than one in a thousand."""
    with pytest.raises(InputError, match="left.png holds values up to 8999, white_level is 8000"):
        load(folder, white_level=8000)
    left = raw(folder)
    left[3, 4] = 16400
    support.write_image(folder / "left.png", left)
    assert load(folder)[0].saturated[3, 4]


def test_one_view_given_twice_is_told(folder):
    with pytest.raises(InputError, match="hold the same image: expected the left and the right view"):
        data.load_capture(folder / "left.png", folder / "left.png", folder / "calibration")


def test_white_sheets_of_an_earlier_calibration_go(folder, calibration):
    """Else they would correct captures of the new one."""
    data.save_calibration(calibration, folder / "calibration")
    data.save_calibration(dataclasses.replace(calibration, white=None), folder / "calibration")
    assert data.load_calibration(folder / "calibration").white is None


def test_white_sheets_that_cannot_be_right_are_refused(folder, calibration):
    where, white = folder / "calibration", calibration.white
    with pytest.raises(InputError, match="found values up to 1, which these levels cannot hold"):
        data.save_calibration(dataclasses.replace(calibration, white=white / white.max()), where)
    dim = np.stack([white[0], white[1] / 8])
    data.save_calibration(dataclasses.replace(calibration, white=dim), where)
    with pytest.raises(InputError, match="left over right runs from"):
        load(folder)
    data.save_calibration(calibration, where)
    sheet = raw(where, "white_sheet_left")
    sheet[:2] = 16383
    support.write_image(where / "white_sheet_left.png", sheet)
    with pytest.raises(InputError, match="white_sheet_left.png: 1.2% of the pixels reach the white level"):
        load(folder)


def test_kernels_that_declare_more_than_the_file_holds(folder):
    path = folder / "calibration" / "blur_kernels_left.npy"
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**5, 10**5)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(InputError, match="blur_kernels_left.npy is not a NumPy array"):
        load(folder)
    np.save(path, np.zeros((0, 4, 31, 31), np.float32))
    with pytest.raises(InputError, match="holds no kernels"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k: k * 2, "blur_kernels_right.npy: found kernels that sum to 2 to 2, expected 1"),
        (lambda k: k - 0.05, "blur_kernels_right.npy: found values down to -0.0.*, expected kernels >= 0"),
        (lambda k: k[..., :-1, :-1], "blur_kernels_right.npy: found kernels of 6 x 6, expected .* odd size"),
        (lambda k: k[..., :-2], "blur_kernels_right.npy: found kernels of 7 x 5, expected square"),
        (lambda k: k * np.nan, "blur_kernels_right.npy: found values that are not finite"),
        (lambda k: k[0], r"blur_kernels_right.npy: found shape \(3, 7, 7\), expected \(rows, cols, F, F\)"),
        (lambda k: k[:1], r"is \(2, 3, 7, 7\) and .* is \(1, 3, 7, 7\): expected the same shape"),
        (lambda k: (k * 100).astype(int), "blur_kernels_right.npy holds int64 values: expected"),
    ],
)
def test_kernels_that_do_not_fit(folder, calibration, change, message):
    np.save(folder / "calibration" / "blur_kernels_right.npy", change(calibration.kernels[:, :, 1]))
    with pytest.raises(InputError, match=message):
        load(folder)


def test_calibration_files_that_do_not_fit(folder, calibration):
    with pytest.raises(InputError, match="calibration_dir: the folder .*nowhere does not exist"):
        data.load_calibration(folder / "nowhere")
    with pytest.raises(InputError, match="grid of 2 x 3 tiles does not fit views of 160 x 2 pixels"):
        load(folder, crop=(160, 2))
    with pytest.raises(InputError, match="kernels of 7 x 7 pixels are larger than the views, 5 x 6"):
        load(folder, crop=(5, 6))

    narrow = dataclasses.replace(calibration, white=calibration.white[:, :, :-10])
    data.save_calibration(narrow, folder / "calibration")
    with pytest.raises(InputError, match="white sheets in .* are 160 x 200 pixels, the views 160 x 210"):
        load(folder)
    data.save_calibration(calibration, folder / "calibration")
    support.write_image(folder / "calibration" / "white_sheet_left.png", np.full(FRAME, 1000, np.uint16))
    with pytest.raises(InputError, match="white_sheet_left.png: found pixels at or below the black level"):
        load(folder)
    (folder / "calibration" / "white_sheet_left.png").unlink()
    with pytest.raises(InputError, match="white_sheet_left.png does not exist: expected a white sheet"):
        load(folder)
    (folder / "calibration" / "blur_kernels_left.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match="blur_kernels_left.npy is not a NumPy array"):
        load(folder)
