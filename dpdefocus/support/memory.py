"""Memory, on machines that have little of it."""

import ctypes
import gc
import sys

import jax


def release() -> None:
    """Give back what is no longer needed: compiled programs, which are compiled again if called again.

    A lesson compiles many programs and runs most of them once; together they would fill a small machine. The
    C library keeps what they leave unless it is asked for it.
    """
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


def peak() -> float:
    """Most memory that this process has held at a time, in bytes; NaN where the system does not tell."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
