"""The Pixel 4 scenes of the paper: download, list, read."""

import dataclasses
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pooch

from dpdefocus.data.capture import PIXEL4_CROP, Calibration, Capture, GroundTruth
from dpdefocus.data.loading import check_same_shape, load_capture
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import read_image, read_image_16bit, writable_folder
from dpdefocus.support.progress_bar import progress

PIXEL4_URL = (
    "https://raw.githubusercontent.com/cmu-ci-lab/dual_pixel_defocus_estimation_deblurring/"
    "d6a92620163cb462ff5b77a813bc5c03b0dab240/DP_data_pixel_4/"
)


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
    check_same_shape(paths, [sharp, defocus])
    return GroundTruth(
        sharp.astype(np.float32) / np.float32(65535),
        defocus.astype(np.float32) / np.float32(255),
        defocus > 0,
    )


def list_scenes(data_dir: str | Path) -> list[str]:
    """The scenes whose two views are both in the folder."""
    names = {path.name.removesuffix("_left.png") for path in Path(data_dir).glob("*_left.png")}
    return sorted(name for name in names if (Path(data_dir) / f"{name}_right.png").is_file())


def fetch_pixel4(
    data_dir: str | Path, scenes: Sequence[str] | None = None, base_url: str = PIXEL4_URL
) -> Path:
    """Download the Pixel 4 set, or some ``scenes`` of it, from its authors' repository into a folder.

    A scene is about 9 MB. Each file is checked against its SHA-256; intact files that are there are kept. The
    set has no licence: you may not pass it on.

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
    registry = importlib.resources.files("dpdefocus.data").joinpath("pixel4-registry.txt")
    lines = registry.read_text().splitlines()
    return {name: f"sha256:{digest}" for digest, name in (line.split() for line in lines)}


def _scene_folder(data_dir: str | Path, scene: str) -> Path:
    folder = Path(data_dir)
    if not folder.is_dir():
        raise InputError(f"data_dir: the folder {folder} does not exist")
    scenes = list_scenes(folder)
    if scene not in scenes:
        found = f"found the scenes {', '.join(scenes)}" if scenes else "found no files such as 001_left.png"
        raise InputError(f"scene {scene!r} is not in {folder}: {found}")
    return folder
