"""Simulated captures with their truth that tests of several rooms share, as fixtures."""

import numpy as np
import pytest

from dpdefocus import simulation
from dpdefocus.data.capture import Calibration, Capture


@pytest.fixture(scope="module")
def demo():
    """The demo capture: what is simulated, the capture, its calibration."""
    simulated = simulation.demo_capture(0)
    views = np.asarray(simulated.views, np.float32)
    capture = Capture(views, "synthetic", np.asarray(simulated.saturated))
    return simulated, capture, Calibration(np.asarray(simulated.kernels, np.float32))


@pytest.fixture(scope="module")
def noisy():
    """Four depths with noise of variance 2e-3 I, and the truth of their map, of a size that neither the grid
    of kernels nor the reduction divides."""
    shot = simulation.four_depths(height=247, width=331, sensor=simulation.Sensor(gain=2e-3, read_noise=4e-3))
    return Capture(shot.views, "noisy", shot.saturated), Calibration(shot.kernels), shot.defocus_map
