"""From light to blur: the lens, its half-apertures, their kernels, and layers seen through them.

Rooms: `lens` (thin lens: size of the blur), `pupil` (the half-apertures and their kernels), `kernels`
(calibrated kernels at every size), `kernel_models` (parametric kernels), `aberration` (error of resized
kernels), `tiling`, `tiled_blur` and `tiled_losses` (one kernel per cell), `blended_tiles` (kernels that
change smoothly), `mpi` (the multiplane image: (1), (2), (14), (15), (17)).

Axes: layers come first, **back to front**; then views (left, right), height, width. Units: pixels; dioptres
for inverse depth; defocus sizes in units of the calibrated kernels, unless stated otherwise.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
