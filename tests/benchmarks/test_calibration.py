"""What words say of the calibration is what its benchmark recorded, and the record is of this shape."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NUMBER = r"(\d+(?:\.\d+)?)"


@pytest.fixture(scope="module")
def record():
    return json.loads((ROOT / "benchmarks" / "calibration.json").read_text())


def test_record_says_what_was_measured_and_by_what(record):
    assert record["kernels"] == "Pixel 4" and record["crop"] == [1008, 1344] and record["kernel"] == 61
    assert {"versions", "machine", "code", "settings", "seconds", "cpu_seconds", "seed"} <= set(record)
    assert record["settings"]["weights"].keys() == {"gradients", "smoothness", "compactness"}


def test_what_a_calibration_must_reach_is_reached(record):
    """On photographs with known kernels of the Pixel 4: the issue's bounds, the seconds on two cores."""
    assert record["kernel_error_mean"] < 0.05
    assert record["centroid_error_mean_px"] < 0.1 and record["disparity_error_mean_px"] < 0.1
    assert record["vignetting_ratio_error_max"] < 0.005
    assert record["seconds"] < 180
    true, found = (record["solve"][kernels] for kernels in ("true", "calibrated"))
    assert true["psnr"] - found["psnr"] < 0.3 and found["aiwe1"] - true["aiwe1"] < 0.003


@pytest.mark.parametrize(
    ("file", "sentence", "names", "unit"),
    [
        (
            "docs/own_camera.md",
            rf"measured to\s+{NUMBER} pixels \(mean over the cells; {NUMBER} at worst",
            ("disparity_error_mean_px", "disparity_error_max_px"),
            1,
        ),
        ("docs/results.md", rf"It takes {NUMBER} s on two cores", ("seconds",), 1),
        ("docs/results.md", rf"Kernels are within\s+{NUMBER} % \(mean relative", ("kernel_error_mean",), 100),
        (
            "docs/results.md",
            rf"disparity of the views is within\s+{NUMBER} pixels \(mean; {NUMBER} at worst",
            ("disparity_error_mean_px", "disparity_error_max_px"),
            1,
        ),
        (
            "docs/results.md",
            rf"centroids are within\s+{NUMBER} pixels \(mean; {NUMBER} at worst",
            ("centroid_error_mean_px", "centroid_error_max_px"),
            1,
        ),
        (
            "docs/results.md",
            rf"vignetting is within\s+{NUMBER} % \(each view's own within {NUMBER} %",
            ("vignetting_ratio_error_max", "vignetting_error_max"),
            100,
        ),
    ],
)
def test_sentences_with_figures_say_what_is_recorded(record, file, sentence, names, unit):
    """To the digits that are written."""
    found = re.search(sentence, (ROOT / file).read_text())
    assert found, f"{file} no longer says: {sentence}"
    for written, name in zip(found.groups(), names, strict=True):
        digits = len(written.partition(".")[2])
        assert written == f"{unit * record[name]:.{digits}f}", name


def test_every_warning_in_the_instructions_is_one_that_the_calibration_gives():
    rooms = sorted((ROOT / "dpdefocus" / "calibration").glob("*.py"))
    code = "".join(room.read_text() for room in rooms)
    code = re.sub(r'"\s*\n\s*f?"', "", code)  # sentences over several lines
    rows = re.findall(r"^\| (\*.+?\*) \|", (ROOT / "docs" / "own_camera.md").read_text(), re.MULTILINE)
    phrases = [part for row in rows for said in re.findall(r"\*(.+?)\*", row) for part in said.split(" ... ")]
    assert len(phrases) >= 12
    assert [phrase for phrase in phrases if phrase not in code] == []
