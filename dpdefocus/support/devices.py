"""Cores and accelerators: how many there are, and JAX on all cores of a CPU."""

import os

import jax


def cores() -> int:
    """How many processor cores this process may use."""
    # Not every system tells which cores a process is confined to.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def share_among_cores() -> bool:
    """Let JAX count each core as a device, unless ``JAX_NUM_CPU_DEVICES`` says how many.

    Returns:
        Whether it could: once JAX has looked for its devices, it stays with those that it found.
    """
    if "JAX_NUM_CPU_DEVICES" in os.environ:
        return True
    try:
        jax.config.update("jax_num_cpu_devices", cores())
    except RuntimeError:
        return False
    return True
