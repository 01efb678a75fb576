"""Captures and calibrations: the Pixel 4 scenes, a user's own views, reading and writing.

Axes: views = (left, right), [views, height, width]; kernels [rows, cols, views, kernel, kernel] on a grid of
rows x cols equal tiles of the view. Units: raw integers are the sensor's; everything else is linear raw in
[0, 1], ``(raw - black level)+ / white level``; kernel sizes are pixels, and the calibrated size is defocus
scale 1.

Files of a calibration folder: ``blur_kernels_{left,right}.npy``, either (rows, cols, F, F) or, as released
with the paper, (48, F, F) for 6 rows x 8 columns, row-major; and, where vignetting was calibrated,
``white_sheet_{left,right}.png``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from scipy.ndimage import uniform_filter

from dpdefocus.data.capture import (
    PIXEL4_CROP,
    PIXEL4_FRAME,
    RELEASED_GRID,
    VIEWS,
    Calibration,
    Capture,
    check_kernels,
    check_view,
    check_white,
)
from dpdefocus.data.raw import BLACK_LEVEL, WHITE_LEVEL, check_levels, linear, read_raw, to_raw
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder, write_image

# Side of the box that smooths the vignetting ratio, as a share of the frame's shorter side: noise and dust of
# the white sheets stay out of the views. On the Pixel 4's full frame it is the released program's 101 pixels;
# a frame of fewer pixels sees the same lens, so the box keeps its share, lest it flatten the vignetting.
VIGNETTING_BOX = 101 / 1512


def load_calibration(
    folder: str | Path, black_level: int = BLACK_LEVEL, white_level: int = WHITE_LEVEL
) -> Calibration:
    """Read a calibration folder, whose files the head of this module lists; levels are the white sheets'.

    Raises:
        InputError: a file is missing or does not fit; names it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"calibration_dir: the folder {folder} does not exist")
    kernels = [_read_kernels(folder / f"blur_kernels_{view}.npy") for view in VIEWS]
    check_same_shape([folder / f"blur_kernels_{view}.npy" for view in VIEWS], kernels)

    sheets = [folder / f"white_sheet_{view}.png" for view in VIEWS]
    if not any(sheet.exists() for sheet in sheets):
        return Calibration(np.stack(kernels, axis=2))
    white = [linear(read_raw(sheet, "a white sheet"), black_level, white_level) for sheet in sheets]
    check_same_shape(sheets, white)
    for sheet, image in zip(sheets, white, strict=True):
        check_white(image, str(sheet))
    return Calibration(np.stack(kernels, axis=2), np.stack(white))


