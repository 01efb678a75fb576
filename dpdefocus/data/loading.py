"""From files to captures and calibrations, and from calibrations to files.

Axes: views = (left, right), [views, height, width]; kernels [rows, cols, views, kernel, kernel] on a grid of
rows x cols equal tiles of the view. Units: raw integers are the sensor's; everything else is linear raw in
[0, 1], ``(raw - black level)+ / white level``; kernels are sized in pixels, and their calibrated size is
defocus size 1.

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

# Side of the box that smooths the vignetting ratio, as a fraction of the frame's shorter side: it keeps noise
# and dust of the white sheets out of the views. On the Pixel 4's full frame it is the released program's 101
# pixels. It scales with the frame: a box of fixed size would flatten the vignetting of a smaller one.
VIGNETTING_BOX = 101 / 1512

CLIPPED_SHARE = 1e-3  # of pixels at the white level: a sheet of more was exposed for too long
LARGEST_RATIO = 4.0  # between the views of a white sheet; that of a Pixel 4 stays within 1.7
ABOVE_SHARE = 1e-3  # of pixels above the white level: of more, the level is that of another camera


def load_calibration(
    folder: str | Path, black_level: int = BLACK_LEVEL, white_level: int = WHITE_LEVEL
) -> Calibration:
    """Read a calibration folder (files: see the top of this module); levels are those of the white sheets.

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
    check_levels(black_level, white_level)
    raws = [read_raw(sheet, "a white sheet") for sheet in sheets]
    for sheet, raw in zip(sheets, raws, strict=True):
        clipped = (raw >= white_level).mean()
        if clipped > CLIPPED_SHARE:
            raise InputError(
                f"{sheet}: {clipped:.1%} of the pixels reach the white level {white_level}; expected at most "
                f"{CLIPPED_SHARE:.1%}. Expose the sheet less, or check white_level"
            )
    white = [linear(raw, black_level, white_level) for raw in raws]
    check_same_shape(sheets, white)
    for sheet, image in zip(sheets, white, strict=True):
        check_white(image, str(sheet))
    ratio = relative_vignetting(np.stack(white))
    if ratio.min() < 1 / LARGEST_RATIO or ratio.max() > LARGEST_RATIO:
        raise InputError(
            f"white sheets in {folder}: left over right runs from {ratio.min():.2g} to {ratio.max():.2g}; "
            f"expected {1 / LARGEST_RATIO:g} to {LARGEST_RATIO:g}. Are both of one sheet, at one exposure?"
        )
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
        ceiling = (white_level - black_level) / white_level
        if calibration.white.max() > ceiling:
            raise InputError(
                f"white: found values up to {calibration.white.max():.4g}, which these levels cannot hold; "
                f"expected at most {ceiling:.4g}, (white_level - black_level) / white_level"
            )
    with replacing(folder, *names) as paths:
        for index in range(2):
            np.save(paths[index], calibration.kernels[:, :, index])
            if calibration.white is not None:
                write_image(paths[2 + index], to_raw(calibration.white[index], black_level, white_level))
    if calibration.white is None:  # those of an earlier calibration would correct captures by it
        for view in VIEWS:
            (folder / f"white_sheet_{view}.png").unlink(missing_ok=True)


def load_capture(
    left: str | Path,
    right: str | Path,
    calibration_dir: str | Path,
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
    crop: tuple[int, int] | None = None,
) -> tuple[Capture, Calibration]:
    """A user's own capture, two linear 16-bit PNG or TIFF files, and its calibration.

    Colour files: the green channel. ``crop`` is the central (height, width) of the views that the grid of
    kernels covers: by default 1008 x 1344 of a Pixel 4's full frame (1512 x 2016), and all of any other view.
    ``(raw - black_level)+ / white_level`` makes the views linear in [0, 1].

    Raises:
        InputError: a file that is missing or does not fit; names it and says what was expected.
    """
    paths = (Path(left), Path(right))
    raws = [read_raw(path, f"the {view} view") for path, view in zip(paths, VIEWS, strict=True)]
    check_same_shape(paths, raws)
    frame = raws[0].shape
    check_levels(black_level, white_level)
    crop = checked_crop(crop, frame, f"the size of {paths[0]}")

    for path, raw in zip(paths, raws, strict=True):
        if (raw > white_level).mean() > ABOVE_SHARE:
            raise InputError(
                f"{path} holds values up to {raw.max()}, white_level is {white_level}: expected none above "
                "it. Give the white_level (and black_level) of this camera's files"
            )
    if np.array_equal(*raws):
        raise InputError(
            f"{paths[0]} and {paths[1]} hold the same image: expected the left and the right view"
        )

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
    """The central part of a frame that the kernels cover; both (height, width).

    By default the released 1008 x 1344 pixels of a Pixel 4's frame, and the whole of any other.

    Raises:
        InputError: it is larger than the frame; ``of`` names the frame in the error.
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
    """Box mean of a slowly varying field; the box is a fifteenth of the frame's shorter side wide.

    Beyond the frame the field continues by point reflection about the edge, ``2 f(0) - f(x)``: this keeps a
    slope, which repeated edge pixels would flatten over half a box.
    """
    half = round(VIGNETTING_BOX * min(field.shape)) // 2
    padded = np.pad(field, half, mode="reflect", reflect_type="odd")
    inner = slice(half, -half or None)
    return uniform_filter(padded, 2 * half + 1)[inner, inner]


def centre(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The central part (height, width) of an image [height, width]."""
    top, left = ((whole - part) // 2 for whole, part in zip(image.shape, size, strict=True))
    return image[top : top + size[0], left : left + size[1]]


def _read_kernels(path: Path) -> np.ndarray:
    """Kernels of one view [rows, cols, kernel, kernel]."""
    existing_file(path, "blur kernels")
    try:
        # Mapped, a header that declares more values than the file has is told before memory is asked for.
        kernels = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # damaged files raise many kinds
        raise InputError(f"{path} is not a NumPy array: expected blur kernels as float32 .npy") from error
    if not kernels.size:
        raise InputError(f"{path} holds no kernels: found shape {kernels.shape}")
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
    """Raise InputError unless views of this size, cut from this frame, fit this calibration."""
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
