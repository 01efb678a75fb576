"""Simulated photographs for a calibration, with exact truth: good ones, and bad ones to test errors with.

    dpdefocus chart-photos --out photographs

writes what a user would photograph: the chart, the white and the black screen, and white sheets, as pairs of
16-bit views.

Axes   views = (left, right); photographs [views, height, width], sheets [sheets, views, height, width];
       kernels [rows, cols, views, kernel, kernel] over a central part of the frame, the crop.
Units  linear raw, (raw - black level) / white level; geometry in pixels and millimetres.
Model  view = expose(W (k * (M L_white + (1 - M) L_black))), M the discs' coverage, L the screen's light, W
       the view's vignetting. Each tile of the frame has its own kernel, as in `tiled_blur`; beyond the crop
       the outermost kernels continue.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32
from scipy.signal import fftconvolve

from dpdefocus.calibration.chart import PITCH as DISC_PITCH, Chart, filling, render_chart, save_chart
from dpdefocus.calibration.geometry import Geometry
from dpdefocus.data import capture, loading, raw
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.simulation.camera import Camera, Sensor, pixel4_camera, small_camera
from dpdefocus.simulation.rendering import expose
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import writable_folder
from dpdefocus.support.progress_bar import progress

SHEETS = 6

# A liquid-crystal screen shows black at about this share of white.
BLACK_SCREEN = 0.004

# How much the screen's backlight, and the diffused light on the sheet, dim from the middle to the corners.
BACKLIGHT_FALL = 0.15
SHEET_FALL = 0.03

# Pitch of the discs in kernel widths; where the screen is tilted away it is still one (`chart` says why).
PITCH = 1.07
BAD = ("blank", "other chart", "half out of view", "clipped", "dark", "front of focus")


@dataclass(frozen=True)
class ChartPhotographs:
    """What was photographed, and the truth behind it.

    chart, white, black: the three screens [views, height, width]; sheets: the white sheets.
    sharp: the chart as a pinhole camera without vignetting would see it, at the photographs' brightness.
    coverage: how much of each pixel the discs cover. vignetting: W, of both views.
    kernels: of the crop's grid; geometry: of the whole frame.
    """

    chart: Float32[np.ndarray, "2 height width"]
    white: Float32[np.ndarray, "2 height width"]
    black: Float32[np.ndarray, "2 height width"]
    sheets: Float32[np.ndarray, "sheets 2 height width"]
    sharp: Float32[np.ndarray, "height width"]
    coverage: Float32[np.ndarray, "height width"]
    vignetting: Float32[np.ndarray, "2 height width"]
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"]
    geometry: Geometry
    crop: tuple[int, int]
    sensor: Sensor
    pattern: Chart

    def write(self, folder: str | Path) -> Path:
        """Write the photographs as a camera would, ``chart_left.png`` and so on, and ``truth.npz``."""
        folder = writable_folder(folder, "out")
        levels = self.sensor.black_level, self.sensor.white_level
        shots = {"chart": self.chart, "white": self.white, "black": self.black}
        shots |= {f"sheet{number}": sheet for number, sheet in enumerate(self.sheets, 1)}
        for name, pair in shots.items():
            for view, image in zip(capture.VIEWS, pair, strict=True):
                raw.write_raw(folder / f"{name}_{view}.png", image, *levels)
        save_chart(self.pattern, folder)
        np.savez_compressed(
            folder / "truth.npz",
            kernels=self.kernels,
            vignetting=self.vignetting,
            homography=self.geometry.homography,
            distortion=np.array(self.geometry.distortion),
            settings=np.array(json.dumps(asdict(self.sensor))),
        )
        return folder


def tilted_screen(
    frame: tuple[int, int],
    pixels_per_mm: float,
    tilt: tuple[float, float] = (4.0, -6.0),
    roll: float = 1.5,
    shift: tuple[float, float] = (3.0, -2.0),
    distortion: tuple[float, float] = (0.0, 0.0),
) -> Geometry:
    """A screen in front of a pinhole camera with the Pixel 4's field of view.

    Args:
        pixels_per_mm: at the chart's centre.
        tilt: of the screen about the vertical and the horizontal, degrees.
        roll: of the camera, degrees.
        shift: of the chart's centre from the optical axis, (x, y), millimetres.
    """
    focal = 0.62 * np.hypot(*frame)
    distance = focal / pixels_per_mm
    across, down, around = np.radians([*tilt, roll])
    about_y = [[np.cos(across), 0, np.sin(across)], [0, 1, 0], [-np.sin(across), 0, np.cos(across)]]
    about_x = [[1, 0, 0], [0, np.cos(down), -np.sin(down)], [0, np.sin(down), np.cos(down)]]
    about_z = [[np.cos(around), -np.sin(around), 0], [np.sin(around), np.cos(around), 0], [0, 0, 1]]
    turn = np.array(about_z) @ about_x @ about_y
    camera = np.array([[focal, 0, (frame[1] - 1) / 2], [0, focal, (frame[0] - 1) / 2], [0, 0, 1]])
    homography = camera @ np.stack([turn[:, 0], turn[:, 1], [*shift, distance]], axis=1)
    return Geometry(homography / homography[2, 2], frame, distortion)


def photograph_chart(
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
    crop: tuple[int, int],
    *,
    frame: tuple[int, int] | None = None,
    chart: Chart | None = None,
    geometry: Geometry | None = None,
    vignetting: Float32[np.ndarray, "2 height width"] | None = None,
    brightness: float = 0.6,
    sensor: Sensor = Sensor(),
    seed: int = 0,
) -> ChartPhotographs:
    """Photograph a chart with known kernels.

    Args:
        kernels: over the central `crop` (height, width) of the frame.
        frame: (height, width) of the photographs; by default the crop.
        chart: by default one that fills the frame.
        geometry: by default a tilted screen, at the distance at which discs are `PITCH` kernel widths apart.
        vignetting: of each view, at most 1; by default smooth, strong, and different in the two.
        brightness: linear raw of the white screen at its brightest.

    Raises:
        InputError: sizes that do not fit together.
    """
    frame = crop if frame is None else frame
    if any(part > whole for part, whole in zip(crop, frame, strict=True)):
        raise InputError(f"photograph_chart: crop {crop} is larger than the frame {frame}")
    if geometry is None:
        pitch = DISC_PITCH if chart is None else chart.pitch
        geometry = tilted_screen(frame, pixels_per_mm=PITCH * kernels.shape[-1] / pitch)
    if geometry.frame != frame:
        raise InputError(f"photograph_chart: the geometry's frame is {geometry.frame}, expected {frame}")
    if chart is None:
        chart = filling(_page(geometry), dpi=92.0)
    if vignetting is None:
        vignetting = smooth_vignetting(frame)

    halo = kernels.shape[-1] // 2
    height, width = (length + 2 * halo for length in frame)
    x = (np.arange(width) - halo - 0.6 * frame[1]) / np.hypot(*frame)
    y = (np.arange(height)[:, None] - halo - 0.45 * frame[0]) / np.hypot(*frame)
    white = (brightness * (1 - 4 * BACKLIGHT_FALL * (x**2 + y**2))).astype(np.float32)
    black = BLACK_SCREEN * white
    coverage = render_chart(chart, geometry, margin=halo)
    sharp = coverage * white + (1 - coverage) * black
    sheet = brightness * (1 - 4 * SHEET_FALL * (x**2 + (y - 0.1) ** 2)).astype(np.float32)

    key, inner = jax.random.key(seed), (slice(halo, halo + frame[0]), slice(halo, halo + frame[1]))
    chart_seen, white_seen = (
        blur_frame(light, kernels, crop) for light in progress([sharp, white], "chart photographs")
    )
    seen = [chart_seen, white_seen, BLACK_SCREEN * white_seen] + [np.stack(2 * [sheet[inner]])] * SHEETS
    shots = []
    for number, light in enumerate(seen):
        exposed = expose(jnp.asarray(vignetting * light), jax.random.fold_in(key, number), sensor)
        shots.append(np.asarray(exposed, np.float32))
    return ChartPhotographs(
        *shots[:3],
        np.stack(shots[3:]),
        sharp[inner],
        coverage[inner],
        vignetting,
        kernels,
        geometry,
        crop,
        sensor,
        chart,
    )


def blur_frame(
    sharp: Float32[np.ndarray, "padded_height padded_width"],
    kernels: Float32[np.ndarray, "rows cols 2 kernel kernel"],
    crop: tuple[int, int],
) -> Float32[np.ndarray, "2 height width"]:
    """Blur a frame, given with a margin of half a kernel, tile by tile: the tiles of its central crop.

    The outermost tiles extend to the frame's border. Independent of `tiled_blur.blur`, so that the
    calibration's test photographs do not come from the solver's own program.
    """
    rows, cols, views, size, _ = kernels.shape
    frame = sharp.shape[0] - size + 1, sharp.shape[1] - size + 1
    tiling = tiling_of(*crop, kernels)
    tops = _edges(frame[0], crop[0], rows, tiling.tile_height)
    lefts = _edges(frame[1], crop[1], cols, tiling.tile_width)
    blurred = np.empty((views, *frame), np.float32)
    for row in range(rows):
        for col in range(cols):
            top, bottom, left, right = *tops[row : row + 2], *lefts[col : col + 2]
            window = sharp[top : bottom + size - 1, left : right + size - 1]
            for view in range(views):
                tile = fftconvolve(window, kernels[row, col, view], mode="valid")
                blurred[view, top:bottom, left:right] = tile
    return blurred


def smooth_vignetting(frame: tuple[int, int]) -> Float32[np.ndarray, "2 height width"]:
    """Vignetting like the Pixel 4's: both views dim towards the corners, each more towards one side."""
    y, x = (np.linspace(-1, 1, length, dtype=np.float32) * length / np.hypot(*frame) for length in frame)
    x, y = x[None, :], y[:, None]
    common = 1 / (1 + 0.55 * (x**2 + y**2)) ** 2
    left, right = 1 - 0.22 * x + 0.05 * y, 0.88 + 0.20 * x - 0.04 * y
    return (np.stack([common * left, common * right]) / 1.15).astype(np.float32)


