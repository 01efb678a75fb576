"""The course as pages: every lesson as executed, notation and glossary, and a comparison of pictures.

    python -m dpdefocus.site --out-dir out/site

run in the project's folder. The pages need no kernel and no network. Lessons are shown with the outputs that
their notebooks hold: what is on the page is what the tests compare. Nothing is executed but the solver, once,
for the comparison.
"""

import argparse
import html
import re
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from urllib.parse import quote

import nbformat
import numpy as np

from dpdefocus.baselines.methods import BASELINES, Estimate
from dpdefocus.captures import open_capture
from dpdefocus.data.capture import Capture, GroundTruth
from dpdefocus.data.result import Result
from dpdefocus.lessons import pages
from dpdefocus.lessons.comparison import Compared, comparison_page
from dpdefocus.solver import solve
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder

# Pages made of Markdown: file in docs/ -> what its link says.
TEXTS = {"notation.md": "Notation", "glossary.md": "Glossary"}
COMPARE = "compare.html"

# A link of a notebook or a text to another one, as it stands in the repository.
LINK = re.compile(r'href="(?:\.\./)?(?:docs/|notebooks/)?(\w+)\.(?:md|ipynb)(#[^"]*)?"')


def build(
    root: Path, out_dir: Path, compared: Callable[[], Mapping[str, Compared]], repository: str = ""
) -> list[Path]:
    """Write the site; returns the paths of its pages, the index first.

    Args:
        root: of the project, with ``notebooks/`` and ``docs/``.
        compared: gives the pictures of the comparison page; called when nothing else is amiss.
        repository: address of the project on GitHub, for links that open a lesson on Binder or Colab; where
            it is empty there are none.

    Raises:
        InputError: no lessons, a lesson that was not executed, an address that is not one of GitHub, or a
            folder that cannot be written.
    """
    launch = launchers(repository)
    lessons = read_lessons(root / "notebooks")
    navigation = {"Lessons": "index.html", "Compare": COMPARE}
    navigation |= {title: Path(name).with_suffix(".html").name for name, title in TEXTS.items()}
    written = {"index.html": _index(lessons, launch, navigation)}
    for path, lesson in lessons.items():
        links = {text: address.format(quote(path.name)) for text, address in launch.items()}
        written[f"{path.stem}.html"] = pages.notebook_page(lesson, navigation | links)
    for name in TEXTS:
        source = existing_file(root / "docs" / name, "a page of the course").read_text(encoding="utf-8")
        written[Path(name).with_suffix(".html").name] = pages.markdown_page(source, navigation)
    writable_folder(out_dir, "--out-dir")
    body = f"<h1>Compare</h1>\n{_COMPARED}\n{comparison_page(compared(), ('photograph', 'all in focus'))}"
    written[COMPARE] = pages.page("Compare", body, navigation)
    with replacing(out_dir, *written) as staged:
        for path, text in zip(staged, written.values(), strict=True):
            path.write_text(LINK.sub(r'href="\1.html\2"', text), encoding="utf-8")
    return [out_dir / name for name in written]


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


def _index(lessons, launch, navigation):
    entries = []
    for path, lesson in lessons.items():
        title, promise = pages.title_of(lesson), _promise(lesson)
        links = "".join(
            f' · <a href="{html.escape(address.format(quote(path.name)))}" '
            f'aria-label="{html.escape(f"{text}: {title}")}">{text}</a>'
            for text, address in launch.items()
        )
        entries.append(
            f'<li><h2><a href="{path.stem}.html">{html.escape(title)}</a></h2>\n'
            f"{promise}<p>{_minutes(lesson)}{links}</p></li>"
        )
    body = f"<h1>dpdefocus</h1>\n{_WELCOME}\n<ol class='lessons'>\n{''.join(entries)}</ol>"
    return pages.page("dpdefocus: sharp images and defocus maps from one exposure", body, navigation)


def _promise(lesson):
    """What a lesson's reader will be able to do, as HTML."""
    found = re.search(r"\*\*You will be able to\*\*\n((?:- .+\n?(?:  .+\n)*)+)", lesson.cells[0].source)
    return pages.markdown_body(f"You will be able to\n\n{found[1]}") if found else ""


def _minutes(lesson):
    found = re.search(r"\*\*Time\*\* (.+)", lesson.cells[0].source)
    return html.escape(found[1]) if found else ""


_WELCOME = """\
<p>One photograph from a dual-pixel camera holds two views, one through each half of the aperture. From
these two and the camera's blur kernels a sharp image and a defocus map can be recovered. These lessons build
the method, step by step. Every page works as it is: sliders and pictures need no program running behind
them.</p>"""
_COMPARED = """\
<p>The simulated capture of lesson 4, what the solver and the classical methods of lesson 5 recover from it,
and the truth, which is known because the capture is simulated.</p>"""


def solved_pictures() -> dict[str, Compared]:
    """What is compared of the simulated capture of lesson 4, by the solver and by the methods of lesson 5."""
    capture, calibration, truth = open_capture(seed=2)
    result = solve(capture, calibration, preset="classroom")
    # The identity baseline is the photograph, which is shown anyway.
    others = {each.title: each for name, each in BASELINES.items() if name != "identity"}
    estimates = {title: each.estimate(capture, calibration) for title, each in others.items()}
    return pictures_of(capture, result, truth, estimates)


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dpdefocus.site", description=__doc__.partition("\n")[0])
    parser.add_argument("--out-dir", type=Path, required=True, help="folder for the pages")
    options = parser.parse_args(arguments)
    try:
        written = build(Path(), options.out_dir, solved_pictures, project_repository())
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"The site is in {options.out_dir}: open {written[0]} in a browser")
    return 0
