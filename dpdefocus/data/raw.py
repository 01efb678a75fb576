"""A camera's raw files: levels, the green channel, and the two views out of a sum and one side.

    python -m dpdefocus.raw sum.tiff side.tiff --side left --mosaic --out left.png right.png

makes left.png and right.png of the two frames of a Canon dual-pixel raw file.

Axes   images are [height, width]; a mosaic has one colour per pixel, in squares of 2 x 2.
Units  raw integers are the sensor's; linear raw is (raw - black level) / white level, in [0, 1].
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt16

from dpdefocus.support.errors import InputError
from dpdefocus.support.files import read_image_16bit, replacing, writable_folder, write_image

# Pixel 4: 14 bits.
BLACK_LEVEL = 1024
WHITE_LEVEL = 2**14 - 1

# A side brighter than the sum in more of the pixels than this, by more than noise, was not a side of it.
LARGEST_SHARE_OUTSIDE = 0.02


def read_raw(path: str | Path, what: str) -> UInt16[np.ndarray, "height width"]:
    """A 16-bit image; of colour the green channel, where dual-pixel views come from.

    Raises:
        InputError: no such file, or not such an image; ``what`` says in the error what it would be.
    """
    image = read_image_16bit(path, what)
    return image if image.ndim == 2 else image[:, :, 1]


def check_levels(black_level: int, white_level: int) -> None:
    """Raises InputError unless 0 <= black < white."""
    if not 0 <= black_level < white_level:
        raise InputError(f"black_level {black_level}, white_level {white_level}: expected 0 <= black < white")


def signed_linear(
    raw: UInt16[np.ndarray, "height width"], black_level: int, white_level: int
) -> Float32[np.ndarray, "height width"]:
    """``(raw - black level) / white level``; noise below the black level stays, so that means are true."""
    return (raw.astype(np.float32) - np.float32(black_level)) / np.float32(white_level)


def linear(
    raw: UInt16[np.ndarray, "height width"], black_level: int, white_level: int
) -> Float32[np.ndarray, "height width"]:
    """``(raw - black level)+ / white level``, as released: a clipped pixel comes out slightly below 1."""
    return np.maximum(signed_linear(raw, black_level, white_level), np.float32(0))


def to_raw(
    view: Float32[np.ndarray, "height width"], black_level: int, white_level: int
) -> UInt16[np.ndarray, "height width"]:
    """The inverse of ``linear``: rounded, clipped at the white level as the sensor would."""
    return np.clip(np.round(view * white_level + black_level), 0, white_level).astype(np.uint16)


def write_raw(
    path: str | Path,
    view: Float32[np.ndarray, "height width"],
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> None:
    """Write a linear view as a camera would, as 16-bit PNG: rounded, and clipped at the white level."""
    if not np.isfinite(view).all():
        raise InputError(f"view for {path}: found values that are not finite, expected linear raw in [0, 1]")
    path = Path(path)
    with replacing(writable_folder(path.parent, "folder of the raw view"), path.name) as (partial,):
        write_image(partial, to_raw(view, black_level, white_level))


def green_of_mosaic(
    mosaic: UInt16[np.ndarray, "height width"], pattern: str = "rggb", white_level: int = WHITE_LEVEL
) -> UInt16[np.ndarray, "half_height half_width"]:
    """The green channel of a mosaic at half its resolution: of each 2 x 2 square the mean of the two greens.

    That mean stands for the middle of the square whichever way the greens lie. Where one of them reaches the
    white level the square does, so that it counts as clipped.

    Raises:
        InputError: a pattern without two greens.
    """
    greens = [index for index, colour in enumerate(pattern.lower()) if colour == "g"]
    if len(pattern) != 4 or len(greens) != 2:
        raise InputError(f"pattern: found {pattern!r}, expected four letters, such as rggb or gbrg")
    height, width = (length // 2 * 2 for length in mosaic.shape)
    first, second = (
        mosaic[index // 2 : height : 2, index % 2 : width : 2].astype(np.uint32) for index in greens
    )
    clipped = np.maximum(first, second) >= white_level
    return np.where(clipped, np.maximum(first, second), (first + second + 1) // 2).astype(np.uint16)


def other_side(
    total: UInt16[np.ndarray, "height width"],
    side: UInt16[np.ndarray, "side_height side_width"],
    black_level: int,
    white_level: int,
) -> UInt16[np.ndarray, "height width"]:
    """The view that a camera leaves out which stores left + right, and one of them: their difference.

        other - black = (total - black) - (side - black).

    Where the total is clipped the other side is not known; it is set to the white level, so that it counts as
    clipped.

    Raises:
        InputError: frames of two sizes, or whose difference cannot be a view.
    """
    check_levels(black_level, white_level)
    if total.shape != side.shape:
        raise InputError(f"the sum is {total.shape} and the side {side.shape}: expected the same shape")
    other = total.astype(np.int64) - side + black_level
    known = total < white_level
    signal = np.abs(total[known].astype(np.int64) - black_level).mean() if known.any() else 0.0
    below = np.mean(other[known] < black_level - max(0.1 * signal, 1)) if known.any() else 1.0
    if below > LARGEST_SHARE_OUTSIDE:
        raise InputError(
            f"the side is brighter than the sum in {below:.0%} of the pixels: expected left + right first, "
            "and then one of the two, both with the same black level"
        )
    other[~known] = white_level
    return np.clip(other, 0, white_level).astype(np.uint16)


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when all went well, 2 when something given cannot be used."""
    parser = argparse.ArgumentParser(
        prog="python -m dpdefocus.raw", description="Left and right view from their sum and one of them."
    )
    parser.add_argument("sum", help="left + right, 16-bit TIFF or PNG")
    parser.add_argument("one", help="one of the two views")
    parser.add_argument("--side", choices=("left", "right"), required=True, help="which one that is")
    parser.add_argument(
        "--mosaic", action="store_true", help="files with one colour per pixel, not demosaiced"
    )
    parser.add_argument("--pattern", default="rggb", help="of the mosaic (default: %(default)s)")
    parser.add_argument("--black-level", type=int, default=BLACK_LEVEL, help="of both (default: %(default)s)")
    parser.add_argument("--white-level", type=int, default=WHITE_LEVEL, help="of both (default: %(default)s)")
    parser.add_argument("--out", nargs=2, default=["left.png", "right.png"], metavar=("LEFT", "RIGHT"))
    given = parser.parse_args(arguments)
    try:
        total, one = read_raw(given.sum, "the sum of both views"), read_raw(given.one, "one view")
        other = other_side(total, one, given.black_level, given.white_level)
        if given.mosaic:
            one, other = (green_of_mosaic(image, given.pattern, given.white_level) for image in (one, other))
        pair = (one, other) if given.side == "left" else (other, one)
        for path, image in zip(map(Path, given.out), pair, strict=True):
            with replacing(writable_folder(path.parent, "out"), path.name) as (partial,):
                write_image(partial, image)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{pair[0].shape[1]} x {pair[0].shape[0]} pixels, in {given.out[0]} and {given.out[1]}")
    return 0
