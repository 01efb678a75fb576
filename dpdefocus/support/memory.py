"""Releasing and measuring the memory of this process."""

import ctypes
import gc
import sys

import jax


def release() -> None:
    """Free JAX's compiled programs; a program that is called again is compiled again.

    A lesson compiles many programs and runs most of them once; kept, they would fill a small machine. The C
    library returns freed memory to the system only when asked.
    """
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
        if trim is not None:
            trim(0)


def peak() -> float:
    """Peak resident memory of this process in bytes; NaN where the system does not report it."""
    try:
        import resource
    except ImportError:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
