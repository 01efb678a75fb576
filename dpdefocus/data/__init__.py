"""A capture, its calibration and its result: in memory and on disk.

Rooms, in the order in which data flows: `capture` (what a capture and a calibration are), `raw` (the camera's
integers), `loading` (files to captures), `pixel4` (the scenes of the paper), `result` (what is saved).

Axes: views = (left, right), [views, height, width]; kernels [rows, cols, views, kernel, kernel] on a grid of
equal cells of the frame. Units: raw integers are the sensor's; everything else is linear raw in [0, 1].
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