def bad_photographs(good: ChartPhotographs, kind: str, seed: int = 1) -> ChartPhotographs:
    """The same camera and screen, with one of the mistakes in `BAD`.

    Raises:
        InputError: an unknown kind.
    """

    def again(**changes):
        options = {"geometry": good.geometry, "vignetting": good.vignetting, "chart": good.pattern}
        kernels = changes.pop("kernels", good.kernels)
        options |= {"frame": good.geometry.frame, "sensor": good.sensor, "seed": seed} | changes
        return replace(photograph_chart(kernels, good.crop, **options), pattern=good.pattern)

    if kind == "blank":
        return replace(good, chart=good.white)
    if kind == "other chart":
        return again(chart=replace(good.pattern, radius=0.5 * good.pattern.radius))
    if kind == "half out of view":
        left = np.array([[1.0, 0.0, -0.6 * good.geometry.frame[1]], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
        moved = Geometry(left @ good.geometry.homography, good.geometry.frame, good.geometry.distortion)
        return again(geometry=moved)
    if kind == "clipped":
        return again(brightness=3.0)
    if kind == "dark":
        return again(brightness=0.002)
    if kind == "front of focus":
        return again(kernels=np.ascontiguousarray(good.kernels[..., ::-1, ::-1]))
    raise InputError(f"kind: found {kind!r}, expected one of {', '.join(BAD)}")


def kernels_seen_from(
    truth: ChartPhotographs, found: Geometry
) -> Float32[np.ndarray, "rows cols 2 kernel kernel"]:
    """The true kernels as they appear under another geometry of the chart.

    A geometry that is d pixels off at a cell shifts its kernels by -d, both views alike. The shift is made in
    the Fourier domain, at the centre of each cell; what leaves the field is lost, and the rest is normalised
    to unit sum.
    """
    rows, cols, _, size, _ = truth.kernels.shape
    tiling = tiling_of(*truth.crop, truth.kernels)
    frame = truth.geometry.frame
    top, left = ((whole - part) // 2 for whole, part in zip(frame, truth.crop, strict=True))
    y = top + (np.arange(rows) + 0.5) * tiling.tile_height - 0.5
    x = left + (np.arange(cols) + 0.5) * tiling.tile_width - 0.5
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    shift = (found.to_image(truth.geometry.to_chart(points)) - points).reshape(rows, cols, 2)
    around = int(np.ceil(np.abs(shift).max())) + 1
    padded = np.pad(truth.kernels, [(0, 0)] * 3 + [(around, around)] * 2)
    phase = np.exp(2j * np.pi * np.fft.fftfreq(size + 2 * around) * shift[..., None])
    spectra = np.fft.fft2(padded) * (phase[..., 1, :, None] * phase[..., 0, None, :])[:, :, None]
    seen = np.fft.ifft2(spectra).real[..., around:-around, around:-around]
    return (seen / seen.sum((-2, -1), keepdims=True)).astype(np.float32)


def _edges(frame: int, crop: int, tiles: int, length: int) -> list[int]:
    """Where the crop's tiles begin and end along one axis; the outer ones reach the frame's border."""
    start = (frame - crop) // 2
    return [0, *(start + length * tile for tile in range(1, tiles)), frame]


def _page(geometry: Geometry) -> tuple[float, float]:
    """A page (mm) whose chart more than fills the frame."""
    height, width = geometry.frame
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    width_mm, height_mm = 2.1 * np.abs(geometry.to_chart(corners)).max(0)
    return float(width_mm), float(height_mm)


def simulate_photographs(
    data_dir: str | Path = "", small: bool = False, bad: str = "", seed: int = 0
) -> ChartPhotographs:
    """Photographs by a camera with its own kernels and vignetting.

    Args:
        data_dir: folder of the Pixel 4 set, whose kernels are used; without it those of a simulated camera.
        small: the simulated camera is one with a frame of 252 x 336 pixels, not one like the Pixel 4.
        bad: one of the mistakes in `BAD`, or none.
        seed: of the noise.

    Raises:
        InputError: both ``data_dir`` and ``small``, an unknown mistake, or a folder without kernels.
    """
    if data_dir and small:
        raise InputError("small: given together with data_dir, whose frame is the Pixel 4's; expected one")
    if bad and bad not in BAD:
        raise InputError(f"bad: found {bad!r}, expected one of {', '.join(BAD)}")
    good = _simulated(data_dir, small, seed)
    return bad_photographs(good, bad, seed + 1) if bad else good


def _simulated(data_dir: str | Path, small: bool, seed: int) -> ChartPhotographs:
    """Good photographs by the camera that is asked for."""
    if data_dir:
        calibration = loading.load_calibration(Path(data_dir) / "calibration")
        white = calibration.white
        dimmed = smooth_vignetting(capture.PIXEL4_FRAME) if white is None else white / white.max()
        return photograph_chart(
            calibration.kernels, capture.PIXEL4_CROP, frame=capture.PIXEL4_FRAME, vignetting=dimmed, seed=seed
        )
    camera: Camera = small_camera() if small else pixel4_camera()
    frame = (252, 336) if small else capture.PIXEL4_CROP
    kernels = np.asarray(camera.calibration_kernels, np.float32)
    dimmed = np.asarray(camera.vignetting(*frame), np.float32)
    return photograph_chart(kernels, frame, vignetting=dimmed, seed=seed)
