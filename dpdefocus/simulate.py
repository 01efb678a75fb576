"""Dual-pixel captures of a scene, with exact truth: rendering, sensor, and what a solver is scored against.

Axes   views = (left, right); surfaces and slices back to front. Scenes are [surfaces, height, width] with a
       margin, captures [views, height, width] without. Kernels [slices, rows, cols, views, kernel, kernel].
Units  linear raw in [0, 1]: (raw - black level) / white level, as `data` reads it. Defocus radii in pixels;
       defocus scales are radii over the radius that the calibration kernels have (their scale is 1).
Model  a surface at one depth is blurred by one kernel, as in eq. (2). A slanted or curved one is cut into
       slices of nearly equal radius, which share each point linearly; the slices' blurred textures and mattes
       are added, and divided by the blur of the whole plane, so that a surface of constant radiance stays
       constant.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int32, PRNGKeyArray

from dpdefocus import data, mpi, scenes
from dpdefocus.blur import tiling_of
from dpdefocus.errors import InputError
from dpdefocus.lens import PIXEL4, PIXEL4_CALIBRATION_DISTANCE, CalibratedPupil, Lens, Pupil, field_varying

__all__ = [
    "Sensor",
    "Camera",
    "Simulated",
    "pixel4_camera",
    "small_camera",
    "photograph",
    "demo_capture",
    "four_depths",
]

# Surfaces are cut into slices that differ by no more than this in defocus radius (pixels).
SLICE_STEP = 0.5
# A pixel is unmixed where one surface gives it at least this share of its light.
UNMIXED = 0.99
# Photo-electrons are drawn from a normal distribution instead of Poisson's where nobody could tell: above so
# many of them, or under a read noise of so many, the total's skewness is below 0.03.
MANY_PHOTONS = 1000.0
NORMAL_READ_NOISE = 15.0
# Kernels calibrated at a smaller defocus radius (pixels) than this have no shape to scale.
LEAST_CALIBRATION_RADIUS = 0.5


@dataclass(frozen=True)
class Sensor:
    """A raw sensor: Poisson-Gaussian noise, black level, quantisation and saturation.

    The variance of a linear raw value x is `gain x + read_noise^2`. The defaults were measured on the Pixel
    4's released captures (local second differences against the mean), which are averages of bursts and so
    rather clean.

    Args:
        gain: linear raw value of one photo-electron, so the variance per unit of signal.
        read_noise: standard deviation in linear raw value.
        black_level, white_level: in digital numbers; values are clipped at the white level.
    """

    gain: float = 1.1e-6
    read_noise: float = 1.1e-4
    black_level: int = 1024
    white_level: int = 2**14 - 1

    def __post_init__(self):
        if not self.gain > 0 or not self.read_noise >= 0:
            raise InputError(
                f"Sensor: gain {self.gain}, read_noise {self.read_noise}; expected gain > 0 and "
                "read_noise >= 0."
            )
        if not 0 <= self.black_level < self.white_level < 2**16:
            raise InputError(
                f"Sensor: black_level {self.black_level}, white_level {self.white_level}; expected "
                "0 <= black_level < white_level < 65536."
            )


@dataclass(frozen=True)
class Camera:
    """Lens, pupil and sensor, and the distance at which its calibration kernels are taken.

    Args:
        lens: fixes the defocus radius of each depth.
        pupil: shapes the kernels over the field.
        sensor: noise and raw levels.
        calibration_distance: metres; a point there has defocus scale 1.
        kernel_size: odd, pixels; the simulator refuses scenes whose blur is larger.
    """

    lens: Lens
    pupil: Pupil | CalibratedPupil
    sensor: Sensor
    calibration_distance: float
    kernel_size: int

    def __post_init__(self):
        if (
            self.calibration_distance <= self.lens.focal_length
            or abs(self.calibration_radius) < LEAST_CALIBRATION_RADIUS
        ):
            raise InputError(
                f"Camera: calibration_distance is {self.calibration_distance} m; expected a distance beyond "
                f"the focal length ({self.lens.focal_length} m) other than the focus distance "
                f"({self.lens.focus_distance} m)."
            )

    @property
    def calibration_radius(self) -> float:
        """Signed defocus radius, in pixels, of the calibration kernels."""
        return float(self.lens.radius(1.0 / self.calibration_distance))

    @property
    def calibration_kernels(self) -> Float[Array, "rows cols views kernel kernel"]:
        """The kernels at scale 1, as a solver is given them."""
        return self.pupil.kernels([self.calibration_radius], self.kernel_size)[0]

    def vignetting(self, height: int, width: int) -> Float[Array, "views height width"]:
        """Relative illumination of either view, interpolated between the centres of the pupil's grid."""
        grid = jnp.moveaxis(jnp.asarray(self.pupil.vignetting, jnp.float32), -1, 0)
        return jnp.clip(jax.image.resize(grid, (2, height, width), "cubic"), 0.05, 1.0)