def save_calibration(
    calibration: Calibration,
    folder: str | Path,
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> None:
    """Write what ``load_calibration`` reads: kernels as they are, white sheets as 16-bit raw."""
    folder = writable_folder(folder, "calibration folder")
    names = [f"blur_kernels_{view}.npy" for view in VIEWS]
    if calibration.white is not None:
        names += [f"white_sheet_{view}.png" for view in VIEWS]
    with replacing(folder, *names) as paths:
        for index in range(2):
            np.save(paths[index], calibration.kernels[:, :, index])
            if calibration.white is not None:
                write_image(paths[2 + index], to_raw(calibration.white[index], black_level, white_level))


def load_capture(
    left: str | Path,
    right: str | Path,
    calibration_dir: str | Path,
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
    crop: tuple[int, int] | None = None,
) -> tuple[Capture, Calibration]:
    """A user's own capture, two linear 16-bit PNG or TIFF files, and its calibration.

    Of views in colour the green channel is used. ``crop`` is the (height, width) that the kernels' grid
    covers, from the centre of the views. Without it, a full frame of the Pixel 4 (1512 x 2016) is cropped to
    1008 x 1344, which is what its kernels cover; other views are used whole. ``(raw - black_level)+ /
    white_level`` makes the views linear in [0, 1].

    Raises:
        InputError: a file that is missing or does not fit; names it, says what was expected.
    """
    paths = (Path(left), Path(right))
    raws = [read_raw(path, f"the {view} view") for path, view in zip(paths, VIEWS, strict=True)]
    check_same_shape(paths, raws)
    frame = raws[0].shape
    check_levels(black_level, white_level)
    crop = checked_crop(crop, frame, f"the size of {paths[0]}")

    calibration = load_calibration(calibration_dir, black_level, white_level)
    _check_fit(calibration, crop, frame, calibration_dir)

    saturated = centre(np.any([raw >= white_level for raw in raws], axis=0), crop)
    views = [centre(linear(raw, black_level, white_level), crop) for raw in raws]
    for path, view in zip(paths, views, strict=True):
        check_view(view, saturated, str(path))
    if calibration.white is not None:
        views[1] = views[1] * centre(relative_vignetting(calibration.white), crop)
    return Capture(np.stack(views), paths[0].name, saturated), calibration


def checked_crop(crop: tuple[int, int] | None, frame: tuple[int, int], of: str) -> tuple[int, int]:
    """The part of a frame, from its centre, that kernels cover; both (height, width).

    By default the released 1008 x 1344 pixels of a Pixel 4's frame, and the whole of any other.

    Raises:
        InputError: it is larger than the frame; ``of`` says whose frame that is.
    """
    if crop is None:
        crop = PIXEL4_CROP if frame == PIXEL4_FRAME else frame
    if any(not 0 < part <= whole for part, whole in zip(crop, frame, strict=True)):
        raise InputError(f"crop: found {crop}, expected (height, width) up to {frame}, {of}")
    return crop


def relative_vignetting(
    white: Float32[np.ndarray, "2 height width"],
) -> Float32[np.ndarray, "height width"]:
    """The factor that gives the right view the left's vignetting: box mean of white left / white right."""
    return smooth_field(white[0] / white[1])


def smooth_field(field: Float32[np.ndarray, "height width"]) -> Float32[np.ndarray, "height width"]:
    """Mean over a box that is a fifteenth of the frame's shorter side wide, for what varies slowly over it.

    Beyond the frame the field is continued by its point reflection about the edge, ``2 f(0) - f(x)``: a slope
    goes on, where repeated edge pixels would bend it over half a box.
    """
    half = round(VIGNETTING_BOX * min(field.shape)) // 2
    padded = np.pad(field, half, mode="reflect", reflect_type="odd")
    inner = slice(half, -half or None)
    return uniform_filter(padded, 2 * half + 1)[inner, inner]


def centre(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The part (height, width) from the middle of an image [height, width]."""
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=True))
    return image[top : top + size[0], left : left + size[1]]


def _read_kernels(path: Path) -> np.ndarray:
    """Kernels of one view [rows, cols, kernel, kernel]."""
    try:
        kernels = np.load(existing_file(path, "blur kernels"), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} is not a NumPy array: expected blur kernels as float32 .npy") from error
    if kernels.dtype.kind != "f":
        raise InputError(f"{path} holds {kernels.dtype} values: expected blur kernels as float32")
    rows, cols = RELEASED_GRID
    if kernels.ndim == 3 and len(kernels) == rows * cols:
        kernels = kernels.reshape(rows, cols, *kernels.shape[1:])
    kernels = kernels.astype(np.float32)
    check_kernels(kernels, str(path))
    return kernels


def _check_fit(
    calibration: Calibration, size: tuple[int, int], frame: tuple[int, int], folder: str | Path
) -> None:
    """Whether views of this size, cut from this frame, can be used with this calibration."""
    rows, cols, _, kernel, _ = calibration.kernels.shape
    if size[0] < rows or size[1] < cols:
        raise InputError(
            f"blur kernels in {folder}: a grid of {rows} x {cols} tiles does not fit views of "
            f"{size[0]} x {size[1]} pixels"
        )
    if kernel > min(size):
        raise InputError(
            f"blur kernels in {folder}: kernels of {kernel} x {kernel} pixels are larger than the views, "
            f"{size[0]} x {size[1]}"
        )
    if calibration.white is not None and calibration.white.shape[1:] != frame:
        height, width = calibration.white.shape[1:]
        raise InputError(
            f"white sheets in {folder} are {height} x {width} pixels, the views {frame[0]} x {frame[1]}: "
            "expected the same full frame. Give uncropped views, or, if the views are corrected already, a "
            "calibration folder without white sheets"
        )


def check_same_shape(names: Sequence[Path], arrays: Sequence[np.ndarray]) -> None:
    shapes = [array.shape for array in arrays]
    if shapes[0] != shapes[1]:
        raise InputError(f"{names[0]} is {shapes[0]} and {names[1]} is {shapes[1]}: expected the same shape")
