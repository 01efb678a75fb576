"""Notebooks in; runs, batches and editions out.

Rooms: `run` (one lesson, unattended), `jobs` (what a batch is to run), `contact_sheet`, `batch` (many
captures), `editions` (for students, for Colab).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
