"""The course as pages: every lesson as executed, its reference and texts, and a comparison of pictures.

    dpdefocus site --out-dir out/site

run in the project's folder. The pages need no kernel and no network. Lessons are shown with the outputs that
their notebooks hold: what is on the page is what the tests compare. Nothing is executed but the solver, once,
for the comparison. A name of the library in a lesson's code links to its entry in the reference, which links
back.
"""

import html
import re
from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from urllib.parse import quote

import nbformat
import numpy as np

from dpdefocus.baselines.methods import BASELINES, Baseline, Estimate
from dpdefocus.captures import open_capture
from dpdefocus.data.capture import Capture, GroundTruth
from dpdefocus.data.result import Result
from dpdefocus.site import lesson_page, navigation, pages, reference
from dpdefocus.site.comparison import Compared, comparison_page
from dpdefocus.site.front_page import front_page_body
from dpdefocus.site.library import read_library
from dpdefocus.solver import solve
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder

# Pages made of Markdown: file in docs/ -> what its link says.
TEXTS = {
    "notation.md": "Notation",
    "glossary.md": "Glossary",
    "own_camera.md": "Your own camera",
    "many_captures.md": "Many captures",
    "results.md": "Results",
}
GLOSSARY = "glossary.md"
COMPARE = "compare.html"

# Links of a notebook or a text as they stand in the repository: to another one, to a room of the library, and
# to anything else.
LINK = re.compile(r'href="(?:\.\./)?(?:docs/|notebooks/)?(\w+)\.(?:md|ipynb)(#[^"]*)?"')
ROOM_LINK = re.compile(r'href="\.\./dpdefocus/(\w+)/(\w+)\.py"')
OTHER_LINK = re.compile(r'<a href="\.\./([^"]*)">(.*?)</a>', re.DOTALL)

_TITLE = "dpdefocus: sharp images and defocus maps from one exposure"
_PAPER = "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image"
_LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"


def build(
    root: Path, out_dir: Path, compared: Callable[[], Mapping[str, Compared]], repository: str = ""
) -> list[Path]:
    """Write the site; returns the paths of its pages, the index first.

    Args:
        root: of the project, with ``notebooks/`` and ``docs/``.
        compared: gives the pictures of the comparison page; called when nothing else is amiss.
        repository: address of the project on GitHub, for links to it and those that open a lesson on Binder
            or Colab; where it is empty there are none.

    Raises:
        InputError: no lessons, a lesson that was not executed, an address that is not one of GitHub, or a
            folder that cannot be written.
    """
    launch = launchers(repository)
    lessons = read_lessons(root / "notebooks")
    library = read_library()
    texts = _text_bodies(root / "docs", library)
    writable_folder(out_dir, "--out-dir")
    uses = {path: lesson_page.uses_in_cells(lesson, library) for path, lesson in lessons.items()}
    framed = partial(_framed, footer=_footer(repository))

    written = {"index.html": framed(_TITLE, front_page_body(lessons, launch))}
    for name, (body, headings) in texts.items():
        written[_page_of(name)] = framed(TEXTS[name], navigation.with_term_ids(body), headings)
    for name, described in reference.reference_pages(library, lesson_page.uses_in_lessons(uses)).items():
        written[name] = framed(*described)
    terms = {
        term: f"{_page_of(GLOSSARY)}#{entry}"
        for term, entry in navigation.glossary_terms(texts[GLOSSARY][0]).items()
    }
    addresses = [(f"{path.stem}.html", pages.title_of(lesson)) for path, lesson in lessons.items()]
    around = zip([None, *addresses[:-1]], [*addresses[1:], None], strict=True)
    for (path, lesson), (before, after) in zip(lessons.items(), around, strict=True):
        body, headings = lesson_page.lesson_body(lesson, library, uses[path], terms)
        body += navigation.neighbours(before, after)
        opened = {text: address.format(quote(path.name)) for text, address in launch.items()}
        written[f"{path.stem}.html"] = framed(pages.title_of(lesson), body, headings, opened)
    title = navigation.heading(1, "compare", "Compare")
    comparison = comparison_page(compared(), ("photograph", "all in focus"))
    written[COMPARE] = framed("Compare", f"{title}{_COMPARED}\n{comparison}")
    with replacing(out_dir, *written) as staged:
        for path, text in zip(staged, written.values(), strict=True):
            path.write_text(with_site_links(text, repository), encoding="utf-8")
    return [out_dir / name for name in written]


def with_site_links(page: str, repository: str) -> str:
    """A page whose links to the repository's files lead to their pages.

    A room of the library has its place in the reference. What has no page is linked in the repository, and is
    plain text where that has no address.
    """
    page = ROOM_LINK.sub(r'href="reference_\1.html#\1.\2"', LINK.sub(r'href="\1.html\2"', page))
    project = repository.rstrip("/").removesuffix(".git")
    return OTHER_LINK.sub(rf'<a href="{project}/tree/HEAD/\1">\2</a>' if project else r"\2", page)


def _text_bodies(folder, library):
    """File name -> body as HTML, and headings, of each page that is made of Markdown."""
    found = {}
    for name in TEXTS:
        source = existing_file(folder / name, "a page of the course").read_text(encoding="utf-8")
        renderer = pages.Renderer(partial(reference.address_in_text, library))
        found[name] = pages.markdown_body(source, renderer), renderer.headings
    return found


def _framed(title, body, headings=(), opened=None, *, footer):
    """A page with what all have around it; `opened` is linked above it besides."""
    links = {"Lessons": "index.html", "Compare": COMPARE, "Reference": reference.FRONT}
    links |= {text: _page_of(name) for name, text in TEXTS.items()}
    return pages.page(title, body, links | (opened or {}), headings, footer)


