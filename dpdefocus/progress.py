"""Progress bars: on everything long, silent in batch."""

import os
from collections.abc import Iterable

from tqdm.auto import tqdm


def is_batch() -> bool:
    """Whether nobody watches: ``DPDEFOCUS_BATCH=1`` (the batch runner) or ``CI=true`` (build servers)."""
    return os.environ.get("DPDEFOCUS_BATCH") == "1" or os.environ.get("CI", "").lower() == "true"


def progress(iterable: Iterable, description: str, total: int | None = None) -> tqdm:
    """The iterable with a progress bar, silent in batch; ``total`` when it has no length of its own.

    A bar inside another one goes when it is done.
    """
    inner = bool(getattr(tqdm, "_instances", ()))
    return tqdm(iterable, desc=description, total=total, leave=not inner, disable=is_batch())
