"""Scores, and what is scored.

Rooms: `metrics` (the protocol, in full), `cases` (captures with truth), `ablations` (methods with one part
left out), `published_table` (figures quoted from the paper), `saved_outputs` (of other methods).

Axes: images [height, width]. Units: linear raw in [0, 1]; maps in any affine unit of inverse depth.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
