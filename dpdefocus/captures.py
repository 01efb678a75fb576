"""The capture that a lesson's parameters name: simulated, of the Pixel 4 set, or the user's own.

Axes and units as in `data`: views [views, height, width], linear raw in [0, 1].
"""

from pathlib import Path
from typing import NamedTuple

from dpdefocus.data.capture import Calibration, Capture, GroundTruth
from dpdefocus.data.loading import load_capture
from dpdefocus.data.pixel4 import load_ground_truth, load_pixel4
from dpdefocus.data.raw import BLACK_LEVEL, WHITE_LEVEL
from dpdefocus.simulation import simulate
from dpdefocus.support.errors import InputError

SYNTHETIC = "synthetic"


class Opened(NamedTuple):
    """A capture, its calibration, and its truth where it is known."""

    capture: Capture
    calibration: Calibration
    truth: GroundTruth | None


def open_capture(
    data_dir: str = "",
    scene: str | int = SYNTHETIC,
    left: str = "",
    right: str = "",
    calibration_dir: str = "",
    seed: int = 0,
    black_level: int = BLACK_LEVEL,
    white_level: int = WHITE_LEVEL,
) -> Opened:
    """Open a capture of one of three kinds: a Pixel 4 scene, the user's own, or a simulated one.

    Args:
        data_dir, scene: folder of the Pixel 4 set and a scene's number in it, such as ``"001"``; the integer
            1, which papermill's command line makes of it, serves as well.
        left, right, calibration_dir: files of the user's own views, and the folder of their calibration.
        seed: of the simulated capture, which is opened when nothing else is given.
        black_level, white_level: of the user's own views and of their calibration.

    Raises:
        InputError: arguments of two kinds, only some arguments of one kind, or files that do not fit.
    """
    scene = f"{scene:03d}" if isinstance(scene, int) else scene
    own = {"left": left, "right": right, "calibration_dir": calibration_dir}
    if any(own.values()):
        missing = [name for name, value in own.items() if not value]
        if missing:
            raise InputError(
                f"{', '.join(missing)}: not given; expected left, right and calibration_dir together"
            )
        if data_dir or scene != SYNTHETIC:
            raise InputError(
                "data_dir, scene: given together with left and right; expected a scene of the Pixel 4 set or "
                "a capture of your own, not both"
            )
        return Opened(*load_capture(left, right, calibration_dir, black_level, white_level), None)
    if scene != SYNTHETIC:
        if not data_dir:
            raise InputError(
                f"data_dir: not given; expected the folder of the Pixel 4 set, to find scene {scene!r} in"
            )
        known = (Path(data_dir) / "gt_defocus_map" / f"{scene}_gt.png").is_file()
        return Opened(*load_pixel4(data_dir, scene), load_ground_truth(data_dir, scene) if known else None)
    if data_dir:
        raise InputError(
            f"scene: found {SYNTHETIC!r}, expected the number of a scene in data_dir, such as '001'"
        )
    shot = simulate.demo_capture(seed)
    return Opened(
        Capture(shot.views, SYNTHETIC, shot.saturated),
        Calibration(shot.kernels),
        GroundTruth(shot.all_in_focus, shot.defocus_map, shot.valid),
    )
