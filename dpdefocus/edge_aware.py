"""Edge-aware smoothing: a patchy map spread out to a whole one that jumps only where the image does.

``min_u Σ_p c_p (u_p − f_p)² + λ Σ_pq w_pq (u_p − u_q)²`` over neighbours p, q (weighted least squares,
Farbman et al., SIGGRAPH 2008), with c the confidence in the value f and w small across the image's edges.
It is solved line by line, along rows and columns in turn, as by Min et al. (Fast global image smoothing,
IEEE TIP 2014): each line is a tridiagonal system.

Axes: images [height, width]; lines [lines, length]. Units: `contrast` is a step of the guide; λ counts
confidence.
"""

import numpy as np
from jaxtyping import Float

ROUNDS = 3  # of rows and columns; the smoothness falls fourfold from one to the next


def edge_aware(
    values: Float[np.ndarray, "height width"],
    confidence: Float[np.ndarray, "height width"],
    guide: Float[np.ndarray, "height width"],
    spread: float,
    contrast: float,
) -> Float[np.ndarray, "height width"]:
    """Values spread from where they are sure to where they are not, but not across edges of the guide.

    The ratio of the smoothed ``c f`` and the smoothed ``c``: a mean with weights that fall with the
    distance and with the edges on the way. ``λ = spread²``, so that a value reaches about `spread` pixels
    far where there is no edge; ``w = exp(−|∇I| / contrast)``.
    """
    across = [np.exp(-np.abs(np.diff(guide, axis=axis)) / contrast) for axis in (0, 1)]
    weight = np.float64(confidence) + 1e-9 * confidence.max()
    # Offsets cancel in the ratio only up to rounding.
    middle = np.average(values, weights=weight)
    both = np.stack([weight * (values - middle), weight])
    for turn in range(ROUNDS):
        share = 1.5 * 4.0 ** (ROUNDS - 1 - turn) / (4.0**ROUNDS - 1) * spread**2
        both = np.stack([smooth_lines(each, share * across[1]) for each in both])
        both = np.stack([smooth_lines(each.T, share * across[0].T).T for each in both])
    return (both[0] / both[1] + middle).astype(values.dtype)


def smooth_lines(
    lines: Float[np.ndarray, "lines length"], links: Float[np.ndarray, "lines gaps"]
) -> Float[np.ndarray, "lines length"]:
    """``min_u Σ (u_p − f_p)² + Σ links_p (u_p − u_{p+1})²`` on each line, by elimination."""
    length = lines.shape[1]
    links = np.ascontiguousarray(links.T)
    before, after = (np.pad(links, pad) for pad in (((1, 0), (0, 0)), ((0, 1), (0, 0))))
    solved = np.array(lines.T, np.float64)
    upper = np.zeros_like(solved)
    for n in range(length):
        pivot = 1 + before[n] + after[n]
        if n:
            pivot -= before[n] * upper[n - 1]
            solved[n] += before[n] * solved[n - 1]
        upper[n] = after[n] / pivot
        solved[n] /= pivot
    for n in range(length - 2, -1, -1):
        solved[n] += upper[n] * solved[n + 1]
    return solved.T
