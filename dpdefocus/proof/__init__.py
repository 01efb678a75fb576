"""The noise-bias proof of the paper (Sec. 4.2, C.2), line by line, and by experiment.

Rooms: `checks` (what a check is), `derivation` (every formula of the proof), `steps` (which follows from
which), `trials` (sampled captures), `claims` (about samples and whole images), `maps` (on whole captures).

Axes: transforms are unitary; draws come first. Units: energies in squares of the views' unit.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
