"""Notebooks in; runs, batches, pages and editions out.

Rooms: `run` (one lesson, unattended), `jobs` (what a batch is to run), `batch` (many captures), `contact_sheet`,
`formulas` (MathML), `pages` (notebooks and Markdown as pages), `comparison` (pictures side by side), `site`,
`editions` (for students, for Colab).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
