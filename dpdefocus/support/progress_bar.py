"""Progress bars for long work, silent in batch."""

import os
from collections.abc import Iterable, Iterator
from typing import Any

from tqdm.auto import tqdm


def is_batch() -> bool:
    """Whether nobody watches the run: ``DPDEFOCUS_BATCH=1`` (batch runner) or ``CI=true`` (build servers)."""
    return os.environ.get("DPDEFOCUS_BATCH") == "1" or os.environ.get("CI", "").lower() == "true"


class Bar(tqdm):
    """A bar that is full when its ``with`` block ends early, as an iteration that has converged does.

    tqdm's own bar would turn red in a notebook, as after an error.
    """

    def __iter__(self) -> Iterator[Any]:
        for each in self.iterable:
            yield each
            self.update()
        self.close()

    def __exit__(self, kind, error, trace) -> None:
        if kind is None and self.total is not None:
            self.update(self.total - self.n)
        super().__exit__(kind, error, trace)


def progress(iterable: Iterable, description: str, total: int | None = None) -> Bar:
    """The iterable with a progress bar, silent in batch; ``total`` if it has no length of its own.

    A bar inside another one disappears when it is done.
    """
    inner = bool(getattr(tqdm, "_instances", ()))
    return Bar(iterable, desc=description, total=total, leave=not inner, disable=is_batch())
