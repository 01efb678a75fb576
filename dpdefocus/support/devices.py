"""Processor cores: how many this process may use, and JAX on all of them."""

import os

import jax


def cores() -> int:
    """Number of processor cores that this process may use."""
    # Some systems do not report the cores that a process is restricted to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_among_cores() -> bool:
    """Make JAX treat each core as a device, unless ``JAX_NUM_CPU_DEVICES`` sets their number.

    Returns:
        False if JAX has found its devices already, which fixes their number; else True.
    """
    if "JAX_NUM_CPU_DEVICES" in os.environ:
        return True
    try:
        jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:
        return False
    return True
