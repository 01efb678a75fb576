"""The photographs that a calibration is made from: pairs of views in one folder, read and checked.

Files are chart_left.png and chart_right.png, likewise white_... and black_... (the screens) and sheet1_...,
sheet2_... (white sheets through a diffuser). Several of a kind, chart1_..., chart2_..., are averaged.

Axes   views = (left, right); photographs [views, height, width] of the whole frame.
Units  linear raw, (raw - black level) / white level, noise below zero kept.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dpdefocus.calibration.failure import StepError, picture_of
from dpdefocus.data import loading, raw
from dpdefocus.data.raw import check_levels, read_raw, signed_linear
from dpdefocus.support.errors import InputError

SCREENS = ("chart", "white", "black")

# Largest fraction of clipped pixels in a photograph; they are left out of the fit.
CLIPPED_SHARE = 1e-3

# Mean light, in linear raw: below the first nothing can be calibrated (an error of the black level is as
# large), below the second there is more noise than necessary.
DARKEST, DIM = 0.01, 0.08


@dataclass(frozen=True)
class Photographs:
    """What a calibration is made from; `ceiling` is the linear raw value of the white level."""

    chart: Float32[np.ndarray, "2 height width"]
    white: Float32[np.ndarray, "2 height width"]
    black: Float32[np.ndarray, "2 height width"]
    sheets: Float32[np.ndarray, "sheets 2 height width"]
    ceiling: float

    @property
    def frame(self) -> tuple[int, int]:
        return self.chart.shape[1:]


def read_photographs(
    folder: str | Path, black_level: int = raw.BLACK_LEVEL, white_level: int = raw.WHITE_LEVEL
) -> Photographs:
    """Read the photographs of a folder, PNG or TIFF, the green channel of colour; names as stated above.

    Raises:
        InputError: missing or unreadable files, or of different sizes; names them.
    """
    folder = Path(folder)
    check_levels(black_level, white_level)
    if not folder.is_dir():
        raise InputError(f"photographs: the folder {folder} does not exist")
    pairs = {name: _pairs(folder, name) for name in (*SCREENS, "sheet")}
    first = pairs[SCREENS[0]][0][0]
    shape = read_raw(first, "a photograph of the chart").shape

    def read(path: Path, what: str) -> np.ndarray:
        image = read_raw(path, what)
        if image.shape != shape:
            raise InputError(
                f"{path} is {image.shape} and {first} {shape}: expected the same shape of all photographs"
            )
        return signed_linear(image, black_level, white_level)

    def stack(name: str) -> np.ndarray:
        what = "a photograph of the " + (f"{name} screen" if name != "sheet" else "white sheet")
        return np.stack([np.stack([read(path, what) for path in pair]) for pair in pairs[name]])

    ceiling = (white_level - black_level) / white_level
    screens = {}
    for name in SCREENS:
        shots = stack(name)
        # A mean over clipped and unclipped values would no longer show that some were clipped.
        screens[name] = np.where((shots >= ceiling).any(0), np.float32(1), shots.mean(0))
    return Photographs(**screens, sheets=stack("sheet"), ceiling=ceiling)


def check_exposure(photographs: Photographs, crop: tuple[int, int]) -> list[str]:
    """Check that the screens are neither clipped nor dark; returns warnings about weak exposure.

    Raises:
        StepError: clipped, or dark.
    """
    warnings = []
    for name in SCREENS:
        pair = getattr(photographs, name)
        clipped = loading.centre(np.any(pair >= photographs.ceiling, axis=0), crop)
        if clipped.mean() > CLIPPED_SHARE:
            raise StepError(
                "exposure",
                f"{clipped.mean():.1%} of the {name} photographs' pixels are saturated, at the white level; "
                f"expected less than {CLIPPED_SHARE:.1%}. Expose less, or dim the screen",
                picture_of(loading.centre(pair.mean(0), crop) / photographs.ceiling),
            )
        if clipped.any():
            warnings.append(f"{np.count_nonzero(clipped)} saturated pixels in the {name} photographs")
    above = loading.centre((photographs.white - photographs.black).mean(0), crop)
    if above.mean() < DARKEST:
        raise StepError(
            "exposure",
            f"too dark: the white screen is {above.mean():.4f} of the range above the black one, expected "
            f"{DIM} or more. Expose longer, and check that white and black are not mixed up",
            picture_of(np.clip(above / max(float(above.max()), 1e-6), 0, 1)),
        )
    if above.mean() < DIM:
        warnings.append(
            f"rather dark: the white screen is {above.mean():.3f} of the range, better {DIM} or more"
        )
    return warnings


def _pairs(folder: Path, name: str) -> list[tuple[Path, Path]]:
    """Files (left, right) of each shot of a kind: chart_left.png, or chart1_left.png, chart2_left.png, ..."""
    pattern = re.compile(rf"{name}\d*_left\.(png|tif|tiff|pgm)", re.IGNORECASE)
    lefts = sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    if not lefts:
        raise InputError(
            f"{folder} holds no {name}_left.png and {name}_right.png (or {name}1_left.png, ...; .tif, .pgm): "
            "expected pairs of chart, white, black and sheet1, sheet2, ..."
        )
    return [
        (left, left.with_name(re.sub("_left", "_right", left.name, flags=re.IGNORECASE))) for left in lefts
    ]
