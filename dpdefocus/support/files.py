"""Reading 16-bit images, writing files so that nothing already saved is lost, and pictures within pages.

Images are [height, width], or [height, width, 3] in OpenCV's order (blue, green, red); values are the file's
own integers.
"""

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from dpdefocus.support.errors import InputError

LOSSLESS = 101  # as a WebP quality; others go up to 100
WEBP = "data:image/webp;base64,"  # with what `webp` gives, the address of a picture within a page


def existing_file(path: str | Path, what: str) -> Path:
    """``path``, if there is such a file; ``what`` says in the error what it would be."""
    path = Path(path)
    if not path.is_file():
        found = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {found}: expected {what}")
    return path


def read_image(path: str | Path, what: str) -> np.ndarray:
    """The image in a PNG, TIFF or PGM file, with the file's own bit depth and channels, unrotated.

    Raises:
        InputError: no such file, not an image, or a file of several pages.
    """
    path = existing_file(path, what)
    if not cv2.haveImageReader(str(path)):
        raise InputError(f"{path} is not an image that can be read: expected {what}, as PNG or TIFF")
    pages = cv2.imcount(str(path), cv2.IMREAD_UNCHANGED)
    if pages > 1:
        raise InputError(f"{path} holds {pages} images: expected one. Save each view as a file of its own")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path} is damaged and cannot be read: expected {what}. Copy or download it again")
    return image


def read_image_16bit(path: str | Path, what: str) -> np.ndarray:
    """As ``read_image``, and the file must hold 16 bits: uint16 [height, width] or [height, width, 3]."""
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
    """The picture as base64 of a WebP, the smallest of those with the given qualities."""
    encoded = [
        cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1] for quality in qualities
    ]
    return base64.b64encode(min(encoded, key=len).tobytes()).decode()


def writable_folder(folder: str | Path, argument: str = "out_dir") -> Path:
    """``folder`` as a path, made if needed, after proving that a file can be created in it.

    Raises:
        InputError: it cannot be made or written; names the ``argument``.
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
    """Write several files of a folder at once: all of them, or, after an error, none.

    Yields a temporary path for each name. When the block ends well they are moved onto the names, else
    deleted; a file of that name from an earlier run stays whole until the move.
    """
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
        staged = [Path(partial) / name for name in names]
        yield staged
        for path in staged:
            os.replace(path, folder / path.name)
