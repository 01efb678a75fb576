"""What every wing needs and no paper speaks of.

Rooms: `errors` (what users are told), `files` (images in, whole files out), `progress_bar`, `memory`,
`devices` (cores and accelerators), `parabola` (the lowest point of sampled costs).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
