"""Every constant of the default solution, with its unit. Nothing here belongs to one scene."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FastSettings:
    """Constants of the solution by labelling and deconvolution (`solve`).

    Args:
        nearest, farthest: smallest and largest defocus size that is looked for, in units of the calibrated
            kernels.
        hypotheses: how many sizes are tried between them.
        blur_per_pixel: standard deviation of the calibrated kernels, in pixels of the reduced views on which
            the energies are computed: how far the views may be reduced without losing what tells sizes apart.
        window: standard deviation of the energies' Gaussian window, in reduced pixels.
        brightness: standard deviation of the views' relative brightness about the calibrated one (0.03: 3 %).
        slack: how many times the smallest energy counts as error of the calibration.
        floor: energy that counts as noise, in squares of twice the mean view.
        cap: largest cost of a single pixel.
        contrast: step between two reduced pixels at which the smoothness falls to 1/e, in units of twice the
            mean view.
        smoothness: cost of one label's difference between two neighbours.
        limit: difference in labels beyond which it costs no more.
        sweeps: iterations of message passing on each grid, coarsest first.
        layers: planes of the multiplane image.
        feather: standard deviation of the blur of the layers' outlines, in pixels.
        sparsity: weight of the sparse-gradient prior in the deconvolution.
        misfit: mean square that a layer's sharp image, blurred again, may leave of both views beyond
            `deblur.LEEWAY` times what a nearer layer leaves, in squares of twice the mean view.
        noise_corrected: whether the noise's own share, measured in the capture, is taken off the energies.
    """

    nearest: float = 0.0
    farthest: float = 2.1
    hypotheses: int = 22
    blur_per_pixel: float = 1.5
    window: float = 2.0
    brightness: float = 0.03
    slack: float = 3.0
    floor: float = 2.5e-6
    cap: float = 5.0
    contrast: float = 0.05
    smoothness: float = 12.0
    limit: float = 20.0
    sweeps: tuple[int, ...] = (15, 10, 8)
    layers: int = 12
    feather: float = 2.5
    sparsity: float = 4e-4
    misfit: float = 1e-4
    noise_corrected: bool = False
