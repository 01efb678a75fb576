"""Dual-pixel captures of simulated scenes, with exact truth.

Rooms: `textures`, `scenes` (surfaces with mattes and inverse depths), `camera` (lens, pupil, sensor), `rendering`
(thin slices through the aperture), `simulate` (a capture with its truth), `focus_stack` (the way in which truths
are photographed).

Axes: surfaces first, back to front; views (left, right); height, width. Units: pixels, metres, dioptres; linear
raw in [0, 1].
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
