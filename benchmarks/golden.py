"""Relative errors of the ``paper`` objective on a golden case, as JSON: ``python benchmarks/golden.py
CASE.npz``.

A golden case holds what the authors' released program computes for given inputs. Numbers are relative; images
and gradients are compared by their largest difference over the reference's largest magnitude.
"""

import argparse
import json

import jax
import jax.numpy as jnp
import numpy as np

from dpdefocus.optics.mpi import all_in_focus, defocus_map, render
from dpdefocus.optics.tiled_blur import kernel_spectra
from dpdefocus.optics.tiling import tiling_of
from dpdefocus.paper.objective import LOSSES, scene_of, value_and_gradient
from dpdefocus.paper.settings import PublishedSettings


def computed(case: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What this library computes for a golden case's inputs, by the golden case's names."""
    inputs = ("observations", "kernels", "scales", "weights", "intensity_logits", "alpha_logits")
    observed, kernels, scales, weights, intensity_logits, alpha_logits = (
        jnp.asarray(case[name], jnp.float32) for name in inputs
    )
    tiling = tiling_of(*observed.shape[1:], kernels)
    constants = PublishedSettings(nearest=float(scales[-1]), farthest=float(scales[0]))
    scene = scene_of(observed, kernels, weights, constants.noise_variance, constants.prior, tiling)
    terms, gradient = value_and_gradient(intensity_logits, alpha_logits, scene, tiling)
    intensities, alphas = jax.nn.sigmoid(intensity_logits), jax.nn.sigmoid(alpha_logits)
    return {
        **dict(zip(LOSSES, np.asarray(terms), strict=True)),
        "total": terms.sum(),
        "bias_correction": scene.bias,
        "rendered_views": render(intensities, alphas, kernel_spectra(kernels, tiling), tiling),
        "all_in_focus": all_in_focus(intensities, alphas),
        "defocus_map": defocus_map(alphas, scales),
        "grad_intensity_logits": gradient[0],
        "grad_alpha_logits": gradient[1],
    }


def relative_errors(path: str) -> dict[str, float]:
    """Largest difference over the largest magnitude of each number and image of a golden case."""
    with np.load(path) as file:
        case = dict(file)
    return {
        name: float(np.abs(np.asarray(value) - case[name]).max() / np.abs(case[name]).max())
        for name, value in computed(case).items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", help="a golden case, .npz")
    print(json.dumps(relative_errors(parser.parse_args().case), indent=1))
