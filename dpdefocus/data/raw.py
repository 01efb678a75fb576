"""A camera's raw files: levels, the green channel, and the two views out of a sum and one side.

    dpdefocus views sum.tiff side.tiff --side left --mosaic --out left.png right.png

makes left.png and right.png of the two frames of a Canon dual-pixel raw file.

Axes   images are [height, width]; a mosaic has one colour per pixel, in squares of 2 x 2.
Units  raw integers are the sensor's; linear raw is (raw - black level) / white level, in [0, 1].
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt16

from dpdefocus.support.errors import InputError
from dpdefocus.support.files import read_image_16bit, replacing, writable_folder, write_image

# Pixel 4: 14 bits.
BLACK_LEVEL = 1024
WHITE_LEVEL = 2**14 - 1

LARGEST_RAW = 2**16 - 1

# Largest fraction of the pixels in which a side may exceed the sum by more than noise.
LARGEST_SHARE_OUTSIDE = 0.02


def read_raw(path: str | Path, what: str) -> UInt16[np.ndarray, "height width"]:
    """A 16-bit image; of a colour image the green channel, which holds the dual-pixel views.

    Raises:
        InputError: no such file, or not such an image; ``what`` names the expected content in the error.
    """
    image = read_image_16bit(path, what)
    return image if image.ndim == 2 else image[:, :, 1]


def check_levels(black_level: int, white_level: int) -> None:
    """Raises InputError unless both are whole numbers of 16 bits, 0 <= black < white <= 65535."""
    whole = all(isinstance(level, (int, np.integer)) for level in (black_level, white_level))
    if not whole or not 0 <= black_level < white_level <= LARGEST_RAW:
        raise InputError(
            f"black_level {black_level!r}, white_level {white_level!r}: expected whole numbers, "
            f"0 <= black < white <= {LARGEST_RAW}"
        )


def signed_linear(
    raw: UInt16[np.ndarray, "height width"], black_level: int, white_level: int
) -> Float32[np.ndarray, "height width"]:
    """``(raw - black level) / white level``; keeps noise below the black level, so means are unbiased."""
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
    """The green channel of a mosaic at half its resolution: the mean of the two greens of each 2 x 2 square.

    Whatever the pattern, that mean is centred on the square. Where either green reaches the white level, so
    does the result: it counts as clipped.

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
    """The missing view of a camera that stores left + right and one of the two: their difference.

        other - black = (total - black) - (side - black).

    Where the total is clipped the other view is unknown: it is set to the white level, and so counts as
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


def split_views(
    total: UInt16[np.ndarray, "height width"],
    one: UInt16[np.ndarray, "side_height side_width"],
    side: str,
    mosaic: bool = False,
    pattern: str = "rggb",
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> UInt16[np.ndarray, "2 view_height view_width"]:
    """The left and the right view out of their sum and ``one`` of them, the ``side`` "left" or "right".

    Of a ``mosaic`` the green pixels, as `green_of_mosaic` takes them from its ``pattern``.

    Raises:
        InputError: frames that are not a sum and a side of it, another ``side``, or a pattern without two
            greens.
    """
    if side not in ("left", "right"):
        raise InputError(f"side: found {side!r}, expected left or right")
    other = other_side(total, one, black_level, white_level)
    pair = (one, other) if side == "left" else (other, one)
    return np.stack([green_of_mosaic(each, pattern, white_level) if mosaic else each for each in pair])


def split_files(
    total: str | Path,
    one: str | Path,
    side: str,
    out: Sequence[str | Path] = ("left.png", "right.png"),
    mosaic: bool = False,
    pattern: str = "rggb",
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> UInt16[np.ndarray, "2 height width"]:
    """`split_views` of two files, which is also written to the two PNG files ``out``, left and right.

    Raises:
        InputError: as `split_views`; a file that cannot be read or written, or an output that would replace
            an input or the other output.
    """
    paths = [Path(path) for path in out]
    if len({path.resolve() for path in (Path(total), Path(one), *paths)}) < 4:
        raise InputError(
            f"out: {out[0]} and {out[1]} would replace {total}, {one} or each other; expected two other files"
        )
    if any(path.suffix.lower() != ".png" for path in paths):
        raise InputError(f"out: found {out[0]} and {out[1]}, expected names that end in .png")
    frames = read_raw(total, "the sum of both views"), read_raw(one, "one view")
    views = split_views(*frames, side, mosaic, pattern, black_level, white_level)
    for path in paths:
        writable_folder(path.parent, "out")
    for path, view in zip(paths, views, strict=True):
        with replacing(path.parent, path.name) as (partial,):
            write_image(partial, view)
    return views
