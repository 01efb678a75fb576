"""The published method (Xin et al., ICCV 2021): five losses of a multiplane image, minimised by Adam.

Rooms: `settings` (the published constants), `bias` (noise bias and its correction, (4) and (5)), `losses`
((7)-(13), (38)-(41)), `objective` (their weighted sum (42) and its gradient), `optimise` (Adam,
checkpoints), `solve` (a capture from end to end).

Axes: layers first, back to front, then views (left, right), height, width. Units: views linear, divided by
their common maximum; defocus in units of the calibrated kernels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
