"""Captures and calibrations made in memory are checked like those from files."""

import jaxtyping
import numpy as np
import pytest
from raw_captures import rng  # noqa: F401 a fixture

from dpdefocus import data
from dpdefocus.support.errors import InputError


def test_captures_made_in_memory_are_checked_too(rng, monkeypatch):
    views, saturated = rng.uniform(size=(2, 20, 30)).astype(np.float32), np.zeros((20, 30), bool)
    data.Capture(views, "made", saturated)
    broken = views.copy()
    broken[1, 3, 4] = np.nan
    with pytest.raises(InputError, match="right view of made: found 1 values that are not finite"):
        data.Capture(broken, "made", saturated)
    # As a user meets it: the tests' own type checks would come first.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    raw_integers = (views * 9000).astype(np.uint16)
    for each in (raw_integers, raw_integers.astype(np.float32)):
        with pytest.raises(
            InputError, match=r"expected linear raw in \[0, 1\]. Read files with load_capture"
        ):
            data.Capture(each, "made", saturated)
    with pytest.raises(InputError, match=r"views of made: found \(20, 30\), expected \(2, height, width\)"):
        data.Capture(views[0], "made", saturated)
    with pytest.raises(InputError, match=r"saturated of made: found shape \(2, 2\)"):
        data.Capture(views, "made", saturated[:2, :2])
    with pytest.raises(InputError, match=r"kernels: found shape \(7, 7\), expected \(rows, cols, 2, F, F\)"):
        data.Calibration(np.ones((7, 7), np.float32))
