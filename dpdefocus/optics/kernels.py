"""Blur kernels at every defocus size: the calibrated kernels, resized.

Axes: kernels are ``[rows, cols, views, kernel, kernel]``: the grid over the image, the views (left,
right), and the kernel's own field in pixels, its centre in the middle. A scale is a defocus size in units
of the calibrated kernel: 1 is the kernel as calibrated, negative values lie on the other side of the
focus plane.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from dpdefocus.support.errors import InputError


@jax.jit
def scale_kernels(
    kernels: Float[Array, "rows cols views kernel kernel"], scales: Float[Array, " layers"]
) -> Float[Array, "layers rows cols views kernel kernel"]:
    """Kernels at the given defocus sizes, ``k_d(x) ∝ k_1(x / d)``, each summing to one in the same field.

    The blur of a plane at inverse depth 1/Z keeps its shape and changes its size, ``d = A + B/Z`` (paper,
    Sec. 3 and Fig. 11). A magnified kernel is cropped to the field. A negative size turns the kernel by half
    a turn about its centre, as passing through focus does. Size zero is a delta.

    The calibrated kernel is sampled at ``x / d``: bilinearly for sizes of at least a half, and below that
    through a Gaussian of σ = (1/|d| − 1)/2 calibrated pixels, which removes the frequencies that the coarser
    samples would alias. The golden cases fix both rules (the first at sizes from 0.72, the second up to
    0.46), but not where they change, here at a half. Once the whole field is less than a pixel wide, σ stops
    growing, so that the kernel tends to a delta.
    """
    if kernels.shape[-1] % 2 == 0:
        raise InputError(
            f"kernels: the kernel field is {kernels.shape[-1]} pixels wide; "
            "it must be odd, to have a centre pixel"
        )
    resample = _resampling(scales, kernels.shape[-1])
    resized = jnp.einsum("nyu,rcvuw,nxw->nrcvyx", resample, kernels, resample)
    return resized / resized.sum((-2, -1), keepdims=True)


def _resampling(scales: Float[Array, " layers"], size: int) -> Float[Array, "layers size size"]:
    """Weights of the calibrated samples (last axis) in each sample of the resized kernel, along one axis."""
    offset = jnp.arange(size) - size // 2
    in_focus = scales == 0
    scale = jnp.where(in_focus, 1.0, scales)[:, None, None]
    position = offset[None, :, None] / scale
    distance = jnp.abs(position - offset[None, None, :])

    triangle = jnp.maximum(1 - distance, 0)
    # Up to half a pixel outside its field the kernel keeps its rim's values; further out it is zero.
    total = triangle.sum(-1, keepdims=True)
    inside = jnp.abs(position) <= size / 2
    bilinear = jnp.where(inside, triangle / jnp.where(inside, total, 1.0), 0.0)

    shrink = jnp.minimum(jnp.abs(scale), 0.5)
    sigma = 0.5 * (1 / shrink - 1) * jnp.minimum(1.0, size * shrink)
    gaussian = jnp.exp(-0.5 * (distance / sigma) ** 2)

    weights = jnp.where(jnp.abs(scale) < 0.5, gaussian, bilinear)
    delta = (offset[:, None] == 0) & (offset[None, :] == 0)
    return jnp.where(in_focus[:, None, None], delta, weights)


@jax.jit
def scaled_spectra(
    kernels: Float[Array, "*cells views kernel kernel"],
    scale: Float[Array, ""],
    fy: Float[Array, " tile_height"],
    fx: Float[Array, " half_width"],
) -> Complex[Array, "*cells views tile_height half_width"]:
    """Transforms of the kernels at a defocus size, by the scaling theorem: ``K_d(f) = K_1(d f)``.

    Resizing a kernel of unit sum by d compresses its spectrum by d, so the transform of the calibrated kernel
    is evaluated at ``d f``: exact for every size, below one pixel too. A negative size mirrors the kernel;
    size zero gives one, a delta. Beyond the calibrated kernel's own Nyquist frequency its spectrum is taken
    as zero.
    """
    size = kernels.shape[-1]
    offset = jnp.arange(size) - size // 2
    rows = jnp.exp(-2j * jnp.pi * scale * jnp.outer(fy, offset)) * (jnp.abs(scale * fy) < 0.5)[:, None]
    columns = jnp.exp(-2j * jnp.pi * scale * jnp.outer(fx, offset)) * (jnp.abs(scale * fx) < 0.5)[:, None]
    return jnp.einsum("ya,...ab,xb->...yx", rows, kernels.astype(rows.dtype), columns)


@jax.jit
def centre_kernels(
    kernels: Float[Array, "*cells views kernel kernel"],
) -> Float[Array, "*cells views kernel kernel"]:
    """The kernels shifted so that the centroid of the two views' mean lies at the centre of the field.

    Kernels are known only up to a shift common to both views, which a shift of the sharp image compensates
    (paper, Sec. D). The calibration leaves a different shift in each cell (one to two pixels on the Pixel 4),
    which would warp the sharp image, and differently at each depth. Once it is removed, the sharp image lies
    where the ordinary photograph shows it. The shift is applied in the Fourier domain.
    """
    size = kernels.shape[-1]
    offset = jnp.arange(size) - size // 2
    mean = kernels.mean(-3)
    y = jnp.einsum("...yx,y->...", mean, offset)
    x = jnp.einsum("...yx,x->...", mean, offset)
    f = jnp.fft.fftfreq(size)
    along_y = jnp.exp(2j * jnp.pi * y[..., None] * f.reshape((1,) * y.ndim + f.shape))
    along_x = jnp.exp(2j * jnp.pi * x[..., None] * f.reshape((1,) * x.ndim + f.shape))
    phase = along_y[..., :, None] * along_x[..., None, :]
    return jnp.fft.ifft2(jnp.fft.fft2(kernels) * phase[..., None, :, :]).real


def kernel_reach(kernels: Float[Array, "rows cols views kernel kernel"], share: float) -> float:
    """Radius in pixels, about the centre of the field, that holds the given share of every kernel's light."""
    kernels = np.asarray(kernels)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    radius = np.hypot(offset[:, None], offset).ravel()
    order = np.argsort(radius)
    held = np.cumsum(np.maximum(kernels, 0).reshape(-1, radius.size)[:, order], axis=1)
    first = (held < share * held[:, -1:]).sum(1).max()
    return float(radius[order][min(first, radius.size - 1)])


