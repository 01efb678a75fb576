"""Captures with truth, to be solved and scored: simulated ones, and those of the Pixel 4 set."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dpdefocus.data import pixel4
from dpdefocus.data.capture import Calibration, Capture, GroundTruth
from dpdefocus.optics.lens import PIXEL4, PIXEL4_CALIBRATION_DISTANCE, Lens
from dpdefocus.optics.pupil import field_varying
from dpdefocus.paper.settings import PublishedSettings
from dpdefocus.simulation import simulate
from dpdefocus.simulation.camera import Camera, Sensor, dioptres_at_scale
from dpdefocus.simulation.scenes import cards, tabletop
from dpdefocus.support.errors import InputError


def tiny_camera(gain: float = Sensor.gain) -> Camera:
    """The Pixel 4's camera with pixels of four times the pitch: kernels of 17 pixels on a 2 x 3 grid.

    `gain` is the linear raw value of one photo-electron: noise variance per unit of light.
    """
    lens = Lens(PIXEL4.focal_length, PIXEL4.f_number, PIXEL4.focus_distance, 4 * PIXEL4.pixel_pitch)
    pupil = field_varying(2, 3, samples=97)
    return Camera(lens, pupil, Sensor(gain=gain), PIXEL4_CALIBRATION_DISTANCE, 17)


# Photon noise of the variance that the published constants are made for: σ² at middle grey for views whose
# maximum, here about 0.8, is one.
PUBLISHED_GAIN = 2 * PublishedSettings.noise_variance * 0.8
NEAREST, FARTHEST = 0.1, 1.4  # defocus sizes of the synthetic scenes
KINDS = {"cards": cards, "tabletop": tabletop}


class Case(NamedTuple):
    """A capture with all that is needed to solve and score it."""

    name: str
    capture: Capture
    calibration: Calibration
    truth: GroundTruth


def synthetic(kind: str, seed: int, height: int, width: int, camera: Camera) -> Case:
    """One capture of a scene in `KINDS`, whose sizes lie between `NEAREST` and `FARTHEST`."""
    if kind not in KINDS:
        raise InputError(f"kind: found {kind!r}, expected one of {', '.join(KINDS)}")
    far, near = (dioptres_at_scale(camera, scale) for scale in (FARTHEST, NEAREST))
    scene = KINDS[kind](seed, height, width, camera.kernel_size // 2, far, near)
    shot = simulate.photograph(scene, camera, seed)
    name = f"{kind} {seed}"
    truth = GroundTruth(shot.all_in_focus, shot.defocus_map, shot.valid)
    return Case(name, Capture(shot.views, name, shot.saturated), Calibration(shot.kernels), truth)


def pixel4_cases(folder: str | Path, scenes: Sequence[str] = ()) -> Iterator[Case]:
    """Scenes of the Pixel 4 set with their truth; all that are in the folder if none are named.

    Raises:
        InputError: no scenes there.
    """
    scenes = scenes or pixel4.list_scenes(folder)
    if not scenes:
        raise InputError(f"{folder}: found no scenes; expected the folder of the Pixel 4 set")
    for scene in scenes:
        yield Case(scene, *pixel4.load_pixel4(folder, scene), pixel4.load_ground_truth(folder, scene))
