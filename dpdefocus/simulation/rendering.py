"""From a scene to raw values: thin slices blurred and composited, then photons, noise and rounding.

Axes: slices first, back to front; views [views, height, width]. Units: pixels; linear raw in [0, 1].
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from dpdefocus.optics.lens import Lens
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.simulation import scenes
from dpdefocus.simulation.camera import Camera, Sensor, sensor_ceiling
from dpdefocus.support.errors import InputError

# Surfaces are cut into slices that differ by no more than this in defocus radius (pixels).
SLICE_STEP = 0.5

# A pixel is unmixed where one surface gives it at least this share of its light.
UNMIXED = 0.99

# Above so many photo-electrons, or under a read noise of so many, a normal distribution replaces Poisson's:
# the total's skewness is then below 0.03.
MANY_PHOTONS = 1000.0
NORMAL_READ_NOISE = 15.0


def prepare(scene: scenes.Scene, camera: Camera, lens: Lens, slices: tuple[int, ...]):
    """The arguments of `render`: (textures, mattes, radii) with a margin, the slices' radii, their kernels.

    Raises:
        InputError: a scene whose blur the camera's kernels cannot hold, or whose margin is too small.
    """
    margin = camera.kernel_size // 2
    if scene.margin < margin:
        raise InputError(
            f"The scene's margin is {scene.margin} pixels; kernels of {camera.kernel_size} pixels need "
            f"{margin}. Make the scene with margin={margin}."
        )
    inside = cut_frame(scene.margin - margin)
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

    and is composited over what lies behind it: `view <- view (1 - coverage) + light`. A surface at one depth
    has one slice of w = 1, and this is eq. (2). Input arrays have a margin of half a kernel, the output has
    none.
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
        # Before its last slice a surface leaves pixels of no share at all; they are not used, and must not
        # divide by zero.
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

    The values are exact. The gradient is that of the identity where the value is not clipped.
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
    through = jnp.minimum(irradiance, sensor_ceiling(sensor))
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
    """For each slice, the lowest and highest radius of its surface and the step between slices; the step is
    infinite for a single slice.
    """
    first = np.searchsorted(index, index, side="left")
    last = np.searchsorted(index, index, side="right") - 1
    count = last - first
    step = jnp.where(count > 0, (at[last] - at[first]) / np.maximum(count, 1), jnp.inf)
    return at[first], at[last], step


def _share(radius, at, step):
    """Share of a slice in each point: linear interpolation between neighbouring slices, a partition of
    unity.
    """
    return jnp.maximum(0.0, 1.0 - jnp.abs(radius - at) / step)


def cut_frame(margin):
    inner = slice(margin, -margin or None)
    return (slice(None), inner, inner)


def _blur(images, kernels):
    """Images [n, height, width] with a margin of half a kernel, blurred for both views: [n, views, ...]
    without.

    The tiles are those of `tiled_blur.blur`, which this deliberately does not call. That one is made for the
    solver: it repeats the image's edge, while a scene has its own margin, and its hand-written adjoint holds
    the kernels fixed, while a simulator's depend on depth and focus. And two independent programs test each
    other: the solver's renderer on the true layers must give the simulated views.
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
