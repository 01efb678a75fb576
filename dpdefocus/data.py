"""Captures and calibrations: the Pixel 4 scenes, a user's own views, reading and writing.

Axes: views = (left, right), [views, height, width]; kernels [rows, cols, views, kernel, kernel] on a grid of
rows x cols equal tiles of the view. Units: raw integers are the sensor's; everything else is linear raw in
[0, 1], ``(raw - black level)+ / white level``; kernel sizes are pixels, and the calibrated size is defocus
scale 1.

Files of a calibration folder: ``blur_kernels_{left,right}.npy``, either (rows, cols, F, F) or, as released
with the paper, (48, F, F) for 6 rows x 8 columns, row-major; and, where vignetting was calibrated,
``white_sheet_{left,right}.png``.
"""

import dataclasses
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch
from jaxtyping import Bool, Float32
from scipy.ndimage import uniform_filter

from dpdefocus.errors import InputError
from dpdefocus.files import (
    existing_file,
    read_image,
    read_image_16bit,
    replacing,
    writable_folder,
    write_image,
)
from dpdefocus.progress import progress
from dpdefocus.raw import BLACK_LEVEL, WHITE_LEVEL, check_levels, linear, read_raw, to_raw, write_raw

__all__ = [
    "BLACK_LEVEL",
    "PIXEL4_CROP",
    "PIXEL4_FRAME",
    "VIEWS",
    "WHITE_LEVEL",
    "Calibration",
    "Capture",
    "GroundTruth",
    "centre",
    "checked_crop",
    "fetch_pixel4",
    "list_scenes",
    "load_calibration",
    "load_capture",
    "load_ground_truth",
    "load_pixel4",
    "relative_vignetting",
    "save_calibration",
    "smooth_field",
    "write_raw",
]

VIEWS = ("left", "right")

# Pixel 4: the full frame, and the part from its centre that the released kernels cover.
PIXEL4_FRAME = (1512, 2016)
PIXEL4_CROP = (1008, 1344)
RELEASED_GRID = (6, 8)

# Side of the box that smooths the vignetting ratio, as a share of the frame's shorter side: noise and dust of
# the white sheets stay out of the views. On the Pixel 4's full frame it is the released program's 101 pixels;
# a frame of fewer pixels sees the same lens, so the box keeps its share, lest it flatten the vignetting.
VIGNETTING_BOX = 101 / 1512

# A kernel scaled by this error dims its tile by as much: at white, a quarter of a grey level of 8 bits.
KERNEL_SUM_TOLERANCE = 1e-3

# More clipped pixels than this leave too little of the scene to measure blur on.
SATURATED_SHARE = 0.5

PIXEL4_URL = (
    "https://raw.githubusercontent.com/cmu-ci-lab/dual_pixel_defocus_estimation_deblurring/"
    "d6a92620163cb462ff5b77a813bc5c03b0dab240/DP_data_pixel_4/"
)


@dataclass(frozen=True)
class Calibration:
    """Blur kernels of both views on a grid, each summing to one; white sheets if vignetting was calibrated.

    ``white`` holds the full frame, black level subtracted. Only the ratio of its views is used.

    Raises:
        InputError: kernels of even size, negative, not finite, or not summing to one; white sheets that are
            not positive.
    """

    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"]
    white: Float32[np.ndarray, "2 frame_height frame_width"] | None = None

    def __post_init__(self) -> None:
        if self.kernels.ndim != 5 or self.kernels.shape[2] != 2:
            raise InputError(f"kernels: found shape {self.kernels.shape}, expected (rows, cols, 2, F, F)")
        for index, view in enumerate(VIEWS):
            _check_kernels(self.kernels[:, :, index], f"kernels of the {view} view")
            if self.white is not None:
                _check_white(self.white[index], f"white sheet of the {view} view")


@dataclass(frozen=True)
class Capture:
    """One dual-pixel photograph, ready to use: linear, black level subtracted, cropped, vignetting-corrected.

    ``saturated`` marks the pixels that the sensor clipped in either view: there the views do not follow the
    blur model.

    Raises:
        InputError: views that are not two images of one shape, not finite, constant, or mostly saturated.
    """

    views: Float32[np.ndarray, "2 height width"]
    name: str
    saturated: Bool[np.ndarray, "height width"]

    def __post_init__(self) -> None:
        if self.views.ndim != 3 or self.views.shape[0] != 2:
            raise InputError(f"views of {self.name}: found {self.views.shape}, expected (2, height, width)")
        if self.saturated.shape != self.views.shape[1:]:
            raise InputError(
                f"saturated of {self.name}: found shape {self.saturated.shape}, expected that of a view, "
                f"{self.views.shape[1:]}"
            )
        for view, image in zip(VIEWS, self.views, strict=True):
            _check_view(image, self.saturated, f"{view} view of {self.name}")