@dataclass(frozen=True)
class Simulated:
    """A simulated capture and its exact truth, all as arrays on the host.

    views: as `data.load_capture` gives them; both carry the left view's vignetting. `clean_views` (without
        noise), `all_in_focus` and `intensities` are in the same linear scale.
    raw: what the sensor gives, before any correction; may be negative, below the black level.
    vignetting: relative illumination of each view; multiplies the rendered views.
    defocus_map: signed scale of what is seen, `sum_i t_i d_i`: soft where a matte is.
    labels: the surface that is seen most in each pixel: the front-most whose matte is a half or more.
    intensities, alphas, surface_scales: the surfaces themselves, each also where it is hidden.
    occlusion: pixels of each view whose light comes from more than one surface.
    valid: pixels that show one surface and are not saturated: there the defocus map has one value.
    kernels: the calibration, at scale 1.
    """

    views: Float[np.ndarray, "views height width"]
    clean_views: Float[np.ndarray, "views height width"]
    raw: Float[np.ndarray, "views height width"]
    vignetting: Float[np.ndarray, "views height width"]
    all_in_focus: Float[np.ndarray, "height width"]
    defocus_map: Float[np.ndarray, "height width"]
    labels: Int32[np.ndarray, "height width"]
    intensities: Float[np.ndarray, "surfaces height width"]
    alphas: Float[np.ndarray, "surfaces height width"]
    surface_scales: Float[np.ndarray, "surfaces height width"]
    occlusion: Bool[np.ndarray, "views height width"]
    valid: Bool[np.ndarray, "height width"]
    saturated: Bool[np.ndarray, "height width"]
    kernels: Float[np.ndarray, "rows cols views kernel kernel"]
    camera: Camera
    scene: scenes.Scene
    seed: int

    def write(self, folder) -> Path:
        """Write the capture as a camera would: `left.png`, `right.png` and `calibration/` under `folder`."""
        folder = Path(folder)
        sensor = self.camera.sensor
        white = self.vignetting * np.float32(0.8 * (1 - sensor.black_level / sensor.white_level))
        calibration = data.Calibration(kernels=self.kernels, white=white)
        data.save_calibration(calibration, folder / "calibration", sensor.black_level, sensor.white_level)
        for name, view in zip(data.VIEWS, self.raw, strict=True):
            data.write_raw(folder / f"{name}.png", view, sensor.black_level, sensor.white_level)
        return folder


def pixel4_camera(rows: int = 6, cols: int = 8) -> Camera:
    """A camera like the Pixel 4's, for frames of 1008 x 1344 pixels: kernels of 61 pixels on a 6 x 8 grid."""
    return Camera(PIXEL4, field_varying(rows, cols), Sensor(), PIXEL4_CALIBRATION_DISTANCE, 61)


def small_camera(rows: int = 3, cols: int = 4) -> Camera:
    """The same camera with pixels of twice the pitch: blur of half the size, for small frames and short
    lessons."""
    lens = Lens(PIXEL4.focal_length, PIXEL4.f_number, PIXEL4.focus_distance, 2 * PIXEL4.pixel_pitch)
    return Camera(lens, field_varying(rows, cols, samples=97), Sensor(), PIXEL4_CALIBRATION_DISTANCE, 31)


