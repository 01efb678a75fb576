"""Dual-pixel captures of simulated scenes, with exact truth.

Rooms: `textures`, `scenes` (surfaces with mattes and inverse depths), `camera` (lens, pupil, sensor),
`rendering` (blurred slices to raw values), `simulate` (a capture with its truth), `focus_stack` (how the
truth of real captures is measured).

Axes: surfaces first, back to front; views (left, right); height, width. Units: pixels, metres, dioptres;
linear raw in [0, 1].
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