def kernel_deviation(kernels: Float[Array, "rows cols views kernel kernel"]) -> float:
    """Standard deviation of the kernels along an axis, in pixels: rms over axes, views and grid."""
    kernels = np.maximum(np.asarray(kernels), 0)
    kernels = kernels / kernels.sum((-2, -1), keepdims=True)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    along_y, along_x = kernels.sum(-1), kernels.sum(-2)
    square = sum((line * offset**2).sum(-1) - (line * offset).sum(-1) ** 2 for line in (along_y, along_x))
    return float(np.sqrt(square.mean() / 2))


def centroids(kernels: Float[np.ndarray, "*n size size"]) -> Float[np.ndarray, "*n 2"]:
    """First moment (y, x) of each kernel in pixels, relative to its middle pixel; y down, x to the right."""
    kernels = np.asarray(kernels)
    offset = np.arange(kernels.shape[-1]) - kernels.shape[-1] // 2
    total = kernels.sum((-2, -1))
    return np.stack([kernels.sum(-1) @ offset, kernels.sum(-2) @ offset], axis=-1) / total[..., None]


def relative_errors(
    kernels: Float[np.ndarray, "*n size size"], truth: Float[np.ndarray, "*n size size"]
) -> Float[np.ndarray, "*n"]:
    """L2 distance of each kernel from its truth, divided by the L2 norm of the truth."""
    kernels, truth = np.asarray(kernels), np.asarray(truth)
    return np.asarray(np.sqrt(((kernels - truth) ** 2).sum((-2, -1)) / (truth**2).sum((-2, -1))))
