"""What all tests share: strict JAX settings, and the real data that environment variables point at."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_nans", True)


def _folder(variable: str, content: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set: it says where {content} lie")
    return Path(os.environ[variable])


@pytest.fixture(scope="session")
def pixel4_folder() -> Path:
    """The Pixel 4 scenes and their calibration."""
    return _folder("DPDEFOCUS_DATA", "the Pixel 4 scenes")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The reference numbers of the golden cases."""
    return _folder("DPDEFOCUS_GOLDEN", "the golden cases")
