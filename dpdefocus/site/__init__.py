"""The course as web pages that need no network and no kernel: lessons, reference, comparison.

Rooms: `formulas` (MathML), `navigation` (headings, contents, glossary terms), `pages` (notebooks and
Markdown as pages), `library` (what the source says of itself), `usage` (its names in the lessons' code),
`reference` (a page for each wing), `lesson_page`, `front_page`, `comparison` (pictures side by side),
`course` (all of these).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
