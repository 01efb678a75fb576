"""Figures quoted from the paper, to be shown beside measured ones without being taken for them.

Source: Xin et al., ICCV 2021, Table 1: means over the 17 scenes of the Pixel 4 set, by the authors' own
metric code, which is not published. Nothing in this module was measured by this project. Scores as in
`metrics`: PSNR in dB, ``spearman`` is ``1 − |ρ_s|``.
"""

from typing import NamedTuple

SOURCE = "Xin et al., ICCV 2021, Table 1 (17 scenes; quoted, not measured here)"


class Quoted(NamedTuple):
    """A row of the paper's table; None where the paper has a dash."""

    method: str
    citation: str
    psnr: float | None = None
    ssim: float | None = None
    mae: float | None = None
    aiwe1: float | None = None
    aiwe2: float | None = None
    spearman: float | None = None


SHARP = {
    "psnr": 26.692,
    "ssim": 0.804,
    "mae": 0.027,
}  # of the paper's method, with and without guided filtering
TABLE_1 = {
    "wiener": Quoted(
        "Wiener deconvolution, two observations",
        "Zhou et al. 2009; Tang & Kutulakos 2012",
        25.806,
        0.704,
        0.032,
        0.156,
        0.197,
        0.665,
    ),
    "dpdnet": Quoted("DPDNet", "Abuolaim & Brown 2020", 25.591, 0.777, 0.034),
    "dmenet": Quoted("DMENet", "Lee et al. 2019", aiwe1=0.144, aiwe2=0.183, spearman=0.586),
    "symmetry": Quoted(
        "kernel symmetry", "Punnappurath et al. 2020", aiwe1=0.124, aiwe2=0.161, spearman=0.444
    ),
    "garg": Quoted(
        "learned depth from dual pixels", "Garg et al. 2019", aiwe1=0.079, aiwe2=0.102, spearman=0.208
    ),
    "stereo": Quoted("dual-pixel stereo", "Wadhwa et al. 2018", aiwe1=0.141, aiwe2=0.177, spearman=0.540),
    "paper": Quoted(
        "the paper's method", "Xin et al. 2021", **SHARP, aiwe1=0.047, aiwe2=0.076, spearman=0.178
    ),
    "paper_guided": Quoted(
        "the paper's method, guided filter",
        "Xin et al. 2021; He et al. 2010",
        **SHARP,
        aiwe1=0.059,
        aiwe2=0.083,
        spearman=0.193,
    ),
}
