"""The result of solving a capture, and its files.

Axes: images [height, width]; layers stored back to front, index 0 = farthest and opaque. Units: the
all-in-focus image is linear raw in [0, 1], as the views; the defocus map and the scales are factors on the
calibrated kernels; seconds are wall time.

Files of a result folder: ``result.npz`` holds everything; ``all_in_focus.png`` is linear, 65535 = 1.0;
``defocus_map.png`` is grey from 0 at the smallest to 65535 at the largest of the result's scales.
"""

import json
import platform
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from dpdefocus import __version__
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder, write_image

NPZ = "result.npz"


def current_versions() -> dict[str, str]:
    """Versions of what a result depends on, to be saved with it."""
    own = {"dpdefocus": __version__, "python": platform.python_version()}
    return own | {package: version(package) for package in ("jax", "jaxlib", "optax", "numpy")}


@dataclass(frozen=True)
class Result:
    """A solved capture: the images, the multiplane image they come from, and how they were made.

    ``confidence`` in [0, 1] says where the defocus map can be trusted. ``intensities`` is None where all
    layers share ``all_in_focus``. ``settings`` must be what JSON can hold.

    Raises:
        InputError: values that are not finite, confidence outside [0, 1], or settings that JSON cannot hold.
    """

    all_in_focus: Float32[np.ndarray, "height width"]
    defocus_map: Float32[np.ndarray, "height width"]
    confidence: Float32[np.ndarray, "height width"]
    scales: Float32[np.ndarray, " layers"]
    alphas: Float32[np.ndarray, "layers layer_height layer_width"]
    seconds: float
    settings: dict[str, Any]
    intensities: Float32[np.ndarray, "layers layer_height layer_width"] | None = None
    versions: dict[str, str] = field(default_factory=current_versions)

    def __post_init__(self) -> None:
        for name, values in self._arrays().items():
            if not np.isfinite(values).all():
                raise InputError(f"{name}: found values that are not finite")
        if self.confidence.min() < 0 or self.confidence.max() > 1:
            raise InputError(
                f"confidence: found {self.confidence.min():.4g} to {self.confidence.max():.4g}, "
                "expected [0, 1]"
            )
        try:
            json.dumps(self.settings, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"settings: {error}; expected what JSON can hold") from error

    def _arrays(self) -> dict[str, np.ndarray]:
        names = ("all_in_focus", "defocus_map", "confidence", "scales", "alphas", "intensities")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


def save_result(result: Result, out_dir: str | Path) -> None:
    """Write ``result.npz``, ``all_in_focus.png`` and ``defocus_map.png``.

    After an error while they are written, the files of an earlier result are unchanged.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = writable_folder(out_dir)
    texts = {name: np.array(json.dumps(getattr(result, name))) for name in ("settings", "versions")}
    # The archive is moved last: where it is, its pictures are.
    with replacing(folder, "all_in_focus.png", "defocus_map.png", NPZ) as (sharp, defocus, npz):
        np.savez_compressed(npz, **result._arrays(), **texts, seconds=np.float64(result.seconds))
        write_image(sharp, _sixteen_bits(result.all_in_focus, 0.0, 1.0))
        smallest, largest = float(result.scales.min()), float(result.scales.max())
        write_image(defocus, _sixteen_bits(result.defocus_map, smallest, largest))


def load_result(path: str | Path) -> Result:
    """Read what ``save_result`` wrote; ``path`` is the folder, or ``result.npz`` itself.

    Raises:
        InputError: no such file, or not a result.
    """
    path = Path(path) / NPZ if Path(path).is_dir() else Path(path)
    existing_file(path, "a saved result")
    try:
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored.files}
        for name in ("settings", "versions"):
            values[name] = json.loads(str(values[name]))
        return Result(**values | {"seconds": float(values["seconds"])})
    except Exception as error:  # damaged archives raise many kinds
        raise InputError(f"{path} is not a saved result ({error}): expected a file by save_result") from error


def _sixteen_bits(image: Float[np.ndarray, "height width"], black: float, white: float) -> np.ndarray:
    """The image as uint16, ``black`` to 0 and ``white`` to 65535, clipped; all black if the two are equal."""
    unit = (image.astype(np.float64) - black) / (white - black) if white > black else np.zeros_like(image)
    return np.round(np.clip(unit, 0, 1) * 65535).astype(np.uint16)
