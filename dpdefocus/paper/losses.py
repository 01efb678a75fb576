"""The five losses of the paper (7)-(13), each as a map over the pixels, without its weight.

Axes: layers first, back to front, then views (left, right) where there are two, then height and width in
pixels. Smoothness looks at 3 x 3 windows: its functions take images with one more pixel on every side
than the map they return (at the image's border: its edge pixels replicated).

Intensities are those of the observed views; the gain is the paper's factor s, which brings their mean to
middle grey. As in the authors' released program the robust losses are ``ℓ − 1``, zero where the residual is.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from dpdefocus.paper.settings import LossSettings

# Keeps square roots and logarithms below from zero; far smaller than any share of light that float32
# resolves.
TINY = 1e-30


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _robust(excess: Float[Array, "*n"], gamma: float) -> Float[Array, "*n"]:
    return jnp.sqrt(excess / gamma**2 + 1) - 1


@_robust.defjvp
def _robust_slope(gamma, primals, tangents):
    """``1 / (2 γ² ℓ) = ℓ / (2 (x² − B + γ²))``: XLA does not vectorise the instruction that it makes of a
    reciprocal root.
    """
    (excess,), (change,) = primals, tangents
    value = _robust(excess, gamma)
    return value, change * (value + 1) / (2 * (excess + gamma**2))


def robust(
    squared: Float[Array, "*n"],
    bias: Float[Array, "*#n"] | float = 0.0,
    gamma: float = LossSettings.gamma,
) -> Float[Array, "*n"]:
    """``ℓ_B(x, B) − 1 = sqrt((x² − B)/γ² + 1) − 1`` of ``x²`` (Sec. 4.3); ``B`` stays far below ``γ²``."""
    return _robust(squared - bias, gamma)


def data_loss(
    rendered: Float[Array, "*n height width"],
    observed: Float[Array, "*n height width"],
    bias: Float[Array, "*n height width"],
    gamma: float = LossSettings.gamma,
) -> Float[Array, "*n height width"]:
    """``ℓ_B(Î_b^v − I_o^v, B_all^v)`` (7, 8) of one view; ``bias`` is ``B_all^v = Σ_i t̃_i^v B(d_i)``."""
    return robust((rendered - observed) ** 2, bias, gamma)


def auxiliary_loss(
    blurred_intensities: Float[Array, "layers *n height width"],
    blurred_transmittance: Float[Array, "layers *n height width"],
    observed: Float[Array, "*n height width"],
    bias: Float[Array, " layers"],
    gamma: float = LossSettings.gamma,
) -> Float[Array, "*n height width"]:
    """``Σ_i t̃_i^v ⊙ ℓ_B(k_i^v * c_i − I_o^v, B(d_i))`` (9) of one view.

    Each layer alone must explain the pixels in which it is seen. No gradient flows through the transmittance:
    the loss makes intensities fit; it must not move transmittance away from those that do not.
    """
    of_layers = by_layer(bias, blurred_intensities)
    residual = robust((blurred_intensities - observed[None]) ** 2, of_layers, gamma)
    return (jax.lax.stop_gradient(blurred_transmittance) * residual).sum(0)


def by_layer(
    numbers: Float[Array, " layers"], images: Float[Array, " layers *n"]
) -> Float[Array, " layers *ones"]:
    """One number for each layer, shaped to broadcast over the layers' images."""
    return numbers.reshape(-1, *[1] * (images.ndim - 1))


def _binomial(images: Float[Array, "*n height_and_2 width_and_2"]) -> Float[Array, "*n height width"]:
    """Convolution with ``g = [1 2 1]ᵀ [1 2 1] / 16`` (39)."""
    rows = 0.25 * (images[..., :-2, :] + images[..., 2:, :]) + 0.5 * images[..., 1:-1, :]
    return 0.25 * (rows[..., :-2] + rows[..., 2:]) + 0.5 * rows[..., 1:-1]


@jax.custom_vjp
def local_variance(
    images: Float[Array, "n *m height_and_2 width_and_2"],
) -> Float[Array, "n *m height width"]:
    """``V(I)² = I² * g − (I * g)²`` (38): the variance in a 3 x 3 window. The paper's total variation is
    its root.
    """
    return _variance_and_mean(images)[0]


def _variance_and_mean(images):
    """``V(I)²`` and ``I * g``."""

    def step(image):
        mean = _binomial(image)
        # Rounding may leave a variance slightly below zero.
        return jnp.maximum(_binomial(image**2) - mean**2, 0), mean

    # One image at a time stays in the cache.
    return jax.lax.map(step, images)


def _local_variance_forward(images):
    variance, mean = _variance_and_mean(images)
    return variance, (images, mean)


