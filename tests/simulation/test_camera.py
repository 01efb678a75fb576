"""Cameras that cannot be are refused."""

from dataclasses import replace

import pytest
from small_scenes import camera

from dpdefocus import simulation
from dpdefocus.support.errors import InputError


@pytest.mark.parametrize(
    "values", [{"gain": 0.0}, {"read_noise": -1.0}, {"black_level": 20000}, {"white_level": 2**16}]
)
def test_impossible_sensors_are_refused(values):
    with pytest.raises(InputError, match="Sensor"):
        simulation.Sensor(**values)


@pytest.mark.parametrize("distance", [0.137, 0.004])
def test_calibration_in_focus_or_inside_the_lens_is_refused(distance):
    with pytest.raises(InputError, match="calibration_distance"):
        replace(camera(), calibration_distance=distance)
