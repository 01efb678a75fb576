"""A table of captures as a CSV file, as a fixture, and the parameters that its columns may name."""

import pytest

KNOWN = {"scene": "synthetic", "left": "", "right": "", "seed": 0, "out_dir": ""}


@pytest.fixture
def captures(tmp_path):
    """Writes the lines of a CSV file."""

    def write(*lines):
        path = tmp_path / "captures.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write
