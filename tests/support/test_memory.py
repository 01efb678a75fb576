"""Memory: the peak is that of the process, and programs that were given back run again."""

import jax
import jax.numpy as jnp
import numpy as np

from dpdefocus import support


def test_peak_grows_with_what_is_held():
    before = support.peak()
    held = np.ones(int(before) // 8 + 25_000_000)
    assert support.peak() - before > 1.5e8
    assert held[-1] == 1


def test_compiled_programs_are_dropped_and_compiled_again_when_needed():
    counted = []

    @jax.jit
    def program(x):
        counted.append(x)
        return x + 1

    program(jnp.zeros(2)), program(jnp.zeros(2))
    assert len(counted) == 1
    support.release()
    assert program(jnp.ones(2)).tolist() == [2, 2]
    assert len(counted) == 2
