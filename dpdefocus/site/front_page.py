"""The course's first page: each lesson's title, picture, promise and time, read from its notebook."""

import base64
import html
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import cv2
import nbformat
import numpy as np

from dpdefocus.site import pages
from dpdefocus.site.navigation import heading
from dpdefocus.support.files import WEBP, webp

THUMBNAIL = 288, 192  # pixels across and down; shown at two thirds of it
QUALITY = 75  # as a WebP

IMAGE = re.compile(r'<img [^>]*alt="([^"]+)"[^>]* src="data:image/[a-z]+;base64,([^"]+)"')

_WELCOME = """\
<p>One photograph from a dual-pixel camera holds two views, one through each half of the aperture. From
these two and the camera's blur kernels a sharp image and a defocus map can be recovered. These lessons build
the method, step by step. Every page works as it is: sliders and pictures need no program running behind
them.</p>"""


def front_page_body(lessons: Mapping[Path, nbformat.NotebookNode], launch: Mapping[str, str]) -> str:
    """The list of the lessons, as HTML.

    Args:
        lessons: path of the notebook -> lesson as executed, in their order.
        launch: text of a link -> address with a place for the notebook's name.
    """
    entries = []
    for path, lesson in lessons.items():
        title = pages.title_of(lesson)
        links = "".join(
            f' · <a href="{html.escape(address.format(quote(path.name)))}" '
            f'aria-label="{html.escape(f"{text}: {title}")}">{text}</a>'
            for text, address in launch.items()
        )
        entries.append(
            f"<li>{_thumbnail(lesson)}<div>"
            f'<h2 id="{path.stem}"><a href="{path.stem}.html">{html.escape(title)}</a></h2>\n'
            f"{_promise(lesson)}<p>{html.escape(_minutes(lesson))}{links}</p></div></li>\n"
        )
    return f'{heading(1, "dpdefocus", "dpdefocus")}{_WELCOME}\n<ol class="lessons">\n{"".join(entries)}</ol>'


def _promise(lesson):
    """What a lesson's reader will be able to do, as HTML."""
    found = re.search(r"\*\*You will be able to\*\*\n((?:- .+\n?(?:  .+\n)*)+)", lesson.cells[0].source)
    return pages.markdown_body(f"You will be able to\n\n{found[1]}") if found else ""


def _minutes(lesson):
    """The sentence on the time that a lesson takes, on one line."""
    found = re.search(r"\*\*Time\*\*\s+([^.]+\.)", lesson.cells[0].source)
    return " ".join(found[1].split()) if found else ""


def _thumbnail(lesson):
    """The middle of one of a lesson's own pictures, small; nothing where it has none.

    It is the one with most to see: whose thumbnail takes most bytes.
    """
    figures = [
        output.data["text/html"].partition("<script>")[0]
        for cell in lesson.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    found = [(_cut(picture), alt) for figure in figures for alt, picture in IMAGE.findall(figure)]
    picture, alt = max(found, key=lambda each: len(each[0]), default=("", ""))
    return f'<img alt="{alt}" src="{WEBP}{picture}">' if picture else ""


def _cut(picture):
    """A picture in base64 cut to the shape of a thumbnail and reduced, as a WebP in base64."""
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture), np.uint8), cv2.IMREAD_COLOR)
    height, width = pixels.shape[:2]
    across = min(width, height * THUMBNAIL[0] // THUMBNAIL[1])
    down = min(height, width * THUMBNAIL[1] // THUMBNAIL[0])
    left, top = (width - across) // 2, (height - down) // 2
    cut = pixels[top : top + down, left : left + across]
    return webp(cv2.resize(cut, THUMBNAIL, interpolation=cv2.INTER_AREA), QUALITY)