class GroundTruth(NamedTuple):
    """What a scene of the Pixel 4 set is scored against; the mask marks where the defocus map is known."""

    all_in_focus: Float32[np.ndarray, "height width"]
    defocus_map: Float32[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"]


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
    _same_shape([folder / f"blur_kernels_{view}.npy" for view in VIEWS], kernels)

    sheets = [folder / f"white_sheet_{view}.png" for view in VIEWS]
    if not any(sheet.exists() for sheet in sheets):
        return Calibration(np.stack(kernels, axis=2))
    white = [linear(read_raw(sheet, "a white sheet"), black_level, white_level) for sheet in sheets]
    _same_shape(sheets, white)
    for sheet, image in zip(sheets, white, strict=True):
        _check_white(image, str(sheet))
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


def load_pixel4(data_dir: str | Path, scene: str) -> tuple[Capture, Calibration]:
    """One scene of the Pixel 4 set, such as ``"001"``, 1008 x 1344 pixels, and the set's calibration.

    Raises:
        InputError: no such folder or scene (the scenes found are listed), or a file that does not fit.
    """
    folder = _scene_folder(data_dir, scene)
    calibration_dir = folder / "calibration"
    capture, calibration = load_capture(
        folder / f"{scene}_left.png", folder / f"{scene}_right.png", calibration_dir, crop=PIXEL4_CROP
    )
    if calibration.white is None:
        raise InputError(
            f"{calibration_dir} holds no white_sheet_{{left,right}}.png: without them the views differ "
            "by up to 40 % in brightness. Copy or download the set again"
        )
    return dataclasses.replace(capture, name=scene), calibration


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
    _same_shape(paths, raws)
    frame = raws[0].shape
    check_levels(black_level, white_level)
    crop = checked_crop(crop, frame, f"the size of {paths[0]}")

    calibration = load_calibration(calibration_dir, black_level, white_level)
    _check_fit(calibration, crop, frame, calibration_dir)

    saturated = centre(np.any([raw >= white_level for raw in raws], axis=0), crop)
    views = [centre(linear(raw, black_level, white_level), crop) for raw in raws]
    for path, view in zip(paths, views, strict=True):
        _check_view(view, saturated, str(path))
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


def load_ground_truth(data_dir: str | Path, scene: str) -> GroundTruth:
    """The truth of a Pixel 4 scene.

    The all-in-focus image is linear, in the scale of the mean of the views; the defocus map is in [0, 1], and
    known where it is above 0.

    Raises:
        InputError: no such folder or scene, or a file that does not fit.
    """
    folder = _scene_folder(data_dir, scene)
    paths = [folder / name / f"{scene}_gt.png" for name in ("gt_all_in_focus_im", "gt_defocus_map")]
    sharp = read_image_16bit(paths[0], "the true all-in-focus image")
    defocus = read_image(paths[1], "the true defocus map")
    if defocus.dtype != np.uint8:
        raise InputError(f"{paths[1]} holds {defocus.dtype} values: expected 8 bits (uint8)")
    _same_shape(paths, [sharp, defocus])
    return GroundTruth(
        sharp.astype(np.float32) / np.float32(65535),
        defocus.astype(np.float32) / np.float32(255),
        defocus > 0,
    )


def list_scenes(data_dir: str | Path) -> list[str]:
    """The scenes of which both views are in the folder."""
    names = {path.name.removesuffix("_left.png") for path in Path(data_dir).glob("*_left.png")}
    return sorted(name for name in names if (Path(data_dir) / f"{name}_right.png").is_file())


def fetch_pixel4(
    data_dir: str | Path, scenes: Sequence[str] | None = None, base_url: str = PIXEL4_URL
) -> Path:
    """Download the Pixel 4 set, or some ``scenes`` of it, from its authors' repository into a folder.

    A scene is about 9 MB. Each file is checked against its SHA-256; files already there and sound are kept.
    The set has no licence: it is fetched for you, and not yours to pass on.

    Raises:
        InputError: unknown scene, folder that cannot be written, or a download that fails.
    """
    registry = _pixel4_registry()
    known = sorted({name[:3] for name in registry if name.endswith("_left.png")})
    wanted = known if scenes is None else list(scenes)
    unknown = [scene for scene in wanted if scene not in known]
    if unknown:
        raise InputError(f"scenes: found {unknown}, expected some of {', '.join(known)}")
    names = [n for n in registry if n.startswith("calibration/") or n.rpartition("/")[2][:3] in wanted]

    folder = writable_folder(data_dir, "data_dir")
    pooch.get_logger().setLevel("WARNING")  # the progress bar says what is downloaded
    store = pooch.create(path=folder, base_url=base_url, registry=registry)
    for name in progress(names, "Pixel 4 scenes"):
        try:
            store.fetch(name)
        except (ValueError, OSError) as error:
            raise InputError(
                f"{name} could not be downloaded from {base_url} ({error}). Try again later, "
                f"or copy the set's files into {folder} by hand"
            ) from error
    return folder


def _pixel4_registry() -> dict[str, str]:
    """File name within the set -> its SHA-256, of all 72 files."""
    lines = importlib.resources.files("dpdefocus").joinpath("pixel4-registry.txt").read_text().splitlines()
    return {name: f"sha256:{digest}" for digest, name in (line.split() for line in lines)}


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
    _check_kernels(kernels, str(path))
    return kernels


def _check_kernels(kernels: np.ndarray, what: str) -> None:
    rows, cols = RELEASED_GRID
    if kernels.ndim != 4:
        raise InputError(
            f"{what}: found shape {kernels.shape}, expected (rows, cols, F, F), "
            f"or ({rows * cols}, F, F) for a grid of {rows} rows x {cols} columns"
        )
    height, width = kernels.shape[2:]
    if height != width or height % 2 == 0:
        raise InputError(f"{what}: found kernels of {height} x {width}, expected square ones of odd size")
    if not np.isfinite(kernels).all():
        raise InputError(f"{what}: found values that are not finite, expected kernels >= 0 that sum to one")
    if kernels.min() < 0:
        raise InputError(f"{what}: found values down to {kernels.min():.3g}, expected kernels >= 0")
    sums = kernels.sum(axis=(2, 3), dtype=np.float64)
    if np.abs(sums - 1).max() > KERNEL_SUM_TOLERANCE:
        raise InputError(
            f"{what}: found kernels that sum to {sums.min():.4g} to {sums.max():.4g}, expected 1 for each. "
            "Divide each kernel by its sum"
        )


def _check_white(white: np.ndarray, what: str) -> None:
    if not np.isfinite(white).all() or white.min() <= 0:
        raise InputError(
            f"{what}: found pixels at or below the black level, expected a white sheet, brighter everywhere"
        )


def _check_view(view: np.ndarray, saturated: np.ndarray, what: str) -> None:
    if not np.isfinite(view).all():
        raise InputError(f"{what}: found {np.count_nonzero(~np.isfinite(view))} values that are not finite")
    if view.min() == view.max():
        raise InputError(
            f"{what}: every pixel is {view.max():.4g} once the black level is subtracted, expected a "
            "photograph. Check the file and black_level"
        )
    if saturated.mean() > SATURATED_SHARE:
        raise InputError(
            f"{what}: {saturated.mean():.0%} of the pixels are saturated in either view, expected at most "
            f"{SATURATED_SHARE:.0%}. Expose less, or check white_level"
        )


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


def _same_shape(names: Sequence[Path], arrays: Sequence[np.ndarray]) -> None:
    shapes = [array.shape for array in arrays]
    if shapes[0] != shapes[1]:
        raise InputError(f"{names[0]} is {shapes[0]} and {names[1]} is {shapes[1]}: expected the same shape")


def _scene_folder(data_dir: str | Path, scene: str) -> Path:
    folder = Path(data_dir)
    if not folder.is_dir():
        raise InputError(f"data_dir: the folder {folder} does not exist")
    scenes = list_scenes(folder)
    if scene not in scenes:
        found = f"found the scenes {', '.join(scenes)}" if scenes else "found no files such as 001_left.png"
        raise InputError(f"scene {scene!r} is not in {folder}: {found}")
    return folder
