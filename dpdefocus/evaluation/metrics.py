"""How a result is scored: PSNR, SSIM, MAE of the all-in-focus image; AIWE, rank correlation of the map.

Axes: images [height, width]; inside the map's scores, pixels are one axis. Units: linear raw in [0, 1] for
the all-in-focus images, any affine scale for defocus maps. The paper's metric code is not published, so the
protocol is stated here in full. AIWE and the rank correlation are after Garg et al., "Learning single camera
depth estimation using dual-pixels", ICCV 2019.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from dpdefocus.baselines.methods import Estimate
from dpdefocus.data.capture import GroundTruth
from dpdefocus.evaluation import metrics
from dpdefocus.support.errors import InputError


def scores(estimate: Estimate, truth: GroundTruth) -> dict[str, float | bool]:
    """Those scores of `score` that the estimate allows.

    Raises:
        InputError: an empty estimate, or images that are not finite or not of the truth's shape.
    """
    if all(image is None for image in estimate):
        raise InputError("estimate: found neither a sharp image nor a defocus map")
    for name, image in estimate._asdict().items():
        if image is not None and image.shape != truth.mask.shape:
            raise InputError(f"{name}: found shape {image.shape}, expected the truth's, {truth.mask.shape}")
        if image is not None and not np.isfinite(image).all():
            raise InputError(f"{name}: found values that are not finite")
    scored = {}
    if estimate.all_in_focus is not None:
        scored |= metrics.image_scores(estimate.all_in_focus, truth.all_in_focus)
    if estimate.defocus_map is not None:
        scored |= metrics.map_scores(estimate.defocus_map, truth.defocus_map, truth.mask)
    return scored


Image = Float[np.ndarray, "height width"]
Pixels = Float[np.ndarray, " pixels"]
Mask = Bool[np.ndarray, " pixels"]

# Rim that is left out after the alignment, in pixels: no recovered image is shifted as far.
RIM = 8

# ECC stops after this many iterations, or when its correlation coefficient grows by less; both images are
# smoothed by a Gaussian of this many pixels first, which is OpenCV's default.
ECC_ITERATIONS = 200
ECC_TOLERANCE = 1e-6
ECC_SMOOTHING = 5
RIDGE = 1e-5  # on (a, b), of the sum
IRLS_ROUNDS = 5
IRLS_FLOOR = 1e-3


def align_affine(image: Image, truth: Image) -> tuple[Image, bool]:
    """The image warped onto the truth by an affine map, and whether one was found.

    The map maximises the enhanced correlation coefficient (ECC; Evangelidis and Psarakis, PAMI 2008) of the
    two, starting at the identity: a recovered image may be shifted, since kernels are known only up to a
    shift. Resampling is bilinear; beyond the image its edge is repeated. ECC ignores gain and offset, and
    none is fitted. If it does not converge (on a constant image, say), the image is returned unchanged, with
    False.
    """
    image, truth = np.float32(image), np.float32(truth)
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ECC_ITERATIONS, ECC_TOLERANCE)
    try:
        _, warp = cv2.findTransformECC(
            truth, image, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, criteria, None, ECC_SMOOTHING
        )
    except cv2.error:
        return image, False
    height, width = truth.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, warp, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE), True


def image_scores(image: Image, truth: Image) -> dict[str, float | bool]:
    """PSNR (dB), SSIM (7 x 7 window), MAE of an all-in-focus image: aligned, rim cut, truth's maximum 1."""
    aligned, converged = align_affine(image, truth)
    inner = (slice(RIM, -RIM), slice(RIM, -RIM))
    aligned, truth = (np.float64(each[inner]) / truth[inner].max() for each in (aligned, truth))
    return {
        "psnr": float(peak_signal_noise_ratio(truth, aligned, data_range=1)),
        "ssim": float(structural_similarity(truth, aligned, data_range=1)),
        "mae": float(np.abs(aligned - truth).mean()),
        "aligned": converged,
    }


def _fit_affine(prediction: Pixels, truth: Pixels, weight: Pixels) -> Pixels:
    """Residual ``a p + b - g`` of ``min_{a,b} sum w (a p + b - g)^2 + ridge (a^2 + b^2)``."""
    basis = np.stack([prediction, np.ones_like(prediction)])
    normal = (basis * weight) @ basis.T + RIDGE * np.eye(2)
    return np.linalg.solve(normal, basis @ (weight * truth)) @ basis - truth


