"""Dual-pixel captures of a scene, with exact truth: rendering, sensor, and what a solver is scored against.

Axes   views = (left, right); surfaces and slices back to front. Scenes are [surfaces, height, width] with a
       margin, captures [views, height, width] without. Kernels [slices, rows, cols, views, kernel, kernel].
Units  linear raw in [0, 1]: (raw - black level) / white level, as `data` reads it. Defocus radii in pixels;
       defocus scales are radii over the radius that the calibration kernels have (their scale is 1).
Model  a surface at one depth is blurred by one kernel, as in eq. (2). A slanted or curved one is cut into
       slices of nearly equal radius, whose weights at each point are linear; the slices' blurred textures and
       mattes are added and divided by the blur of the whole plane, so that a surface of constant radiance
       stays constant.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int32

from dpdefocus.data import capture, loading
from dpdefocus.data.raw import write_raw
from dpdefocus.optics import mpi
from dpdefocus.simulation import scenes
from dpdefocus.simulation.camera import Camera, Sensor, dioptres_at_scale, sensor_ceiling, small_camera
from dpdefocus.simulation.rendering import UNMIXED, cut_frame, form_capture, prepare, slice_counts
from dpdefocus.simulation.textures import natural


@dataclass(frozen=True)
class Simulated:
    """A simulated capture and its exact truth, all as arrays on the host.

    views: as `data.load_capture` returns them; both have the left view's vignetting. `clean_views` (without
        noise), `all_in_focus` and `intensities` are in the same linear scale.
    raw: what the sensor gives, before any correction; may be negative, below the black level.
    vignetting: relative illumination of each view; multiplies the rendered views.
    defocus_map: signed defocus scale `sum_i t_i d_i` of what is seen; soft where a matte is.
    labels: the surface of largest transmittance in each pixel.
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
        calibration = capture.Calibration(kernels=self.kernels, white=white)
        loading.save_calibration(calibration, folder / "calibration", sensor.black_level, sensor.white_level)
        for name, view in zip(capture.VIEWS, self.raw, strict=True):
            write_raw(folder / f"{name}.png", view, sensor.black_level, sensor.white_level)
        return folder


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
    texture = natural(np.random.default_rng(seed), (height, width))
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
    frame = cut_frame(camera.kernel_size // 2)
    intensities, alphas = textures[frame] * vignetting[0], mattes[frame]
    scales = radii[frame] / np.float32(camera.calibration_radius)
    transmittance = np.asarray(mpi.transmittance(jnp.asarray(alphas)))
    saturated = (raw >= sensor_ceiling(camera.sensor) - 1e-6).any(0)
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
