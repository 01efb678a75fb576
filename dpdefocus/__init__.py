"""Defocus maps and all-in-focus images from a single dual-pixel capture.

After Xin et al., "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image", ICCV 2021.

    import dpdefocus as dp

    capture, calibration = dp.load_pixel4("pixel4", "001")
    result = dp.solve(capture, calibration)
    dp.save_result(result, "out/001")

The names above all wings are what most users need. The wings, from the ground: `support`, `data`, `optics`;
`fast` (the default solution), `paper` (the published one) and `simulation` side by side; `baselines` and
`calibration`; `solver` and `captures`; `evaluation` and `proof`; `site`; `figures` and `lessons`. Imports run
downwards only. Each wing states its rooms, axes and units once. All is loaded when it is first used:
importing computes nothing and starts no device.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
