"""The lessons' figures: the only wing that draws, with matplotlib and ipywidgets.

Only one other room uses matplotlib: `calibration.chart` writes its PDF through matplotlib's PDF backend.

Rooms: `common` (photographs, maps, curves), `preview` (a result as one picture), `widgets` (sliders with or
without a kernel), and one for the figures of a lesson: `formation` (1), `calibration` (2), `bias` (3),
`ablations` (5).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