def aiwe1(prediction: Pixels, truth: Pixels, weight: Pixels) -> float:
    """AIWE(1), ``min_{a,b} sum w |a p + b - g| / sum w``, by five rounds of reweighted least squares."""
    reweight = np.ones_like(truth)
    for _ in range(IRLS_ROUNDS):
        residual = np.abs(_fit_affine(prediction, truth, weight * reweight))
        reweight = 1 / np.maximum(IRLS_FLOOR, residual)
    return float((weight * residual).sum() / weight.sum())


def aiwe2(prediction: Pixels, truth: Pixels, weight: Pixels) -> float:
    """AIWE(2), ``min_{a,b} sqrt(sum w (a p + b - g)^2 / sum w)``: weighted least squares."""
    residual = _fit_affine(prediction, truth, weight)
    return float(np.sqrt((weight * residual**2).sum() / weight.sum()))


def _one_minus_correlation(first: Pixels, second: Pixels, weight: Pixels) -> float:
    """``1 - |weighted Pearson correlation|``; 1 where one of them is constant."""
    first, second = (each - np.average(each, weights=weight) for each in (first, second))
    scale = np.sqrt((weight * first**2).sum() * (weight * second**2).sum())
    return float(1 - abs((weight * first * second).sum()) / scale) if scale > 0 else 1.0


def spearman(prediction: Pixels, truth: Pixels, mask: Mask) -> float:
    """``1 - |rho_s|``, the main one: pixels ranked inside the mask, ties sharing their average rank."""
    first, second = rankdata(prediction[mask]), rankdata(truth[mask])
    return _one_minus_correlation(first, second, np.ones_like(first))


def spearman_ordinal(prediction: Pixels, truth: Pixels, mask: Mask) -> float:
    """``1 - |rho_s|`` with all pixels ranked, masked or not, and ties in the order of the pixels.

    The correlation itself is taken over the mask. Ranks of a constant would be the pixels' order: its score
    is 1.
    """
    if np.ptp(prediction[mask]) == 0 or np.ptp(truth[mask]) == 0:
        return 1.0
    first, second = (rankdata(each, method="ordinal").astype(np.float64) for each in (prediction, truth))
    return _one_minus_correlation(first, second, mask.astype(np.float64))


def map_scores(
    prediction: Image,
    truth: Image,
    mask: Bool[np.ndarray, "height width"],
) -> dict[str, float]:
    """AIWE(1), AIWE(2) and ``1 - |rho_s|`` by both ranking rules, of a map in any affine scale; 0 is best."""
    prediction, truth, mask = np.float64(prediction).ravel(), np.float64(truth).ravel(), mask.ravel()
    weight = mask.astype(np.float64)
    return {
        "aiwe1": aiwe1(prediction, truth, weight),
        "aiwe2": aiwe2(prediction, truth, weight),
        "spearman": spearman(prediction, truth, mask),
        "spearman_ordinal": spearman_ordinal(prediction, truth, mask),
    }


def score(
    all_in_focus: np.ndarray,
    defocus_map: np.ndarray,
    ground_truth: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> dict[str, float | bool]:
    """All scores of one scene; the truth is ``(all_in_focus, defocus_map, mask)``, a ``data.GroundTruth``.

    Keys: ``psnr`` (dB), ``ssim``, ``mae``, ``aligned`` (False: the alignment failed and was left out),
    ``aiwe1``, ``aiwe2``, ``spearman`` (``1 - |rho_s|``, average ranks inside the mask), ``spearman_ordinal``.

    Raises:
        InputError: an image that is not finite or not of the truth's shape, or an empty mask.
    """
    true_image, true_map, mask = ground_truth
    predictions = {"all_in_focus": np.asarray(all_in_focus), "defocus_map": np.asarray(defocus_map)}
    for name, image in predictions.items():
        if image.shape != true_image.shape:
            raise InputError(f"{name}: found shape {image.shape}, expected the truth's, {true_image.shape}")
        if not np.isfinite(image).all():
            raise InputError(f"{name}: found values that are not finite")
    if not mask.any():
        raise InputError("ground_truth: the mask is empty, expected pixels where the defocus map is known")
    return image_scores(predictions["all_in_focus"], true_image) | map_scores(
        predictions["defocus_map"], true_map, mask
    )
