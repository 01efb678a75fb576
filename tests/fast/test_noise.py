"""Noise measured in captures against noise that was added."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dpdefocus import simulation
from dpdefocus.data.pixel4 import load_pixel4
from dpdefocus.fast.noise import estimate_noise
from dpdefocus.support.errors import InputError


def test_noise_of_a_smooth_capture():
    light = np.broadcast_to(np.linspace(0.05, 0.8, 384), (384, 384))
    rng = np.random.default_rng(5)
    views = light + rng.normal(size=(2, 384, 384)) * np.sqrt(1e-4 * light + 1e-5)
    gain, offset = estimate_noise(views)
    assert gain == pytest.approx(1e-4, rel=0.1)
    assert offset == pytest.approx(1e-5, rel=0.3)


@pytest.mark.parametrize("seed", range(4))
def test_noise_of_two_lights(seed):
    """Two lights and nothing between: the dark half, quieter than the other, must not stand for both."""
    light = np.where(np.arange(336) < 168, 0.1, 0.9) * np.ones((252, 1))
    noise = np.random.default_rng(seed).standard_normal((2, 252, 336)) * np.sqrt(1e-3 * light)
    gain, offset = estimate_noise(light + noise)
    assert gain == pytest.approx(1e-3, rel=0.1) and offset < 2e-5


def test_noise_of_a_textured_capture():
    """Half in focus, both views with the same detail; half out of focus, each with another blur of it."""
    gain, read_noise = 1e-4, 2e-3
    rng = np.random.default_rng(7)
    texture = simulation.natural(rng, (252, 336))
    blurred = gaussian_filter(texture, 4)
    views = np.stack([np.roll(blurred, shift, 1) for shift in (-3, 3)])
    views[:, :, :168] = texture[:, :168]
    noisy = gain * rng.poisson(views / gain) + read_noise * rng.standard_normal(views.shape)
    found = estimate_noise(noisy)
    for light in np.quantile(views, (0.3, 0.9)):
        variance = gain * light + read_noise**2
        assert found.gain * light + found.offset == pytest.approx(variance, rel=0.15)


def test_noise_of_what_cannot_tell_it():
    rng = np.random.default_rng(6)
    with pytest.raises(InputError, match="blocks"):
        estimate_noise(rng.uniform(size=(2, 40, 40)))
    with pytest.raises(InputError, match="factor of 1.2"):
        estimate_noise(0.5 + 0.001 * rng.normal(size=(2, 200, 200)))
    with pytest.raises(InputError, match="unsaturated"):
        estimate_noise(rng.uniform(size=(2, 200, 200)), np.ones((200, 200), bool))


def test_noise_of_pixel4(pixel4_folder):
    """Scenes of one camera at one setting: the same line, whatever they show."""
    lines = [
        estimate_noise(capture.views, capture.saturated)
        for capture, _ in (load_pixel4(pixel4_folder, scene) for scene in ("001", "013"))
    ]
    assert lines[0].gain == pytest.approx(lines[1].gain, rel=0.15)
    assert lines[0].offset == pytest.approx(lines[1].offset, rel=0.4)
