"""From photographs of a chart to blur kernels and vignetting, with a report.

Rooms, in the order of the steps: `failure` (a step that failed, and its picture), `geometry`, `chart`,
`photographs`, `vignetting`, `detection` (of the chart's discs), `quadratic_programme` and `fit` (the
kernels), `checks`, `report`, `from_chart` (all steps), `simulated_photographs` (with exact truth, to try it
on).

Axes: kernels [rows, cols, views, kernel, kernel]; points (x, y) in pixels, pixel centres whole. Units:
millimetres on the chart; linear raw in [0, 1].
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