def _page_of(name):
    return Path(name).with_suffix(".html").name


def _footer(repository):
    """The paper, the project and its licence, as HTML."""
    project = f' · <a href="{html.escape(repository)}">Project</a>' if repository else ""
    return (
        f"<p>After S. Xin et al., <cite>{_PAPER}</cite>, ICCV 2021.</p>\n"
        f'<p>Licence: <a href="{_LICENCE}">Apache 2.0</a>{project}</p>'
    )


def lesson_paths(folder: Path) -> list[Path]:
    """The lessons of a folder in their order."""
    paths = sorted(folder.glob("[0-9]*.ipynb"))
    if not paths:
        raise InputError(f"{folder}: found no lessons, expected notebooks such as 01_image_formation.ipynb")
    return paths


def read_lessons(folder: Path) -> dict[Path, nbformat.NotebookNode]:
    """The lessons of a folder in their order, each executed.

    Raises:
        InputError: none there, or a cell that was not executed, failed, or asks for a kernel.
    """
    lessons = {path: nbformat.read(path, as_version=4) for path in lesson_paths(folder)}
    for path, lesson in lessons.items():
        for number, cell in enumerate(lesson.cells):
            if cell.cell_type != "code":
                continue
            kinds = {kind for output in cell.outputs for kind in output.get("data", {})}
            if not cell.execution_count:
                found = "was not executed"
            elif any(output.output_type == "error" for output in cell.outputs):
                found = "stopped with an error"
            elif any("widget" in kind for kind in kinds):
                found = "holds sliders that need a kernel"
            else:
                continue
            raise InputError(f"{path}: cell {number} {found}. Run `make notebooks` first")
    return lessons


def launchers(repository: str) -> dict[str, str]:
    """Text of a link -> address with a place for the notebook's name; none without a repository."""
    if not repository:
        return {}
    found = re.fullmatch(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?", repository)
    if not found:
        raise InputError(f"repository: found {repository!r}, expected https://github.com/<owner>/<name>")
    name = found[1]
    return {
        "Open in Binder": f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/notebooks/{{}}",
        "Open in Colab": f"https://colab.research.google.com/github/{name}/blob/main/notebooks/{{}}",
    }


def project_repository() -> str:
    """The address that pyproject.toml gives under ``[project.urls]`` as ``Repository``; or nothing.

    It is that of the installed package.
    """
    try:
        links = metadata("dpdefocus").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return dict(link.split(", ", 1) for link in links).get("Repository", "")


def pictures_of(
    capture: Capture, result: Result, truth: GroundTruth, others: Mapping[str, Estimate]
) -> dict[str, Compared]:
    """What is compared of a solved capture with known truth, and of what `others` (by title) make of it."""
    photograph = capture.views.mean(0)
    white = 0.0, float(photograph.max())
    known = np.where(truth.mask, truth.defocus_map, np.nan)
    sizes = float(np.nanmin(known)), float(np.nanmax(known))

    def seen(image, alt):
        return Compared(np.asarray(image), alt, "linear raw", white)

    def mapped(image, alt):
        return Compared(np.asarray(image), alt, "defocus size", sizes, "viridis")

    def off(image):
        error = np.abs(image - known)
        return Compared(error, "Bright where the map is wrong.", "defocus size", (0.0, sizes[1] / 2), "magma")

    shown = {
        "photograph": seen(photograph, "The mean of both views, blurred where the scene is out of focus."),
        "all in focus": seen(result.all_in_focus, "The sharp image that the solver recovers."),
        "sharp truth": seen(truth.all_in_focus, "The scene as a pinhole camera would show it."),
    }
    for title, other in others.items():
        if other.all_in_focus is not None:
            shown[f"{title}, sharp"] = seen(other.all_in_focus, "The sharp image of another method.")
    shown |= {
        "left view": seen(capture.views[0], "Blurred towards one side."),
        "right view": seen(capture.views[1], "Blurred towards the other side."),
        "true defocus map": mapped(
            known, "The true size of the blur at each pixel, white where it has none."
        ),
        "defocus map": mapped(
            result.defocus_map, "The size of the blur that the solver finds at each pixel."
        ),
        "error of the map": off(result.defocus_map),
        "confidence": Compared(
            result.confidence, "Low at outlines and on bare surfaces.", "of 1", (0.0, 1.0), "viridis"
        ),
    }
    for title, other in others.items():
        if other.defocus_map is not None:
            shown[f"{title}, map"] = mapped(other.defocus_map, "The defocus map of another method.")
            shown[f"{title}, error"] = off(other.defocus_map)
    return shown


_COMPARED = """\
<p>The simulated capture of lesson 4, what the solver and the classical methods of lesson 5 recover from it,
and the truth, which is known because the capture is simulated.</p>"""


def solved_pictures(methods: Mapping[str, Baseline] = BASELINES) -> dict[str, Compared]:
    """What is compared of the simulated capture of lesson 4, by the solver and by the methods of lesson 5."""
    capture, calibration, truth = open_capture(seed=2)
    result = solve(capture, calibration, preset="classroom")
    # The identity baseline is the photograph, which is shown anyway.
    others = {each.title: each for name, each in methods.items() if name != "identity"}
    estimates = {title: each.estimate(capture, calibration) for title, each in others.items()}
    return pictures_of(capture, result, truth, estimates)


def build_site(out_dir: Path) -> list[Path]:
    """`build` the site of the project in whose folder this runs."""
    return build(Path(), out_dir, solved_pictures, project_repository())
