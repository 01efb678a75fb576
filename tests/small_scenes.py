"""A small simulated camera, scenes for it, and their views without noise."""

import numpy as np
import pytest

from dpdefocus import optics, simulation

OPTICS = optics.Lens(focal_length=4.38e-3, f_number=1.73, focus_distance=0.137, pixel_pitch=8e-6)


HEIGHT, WIDTH, SIZE = 40, 54, 17


MARGIN = SIZE // 2


# All pupils here have this grid, so that what was compiled for one test serves the next.
GRID = (2, 3)


HALF_DISCS = optics.half_discs(*GRID, samples=129)


def camera(pupil=None):
    pupil = pupil or optics.field_varying(*GRID, samples=49)
    return simulation.Camera(OPTICS, pupil, simulation.Sensor(), 0.45, SIZE)


def at_radius(radius):
    """Dioptres of a point whose defocus radius is this many pixels."""
    a, b = OPTICS.coefficients
    return (radius - a) / b


def scene_of(*layers):
    """A scene of (texture, matte, radius in pixels), each a number or an array over frame and margin."""
    shape = (HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)
    stacks = [np.stack([np.broadcast_to(layer[part], shape) for layer in layers]) for part in range(3)]
    textures, mattes, radii = (np.asarray(stack, np.float32) for stack in stacks)
    return simulation.Scene(textures, mattes, np.maximum(at_radius(radii), 0).astype(np.float32), MARGIN)


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN)).astype(np.float32)


def rendered(scene, pupil=None):
    """Noise-free views without vignetting."""
    shot = simulation.photograph(scene, camera(pupil), 0)
    return shot.clean_views / shot.vignetting[0]


@pytest.fixture(scope="module")
def cards():
    return simulation.photograph(simulation.cards(2, HEIGHT, WIDTH, MARGIN, 0.3, 6.5, 5), camera(), 3)
