"""The classical methods that the solver is compared with, each written anew from its paper's idea.

Rooms: `smoothing` (edge-aware and guided), `stereo` (Wadhwa et al. 2018), `symmetry` (Punnappurath et al.
2020), `aggregation` (Monin et al. 2024), `wiener` (Zhou et al. 2009; Tang & Kutulakos 2012), `methods` (all
of them by name, on the same input).

Axes: views [views, height, width], left first. Units: defocus in units of the calibrated kernels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
