"""Helpers that every wing uses.

Rooms: `errors` (messages for users), `files` (images in, whole files out), `progress_bar`, `memory`,
`devices` (processor cores), `nested` (settings within settings), `parabola` (the minimum of sampled costs),
`panels` (images and maps in 8 bits).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
