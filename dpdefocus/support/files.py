"""Reading 16-bit images, replacing files only by complete ones, and encoding pictures for pages.

Images are [height, width], or [height, width, 3] in OpenCV's order (blue, green, red); values are the file's
own integers.
"""

import base64
import contextlib
import io
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import tifffile
from jaxtyping import UInt8

from dpdefocus.support.errors import InputError

LOSSLESS = 101  # as a WebP quality; others go up to 100
WEBP = "data:image/webp;base64,"  # followed by what `webp` returns: a picture's address within a page


def existing_file(path: str | Path, what: str) -> Path:
    """``path``, if it is a file that can be opened; ``what`` names the expected content in the error."""
    path = Path(path)
    try:
        if not path.is_file():
            found = "is a folder" if path.is_dir() else "is no file" if path.exists() else "does not exist"
            raise InputError(f"{path} {found}: expected {what}")
        path.open("rb").close()
    except OSError as error:  # no permission, a name that is too long
        raise InputError(f"{path} cannot be read ({error.strerror}): expected {what}") from error
    return path


# How files of images begin.
SIGNATURES = b"\x89PNG", b"II*\0", b"MM\0*", b"P5", b"P2", b"P6", b"P3", b"\xff\xd8\xff", b"BM"
TIFF = b"II*\0", b"MM\0*"
ORIENTATION = 274  # tag of a TIFF file


def read_image(path: str | Path, what: str) -> np.ndarray:
    """The image in a PNG, TIFF or PGM file, with the file's own bit depth and channels, unrotated.

    Raises:
        InputError: no such file, not an image, a damaged one, several pages, a TIFF file that is turned or
            keeps its channels apart, or one that declares more pixels than can be read.
    """
    path = existing_file(path, what)
    data = path.read_bytes()
    if not data.startswith(SIGNATURES):
        raise InputError(f"{path} is not an image that can be read: expected {what}, as PNG or TIFF")
    if data.startswith(TIFF):
        _check_tiff(data, path, what)
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:  # such as a header that declares more pixels than memory can hold
        raise InputError(
            f"{path} cannot be decoded: its header may declare too many pixels. Expected {what}. "
            "Export it again"
        ) from error
    if image is None:
        raise InputError(f"{path} is damaged and cannot be read: expected {what}. Copy or download it again")
    return image


def _check_tiff(data: bytes, path: Path, what: str) -> None:
    """Refuse what OpenCV would turn, tear apart, or read only the first page of.

    Raises:
        InputError: it is such a file, or damaged.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            pages, first = len(file.pages), file.pages[0]
            turned = first.tags.valueof(ORIENTATION, 1)
            planar = first.planarconfig == tifffile.PLANARCONFIG.SEPARATE and first.samplesperpixel > 1
    except Exception as error:  # tifffile raises many kinds on damaged files
        raise InputError(
            f"{path} is damaged and cannot be read: expected {what}. Copy or download it again"
        ) from error
    if pages > 1:
        raise InputError(f"{path} holds {pages} images: expected one. Save each view as a file of its own")
    if turned not in (0, 1):
        raise InputError(
            f"{path} is marked as turned (TIFF orientation {turned}), and kernels belong to the sensor's own "
            f"rows and columns: expected {what} as the sensor has it. Save it without rotation"
        )
    if planar:
        raise InputError(
            f"{path} keeps its colours in separate planes: expected {what} with interleaved channels. "
            "Save it interleaved (also called chunky)"
        )


def read_image_16bit(path: str | Path, what: str) -> np.ndarray:
    """As ``read_image``, for files of 16 bits only: uint16 [height, width] or [height, width, 3]."""
    image = read_image(path, what)
    if image.dtype != np.uint16:
        raise InputError(
            f"{path} holds {image.dtype} values: expected {what} with 16 bits (uint16). "
            "Export it linear and unscaled, as 16-bit PNG or TIFF"
        )
    return image


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a uint8 or uint16 image [height, width] as PNG; use inside ``replacing``."""
    written, data = cv2.imencode(".png", image)
    if not written:
        raise InputError(f"{path}: {image.dtype} {image.shape} cannot be written, expected a grey image")
    path.write_bytes(data.tobytes())


def webp(picture: UInt8[np.ndarray, "height width *colours"], *qualities: int) -> str:
    """The picture as a base64 WebP: the smallest of its encodings at the given qualities."""
    encoded = [
        cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1] for quality in qualities
    ]
    return base64.b64encode(min(encoded, key=len).tobytes()).decode()


def writable_folder(folder: str | Path, argument: str = "out_dir") -> Path:
    """``folder`` as a path, created if needed; a test file proves that it can be written to.

    Raises:
        InputError: it cannot be created or written to; names the ``argument``.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(
            f"{argument}: nothing can be written to {folder} ({error.strerror}). Give another folder"
        ) from error
    return folder


@contextmanager
def replacing(folder: Path, *names: str) -> Iterator[list[Path]]:
    """Write files of a folder under temporary names, then move them to their own names.

    Yields a temporary path for each name. After an error in the block nothing in the folder has changed. Else
    the files are on disk before the first is moved, and are moved in the order of their names, each over its
    earlier version: no file is ever half-written, and the last one is the sign that all are there.

    Raises:
        InputError: a folder is in the way, or nothing more can be written.
    """
    for name in names:
        if (folder / name).is_dir():
            raise InputError(f"{folder / name} is a folder: expected a file to write. Move it away")
    remove_abandoned(folder)
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=f"{PARTIAL}{os.getpid()}-") as partial:
            staged = [Path(partial) / name for name in names]
            yield staged
            for path in staged:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            for path in staged:
                os.replace(path, folder / path.name)
    except OSError as error:
        raise InputError(
            f"{folder}: nothing more can be written ({error.strerror or error}). Earlier files are unchanged"
        ) from error


PARTIAL = ".partial-"  # begins the name of a folder of temporary files; the process's number follows
ABANDONED = 24 * 3600  # seconds after which such a folder belongs to no process that still writes


def remove_abandoned(folder: Path) -> None:
    """Remove the folders that a killed `replacing` has left; what a live process is writing stays."""
    for left in folder.glob(f"{PARTIAL}*"):
        number = left.name.removeprefix(PARTIAL).partition("-")[0]
        with contextlib.suppress(OSError):
            old = time.time() - left.stat().st_mtime > ABANDONED
            if old or not (number.isdigit() and _alive(int(number))):
                shutil.rmtree(left)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # such as one of another user
        return True
    return True
