"""Vignetting from white sheets, to half a percent of the truth: with dust, reflexes, a flickering lamp."""

import numpy as np
import pytest

from dpdefocus import calibration, data
from dpdefocus.support.errors import InputError

FRAME = (150, 200)
CEILING = 1 - 1024 / 16383


def sheets_of(true, count=6, seed=0, level=0.5):
    rng = np.random.default_rng(seed)
    light = level * true * rng.uniform(0.9, 1.1, size=(count, 1, 1, 1))
    return (light + np.sqrt(1.1e-6 * light) * rng.normal(size=light.shape)).astype(np.float32)


@pytest.fixture(scope="module")
def true():
    return calibration.smooth_vignetting(FRAME)


def off(found, true):
    return np.abs(found / found.mean() / (true / true.mean()) - 1).max()


def test_both_views_and_their_ratio_within_half_a_percent_up_to_the_border(true):
    sheets = sheets_of(true)
    found = calibration.mean_sheet(sheets)
    assert calibration.check_sheets(sheets, CEILING) == []
    assert off(found, true) < 0.005
    np.testing.assert_allclose(data.relative_vignetting(found), true[0] / true[1], rtol=0.005)


def test_dust_and_reflexes_in_single_sheets_are_left_out(true):
    sheets = sheets_of(true)
    sheets[1, :, 40:80, 50:90] *= 1.5
    sheets[4, 0, 100:120, 100:140] = 0.01
    assert off(calibration.mean_sheet(sheets), true) < 0.008
    assert off(calibration.mean_sheet(sheets[:2]), true) > 0.05  # two sheets cannot tell


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: np.minimum(3 * s, CEILING), r"white sheet 1, left view: 5.* are at the white level"),
        (lambda s: 0.01 * s, "white sheet 1, left view: its mean is 0.00.*Expose more"),
        (
            lambda s: s * (1 + 0.2 * (np.indices(FRAME)[1] // 10 % 2)),
            "white sheet 1, left view: it has structures of .*, expected at most 3%",
        ),
    ],
)
def test_sheets_that_are_none_are_refused(true, spoil, message):
    with pytest.raises(InputError, match=message):
        calibration.check_sheets(spoil(sheets_of(true)).astype(np.float32), CEILING)


def test_dim_and_few_sheets_are_told(true):
    warnings = calibration.check_sheets(sheets_of(true, count=1, level=0.1), CEILING)
    assert any("left view is dim" in warning for warning in warnings)
    assert any(warning.startswith("1 white sheet: with three or more") for warning in warnings)