def _local_variance_adjoint(residuals, cotangents):
    """``2 I ⊙ (w * g) − 2 ((w ⊙ (I * g)) * g)`` of the cotangent ``w``, which is zero outside the map."""
    images, means = residuals
    # The canvases keep their zero borders through all steps, so that nothing is padded.
    height, width = images.shape[-2:]
    blank = jnp.zeros((*images.shape[1:-2], height + 2, width + 2), images.dtype)
    corner = (0,) * (blank.ndim - 2) + (2, 2)

    def step(canvases, given):
        image, mean, cotangent = given
        around, weighted = (
            jax.lax.dynamic_update_slice(canvas, inside, corner)
            for canvas, inside in zip(canvases, (cotangent, cotangent * mean), strict=True)
        )
        return (around, weighted), 2 * (image * _binomial(around) - _binomial(weighted))

    return (jax.lax.scan(step, (blank, blank), (images, means, cotangents))[1],)


local_variance.defvjp(_local_variance_forward, _local_variance_adjoint)


def off_edges(
    variance: Float[Array, "*n height width"], beta: float = LossSettings.beta
) -> Float[Array, "*n height width"]:
    """``1 − E(I) = exp(−V(I)² / 2β²)`` (40): one in flat areas, zero at edges; a constant to gradients."""
    return jax.lax.stop_gradient(jnp.exp(-variance / (2 * beta**2)))


def intensity_loss(
    sharp_variance: Float[Array, "*n height width"],
    layer_variances: Float[Array, "layers *n height width"],
    transmittance: Float[Array, "layers *n height width"],
    settings: LossSettings = LossSettings(),
) -> Float[Array, "*n height width"]:
    """Smoothness of the all-in-focus image and of the layers' intensities (11).

    ``V_E(Î_s, E(Î_s)) + V_E`` of the layers together, with ``V_E(I, E) = ℓ(V(I)) + (1 − E) ⊙ ℓ(V(I))``
    (41). As the released program has it, the layers' part is ``L = Σ_i t_i ⊙ ℓ(V(c_i))``, without
    gradient through ``t_i``, and its edges are those of the variance that has this loss, ``V² = γ² (L² −
    1)``.

    Args:
        sharp_variance: local variance of the all-in-focus image times the gain.
        layer_variances: local variances of the layers' intensities times the gain.
        transmittance: ``t_i``.
        settings: γ and β.
    """
    gamma, beta = settings.gamma, settings.beta
    sharp = robust(sharp_variance, gamma=gamma)
    layers = (jax.lax.stop_gradient(transmittance) * robust(layer_variances, gamma=gamma)).sum(0)
    layers_variance = gamma**2 * ((layers + 1) ** 2 - 1)
    return (1 + off_edges(sharp_variance, beta)) * sharp + (1 + off_edges(layers_variance, beta)) * layers


def alpha_loss(
    alpha_variances: Float[Array, "layers *n height width"],
    transmittance_variances: Float[Array, "layers *n height width"],
    sharp_variance: Float[Array, "*n height width"],
    settings: LossSettings = LossSettings(),
) -> Float[Array, "*n height width"]:
    """``V_E(√α_i, E(Î_s)) + V_E(√t_i, E(Î_s))`` (12), the mean over the layers.

    Args:
        alpha_variances: local variances of ``√α_i``.
        transmittance_variances: local variances of ``√t_i``.
        sharp_variance: local variance of the all-in-focus image times the gain.
        settings: γ and β.
    """
    gamma = settings.gamma
    both = (robust(alpha_variances, gamma=gamma) + robust(transmittance_variances, gamma=gamma)).mean(0)
    return (1 + off_edges(sharp_variance, settings.beta)) * both


@jax.custom_jvp
def root(shares: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """``√x``, with a slope that stays finite at zero, so that the gradient of a wholly transparent layer is
    defined.
    """
    return jnp.sqrt(shares)


@root.defjvp
def _root_slope(primals, tangents):
    value = root(*primals)
    return value, tangents[0] * 0.5 / jnp.maximum(value, TINY**0.5)


def entropy(roots: Float[Array, "layers *n height width"]) -> Float[Array, "*n height width"]:
    """Collision entropy ``S(x) = −log(‖x‖₂² / ‖x‖₁²)`` over the layers of each pixel (13): 0 for a single
    layer.
    """
    # Two logarithms: the slope of a quotient would square TINY, which is then zero in float32.
    return jnp.log(roots.sum(0) ** 2 + TINY) - jnp.log((roots**2).sum(0) + TINY)


def entropy_loss(
    alpha_roots: Float[Array, "layers *n height width"],
    transmittance_roots: Float[Array, "layers *n height width"],
) -> Float[Array, "*n height width"]:
    """``S(√α_2..√α_N) + S(√t_1..√t_N)`` (13): each pixel's light should come from few layers."""
    return entropy(alpha_roots[1:]) + entropy(transmittance_roots)
