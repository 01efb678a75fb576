"""Saved outputs of other methods, learned ones above all, read so that they are scored in the same table.

A method's folder holds, for each scene, one of

    <scene>.npz                  arrays `all_in_focus` and `defocus_map`, or one of them
    <scene>/all_in_focus.png     and `defocus_map.png`, or one of them, as `data.save_result` writes them

Axes: images [height, width], of the capture's size. Units: the all-in-focus image is linear, in the scale
of the mean of the views, 1.0 being 65535 in a PNG of 16 bits; the defocus map has any affine scale, in a
PNG of 8 or 16 bits. Of colour files the green channel is read, as it is of captures.
"""

import zipfile
from pathlib import Path

import numpy as np

from dpdefocus.baselines.methods import Estimate
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import read_image, read_image_16bit

IMAGES = Estimate._fields


def saved_scenes(folder: str | Path) -> list[str]:
    """The scenes of which the folder holds an output.

    Raises:
        InputError: no such folder, or nothing of this layout in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"saved outputs: the folder {folder} does not exist")
    names = {path.stem for path in folder.glob("*.npz")}
    names |= {path.parent.name for name in IMAGES for path in folder.glob(f"*/{name}.png")}
    if not names:
        raise InputError(
            f"saved outputs: {folder} holds neither <scene>.npz nor <scene>/all_in_focus.png or "
            "<scene>/defocus_map.png; expected one of these for each scene"
        )
    return sorted(names)


def load_saved(folder: str | Path, scene: str, shape: tuple[int, int]) -> Estimate:
    """What a method saved of one scene; `shape` is the capture's height and width.

    Raises:
        InputError: nothing saved of this scene, both kinds of file, or images that do not fit; names it.
    """
    folder = Path(folder)
    if scene not in (found := saved_scenes(folder)):
        raise InputError(f"saved outputs: scene {scene!r} is not in {folder}: found {', '.join(found)}")
    npz = folder / f"{scene}.npz"
    pngs = {name: folder / scene / f"{name}.png" for name in IMAGES}
    there = {name: path for name, path in pngs.items() if path.is_file()}
    if npz.is_file() and there:
        raise InputError(
            f"saved outputs: found both {npz} and {folder / scene}; remove the one that is out of date"
        )
    images = (
        _from_npz(npz) if npz.is_file() else {name: _from_png(name, path) for name, path in there.items()}
    )
    for name, image in images.items():
        where = npz if npz.is_file() else there[name]
        if image.shape != shape:
            raise InputError(
                f"{where}: found {name} of {image.shape}, expected that of the capture, {shape}. "
                "Resize it, or crop it the way the capture is"
            )
        if not np.isfinite(image).all():
            raise InputError(f"{where}: found values in {name} that are not finite")
    return Estimate(**{name: images.get(name) for name in IMAGES})


def _from_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            images = {name: np.asarray(stored[name], np.float32) for name in IMAGES if name in stored.files}
            found = stored.files
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is damaged or holds no plain arrays ({error}): save it with numpy.savez"
        ) from error
    if not images:
        raise InputError(f"{path}: found the arrays {found}, expected {' or '.join(IMAGES)}")
    return images


def _from_png(name: str, path: Path) -> np.ndarray:
    if name == "all_in_focus":
        image, white = read_image_16bit(path, "an all-in-focus image"), 65535
    else:
        image = read_image(path, "a defocus map")
        white = np.iinfo(image.dtype).max
    image = image[..., 1] if image.ndim == 3 else image
    return image.astype(np.float32) / np.float32(white)