def demo_capture(seed: int = 0, height: int = 252, width: int = 336) -> Simulated:
    """A small capture of cards at six depths, from 0.1 to 1.4 times the calibrated blur, behind the focus
    plane."""
    camera = small_camera()
    far, near = (dioptres_at_scale(camera, scale) for scale in (1.4, 0.1))
    scene = scenes.cards(seed, height, width, camera.kernel_size // 2, far, near)
    return photograph(scene, camera, seed)


def four_depths(
    seed: int = 0, height: int = 240, width: int = 320, sensor: Sensor | None = None
) -> Simulated:
    """A small capture of four textured surfaces side by side, from 0.1 to 1.4 times the calibrated blur."""
    camera = small_camera()
    if sensor is not None:
        camera = replace(camera, sensor=sensor)
    dioptres = [dioptres_at_scale(camera, scale) for scale in np.linspace(1.4, 0.1, 4)]
    texture = scenes.natural(np.random.default_rng(seed), (height, width))
    steps = np.asarray(dioptres)[np.arange(width) * 4 // width]
    margin = camera.kernel_size // 2
    scene = scenes.from_image(texture, np.broadcast_to(steps, (height, width)), margin, layers=4)
    return photograph(scene, camera, seed)


def photograph(scene: scenes.Scene, camera: Camera, seed: int) -> Simulated:
    """One dual-pixel capture of a scene, with its truth. Deterministic for a seed.

    Raises:
        InputError: a scene whose blur the camera's kernels cannot hold, or whose margin is too small.
    """
    slices = slice_counts(scene.mattes, np.asarray(camera.lens.radius(scene.dioptres), np.float32))
    surfaces, at, kernels = prepare(scene, camera, camera.lens, slices)
    textures, mattes, radii = surfaces
    vignetting = camera.vignetting(*scene.frame)
    clean, raw, unmixed = (
        np.asarray(array)
        for array in form_capture(
            *surfaces, at, kernels, vignetting, jax.random.key(seed), slices, camera.sensor
        )
    )

    # What the loader does to the written files: no negative light, and the left view's vignetting in both.
    vignetting = np.asarray(vignetting)
    views = np.maximum(raw, 0)
    views[1] *= vignetting[0] / vignetting[1]
    frame = _frame(camera.kernel_size // 2)
    intensities, alphas = textures[frame] * vignetting[0], mattes[frame]
    scales = radii[frame] / np.float32(camera.calibration_radius)
    transmittance = np.asarray(mpi.transmittance(jnp.asarray(alphas)))
    saturated = (raw >= _ceiling(camera.sensor) - 1e-6).any(0)
    return Simulated(
        views=views,
        clean_views=clean * vignetting[0],
        raw=raw,
        vignetting=vignetting,
        all_in_focus=(transmittance * intensities).sum(0),
        defocus_map=(transmittance * scales).sum(0),
        labels=transmittance.argmax(0).astype(np.int32),
        intensities=intensities,
        alphas=alphas,
        surface_scales=scales,
        occlusion=unmixed < UNMIXED,
        valid=(transmittance.max(0) >= UNMIXED) & ~saturated,
        saturated=saturated,
        kernels=np.asarray(camera.calibration_kernels),
        camera=camera,
        scene=scene,
        seed=seed,
    )


def prepare(scene: scenes.Scene, camera: Camera, lens: Lens, slices: tuple[int, ...]):
    """What `render` takes: (textures, mattes, radii) with the kernels' margin, slices' radii, their kernels.

    Raises:
        InputError: a scene whose blur the camera's kernels cannot hold, or whose margin is too small.
    """
    margin = camera.kernel_size // 2
    if scene.margin < margin:
        raise InputError(
            f"The scene's margin is {scene.margin} pixels; kernels of {camera.kernel_size} pixels need "
            f"{margin}. Make the scene with margin={margin}."
        )
    inside = _frame(scene.margin - margin)
    radii = np.asarray(lens.radius(scene.dioptres[inside]), np.float32)
    at = slice_radii(jnp.asarray(scene.mattes[inside]), jnp.asarray(radii), slices)
    kernels = camera.pupil.kernels(at, camera.kernel_size)
    return (scene.textures[inside], scene.mattes[inside], radii), at, kernels


class Formed(NamedTuple):
    """What `form_capture` computes: noise-free views, noisy linear raw, largest share of any one surface."""

    clean: Float[Array, "views height width"]
    raw: Float[Array, "views height width"]
    unmixed: Float[Array, "views height width"]


@partial(jax.jit, static_argnames=("slices", "sensor"))
def form_capture(
    textures: Float[ArrayLike, "surfaces height width"],
    mattes: Float[ArrayLike, "surfaces height width"],
    radii: Float[ArrayLike, "surfaces height width"],
    at: Float[ArrayLike, " slices"],
    kernels: Float[ArrayLike, "slices rows cols 2 kernel kernel"],
    vignetting: Float[ArrayLike, "2 frame_height frame_width"],
    key: PRNGKeyArray,
    slices: tuple[int, ...],
    sensor: Sensor,
) -> Formed:
    """Scene to raw in one seeded, differentiable function: `render`, then vignetting, then `expose`.

    The gradient goes through textures, mattes, radii, kernels and vignetting; noise and rounding are held
    fixed.
    """
    clean, unmixed = render(textures, mattes, radii, at, kernels, slices)
    return Formed(clean, expose(clean * vignetting, key, sensor), unmixed)


def render(
    textures: Float[ArrayLike, "surfaces height width"],
    mattes: Float[ArrayLike, "surfaces height width"],
    radii: Float[ArrayLike, "surfaces height width"],
    at: Float[ArrayLike, " slices"],
    kernels: Float[ArrayLike, "slices rows cols 2 kernel kernel"],
    slices: tuple[int, ...],
) -> tuple[Float[Array, "2 frame_height frame_width"], Float[Array, "2 frame_height frame_width"]]:
    """Noise-free views without vignetting, and the largest blurred transmittance of any surface.

    With w_j the share of slice j (`_share`), each surface of texture c and matte m is seen in view v as

        coverage = sum_j k_j * (m w_j) / sum_j k_j * w_j,   light = sum_j k_j * (c m w_j) / sum_j k_j * w_j,

    and goes over what lies behind it: `view <- view (1 - coverage) + light`. A surface at one depth has one
    slice of w = 1, and this is eq. (2). Input arrays carry a margin of half a kernel, the output does not.
    """
    textures, mattes, radii = jnp.asarray(textures), jnp.asarray(mattes), jnp.asarray(radii)
    index = np.repeat(np.arange(len(slices)), slices)
    last = np.append(index[1:] != index[:-1], True)
    half = kernels.shape[-1] // 2
    shape = (2, textures.shape[1] - 2 * half, textures.shape[2] - 2 * half)

    def over(carry, inputs):
        views, unmixed, sums = carry
        surface, radius, (low, high, step), kernel, is_last = inputs
        share = _share(jnp.clip(radii[surface], low, high), radius, step)
        matte = mattes[surface] * share
        sums = sums + _blur(jnp.stack([textures[surface] * matte, matte, share]), kernel)
        # Half-added slices leave pixels of no share at all; they are not used, and must not divide by zero.
        light, coverage = sums[:2] / jnp.where(is_last, sums[2], 1.0)[None]
        unmixed = jnp.where(is_last, jnp.maximum(unmixed * (1 - coverage), coverage), unmixed)
        views = jnp.where(is_last, views * (1 - coverage) + light, views)
        return (views, unmixed, jnp.where(is_last, 0.0, sums)), None

    start = (jnp.zeros(shape), jnp.zeros(shape), jnp.zeros((3, *shape)))
    stack = (jnp.asarray(index), at, _ladders(at, index), kernels, jnp.asarray(last))
    (views, unmixed, _), _ = jax.lax.scan(jax.checkpoint(over), start, stack)
    return views, unmixed


def expose(irradiance: Float[Array, "*n"], key: PRNGKeyArray, sensor: Sensor) -> Float[Array, "*n"]:
    """Linear raw of a sensor: Poisson photons, Gaussian read noise, black level, rounding and clipping.

    Exact in its values. The gradient is that of the identity where the value is not clipped.
    """
    few, many, read = jax.random.split(key, 3)
    # Blur by FFT may leave a dark pixel at -1e-8.
    expected = jnp.maximum(jax.lax.stop_gradient(irradiance), 0.0) / sensor.gain
    counts = expected + jnp.sqrt(expected) * jax.random.normal(many, irradiance.shape)
    if sensor.read_noise < NORMAL_READ_NOISE * sensor.gain:
        # jax.random.poisson loses variance at large rates in float32 (4 % at 5e5 photons).
        drawn = jax.random.poisson(few, jnp.minimum(expected, MANY_PHOTONS))
        counts = jnp.where(expected < MANY_PHOTONS, drawn, counts)
    noisy = counts * sensor.gain + sensor.read_noise * jax.random.normal(read, irradiance.shape)
    number = jnp.clip(jnp.round(sensor.black_level + sensor.white_level * noisy), 0, sensor.white_level)
    raw = (number - sensor.black_level) / sensor.white_level
    through = jnp.minimum(irradiance, _ceiling(sensor))
    return through + jax.lax.stop_gradient(raw - through)


def slice_counts(
    mattes: Float[np.ndarray, "surfaces height width"],
    radii: Float[np.ndarray, "surfaces height width"],
    step: float = SLICE_STEP,
) -> tuple[int, ...]:
    """How many slices each surface needs for neighbours to differ by at most `step` pixels of radius."""
    counts = []
    for matte, radius in zip(mattes, radii, strict=True):
        visible = radius[matte > 0]
        spread = float(np.ptp(visible)) if visible.size else 0.0
        counts.append(1 if spread < 1e-3 else 1 + int(np.ceil(spread / step)))
    return tuple(counts)


@partial(jax.jit, static_argnames="slices")
def slice_radii(
    mattes: Float[Array, "surfaces height width"],
    radii: Float[Array, "surfaces height width"],
    slices: tuple[int, ...],
) -> Float[Array, " slices"]:
    """Defocus radius of each slice, evenly spaced over the part of each surface that its matte shows."""
    shown = (mattes > 0) | ~jnp.any(mattes > 0, axis=(1, 2), keepdims=True)
    low = jnp.min(radii, axis=(1, 2), where=shown, initial=jnp.inf)
    high = jnp.max(radii, axis=(1, 2), where=shown, initial=-jnp.inf)
    surface = np.repeat(np.arange(len(slices)), slices)
    share = np.concatenate([np.linspace(0, 1, count) if count > 1 else [0.5] for count in slices])
    return low[surface] + jnp.asarray(share, radii.dtype) * (high - low)[surface]


def _ladders(at, index):
    """For each slice, the lowest and highest of its surface and their distance; infinite where there is one
    only."""
    first = np.searchsorted(index, index, side="left")
    last = np.searchsorted(index, index, side="right") - 1
    count = last - first
    step = jnp.where(count > 0, (at[last] - at[first]) / np.maximum(count, 1), jnp.inf)
    return at[first], at[last], step


def _share(radius, at, step):
    """Share of a slice in each point: linear interpolation between neighbouring slices, a partition of
    unity."""
    return jnp.maximum(0.0, 1.0 - jnp.abs(radius - at) / step)


def _ceiling(sensor):
    """The linear raw value of the white level."""
    return 1 - sensor.black_level / sensor.white_level


def _frame(margin):
    inner = slice(margin, -margin or None)
    return (slice(None), inner, inner)


def dioptres_at_scale(camera: Camera, scale: float) -> float:
    """How far off, in dioptres, the blur is `scale` times the calibrated one; behind the focus plane."""
    a, b = camera.lens.coefficients
    return (scale * camera.calibration_radius - a) / b


def _blur(images, kernels):
    """Images [n, height, width] with a margin of half a kernel, blurred for both views: [n, views, ...]
    without.

    The tiles are those of `blur.blur`, which this does not call on purpose. That one is made for the solver:
    it repeats the image's edge, where a scene has a margin of its own, and its hand-written adjoint holds the
    kernels fixed, where a simulator's depend on depth and focus. And two programs that share no line can test
    each other: the solver's renderer on the true layers gives the simulated views.
    """
    rows, cols, views, size, _ = kernels.shape
    height, width = images.shape[1] - size + 1, images.shape[2] - size + 1
    tiling = tiling_of(height, width, kernels)
    tall, wide, shape = tiling.tile_height, tiling.tile_width, (tiling.window_height, tiling.window_width)
    room = ((rows - 1) * tall + shape[0] - images.shape[1], (cols - 1) * wide + shape[1] - images.shape[2])
    padded = jnp.pad(images, ((0, 0), (0, room[0]), (0, room[1])), mode="edge")
    spectra = jnp.fft.rfft2(kernels.reshape(rows * cols, 1, views, size, size), s=shape)

    def one_tile(tile):
        corner = (0, tile // cols * tall, tile % cols * wide)
        window = jax.lax.dynamic_slice(padded, corner, (images.shape[0], *shape))
        blurred = jnp.fft.irfft2(jnp.fft.rfft2(window)[:, None] * spectra[tile], s=shape)
        # What circular convolution wraps around lies in the first rows and columns.
        return blurred[..., size - 1 : size - 1 + tall, size - 1 : size - 1 + wide]

    tiles = jax.lax.map(one_tile, jnp.arange(rows * cols))
    tiles = tiles.reshape(rows, cols, images.shape[0], views, tall, wide)
    image = tiles.transpose(2, 3, 0, 4, 1, 5).reshape(images.shape[0], views, rows * tall, cols * wide)
    return image[..., :height, :width]
