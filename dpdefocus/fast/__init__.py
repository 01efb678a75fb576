"""The default solution: label every pixel with a defocus size, then deconvolve layer by layer.

Rooms, in the order of the pipeline: `settings` (every constant), `noise` (measured in the capture), `images`
(reducing, windows, blocks), `wiener` (two-observation deconvolution (27), energy of each hypothesis (26)),
`labelling` (one size for each pixel), `defocus` (views to map), `layers` (map to layers), `occlusion` (views
without what stands in front), `deconvolution` (the sharp image), `solve` (the pipeline on one page).

Axes: views [views, height, width], left first; hypotheses and layers first, layers back to front. Units:
images in units of twice their mean (mean 0.5: middle grey); defocus in units of the calibrated kernels.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
