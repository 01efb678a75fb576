"""The site, built from the lessons as committed, in a real browser; broken copies show what is told."""

import io
import re
import shutil
import sys
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pytest
from browser import NARROW, WIDE, Opened, browser, link_problems, page_problems  # noqa: F401
from lesson_checks import LESSONS, ROOT

from dpdefocus import site
from dpdefocus.__main__ import main
from dpdefocus.baselines.methods import BASELINES, Baseline, Estimate
from dpdefocus.data.capture import Capture, GroundTruth
from dpdefocus.data.result import Result
from dpdefocus.site import course as site_room
from dpdefocus.support.errors import InputError

LESSON_PAGES = [f"{lesson.stem}.html" for lesson in LESSONS]
WINGS = sorted(stub.parent.name for stub in (ROOT / "dpdefocus").glob("*/__init__.pyi"))
REFERENCE = ["reference.html", *(f"reference_{wing}.html" for wing in WINGS)]
TEXTS = [f"{name}.html" for name in ("notation", "glossary", "own_camera", "many_captures", "results")]
PAGES = ["index.html", *LESSON_PAGES, "compare.html", *TEXTS, *REFERENCE]
HEIGHT, WIDTH = 24, 32
DESKTOP = 1280  # pixels across


class Built(NamedTuple):
    """The site as the command built it: its folder, what was printed, the presets that were solved with."""

    folder: Path
    told: str
    presets: list[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The one site of all tests here, by the command; the solver and the methods are stand-ins."""
    out = tmp_path_factory.mktemp("site")
    views = np.random.default_rng(0).uniform(0.1, 0.9, (2, HEIGHT, WIDTH)).astype(np.float32)
    capture = Capture(views, "noise", np.zeros((HEIGHT, WIDTH), bool))
    truth = GroundTruth(views[0], views[1], np.ones((HEIGHT, WIDTH), bool))
    layers = np.ones(1, np.float32), np.ones((1, 2, 2), np.float32)
    solved = Result(views[0], views[1], views[1], *layers, 1.0, {})
    presets = []
    method = Baseline("a method", "", "nothing", lambda *_: Estimate(None, views[1]))
    pictures = partial(site.solved_pictures, {"identity": BASELINES["identity"], "method": method})
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as told:
        patch.setattr(site_room, "open_capture", lambda seed: (capture, None, truth))
        patch.setattr(site_room, "solve", lambda *_, preset: presets.append(preset) or solved)
        patch.setattr(site_room, "solved_pictures", pictures)
        patch.setattr(site_room, "project_repository", lambda: "https://github.com/owner/name")
        patch.chdir(ROOT)
        assert main(["site", "--out-dir", str(out)]) == 0
    return Built(out, told.getvalue(), presets)


@pytest.fixture(scope="module")
def folder(built):
    return built.folder


def test_command_builds_the_site_of_the_project_that_it_is_run_in(built):
    """A page for every lesson, and nothing else."""
    assert built.presets == ["classroom"]
    assert f"open {built.folder / 'index.html'} in a browser" in built.told
    assert sorted(path.name for path in built.folder.iterdir()) == sorted(PAGES)
    assert "a method, map" in (built.folder / "compare.html").read_text()
    assert "mybinder.org/v2/gh/owner/name/" in (built.folder / "index.html").read_text()


@pytest.mark.parametrize("name", PAGES)
def test_page_is_read_narrow_by_keyboard_and_without_a_network(browser, folder, name):
    # Of the lessons and of the wings, each made by the same rules, one is gone through tab by tab.
    same_rules = {*LESSON_PAGES[1:], *REFERENCE[1:]} - {"reference_support.html"}
    assert page_problems(browser, folder / name, name not in same_rules) == []


def test_lessons_keep_their_figures_sliders_and_formulas(folder):
    for lesson in LESSONS:
        page = (folder / f"{lesson.stem}.html").read_text()
        outputs = [output for cell in nbformat.read(lesson, 4).cells for output in cell.get("outputs", [])]
        htmls = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
        assert htmls and all(html in page for html in htmls)
        assert page.count("<math") > 10 and "\\tag" not in page


def test_links_lead_to_pages_and_places_that_exist_and_to_binder_and_colab(folder):
    assert link_problems(folder) == []
    lesson = LESSONS[0].name
    index = (folder / "index.html").read_text()
    assert f'"https://mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/notebooks/{lesson}"' in index
    assert f'"https://colab.research.google.com/github/owner/name/blob/main/notebooks/{lesson}"' in index


@pytest.mark.parametrize(
    ("found", "instead", "problem"),
    [
        (
            'href="glossary.html',
            'href="glosary.html',
            " leads to glosary.html, which is no page",
        ),
        (
            'href="#exercises"',
            'href="#exercise"',
            " leads to #exercise, where no such place is",
        ),
        ('id="exercises"', 'id="summary"', ": two things are called summary"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(folder, tmp_path, found, instead, problem):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    path = tmp_path / LESSON_PAGES[0]
    whole = path.read_text()
    path.write_text(whole.replace(found, instead, 1))
    assert path.read_text() != whole
    assert f"{path.name}{problem}" in link_problems(tmp_path)


@pytest.mark.parametrize(
    ("link", "repository", "expected"),
    [
        ("../docs/notation.md#marks", "", '<a href="notation.html#marks">x</a>'),
        ("01_a.ipynb", "", '<a href="01_a.html">x</a>'),
        ("../dpdefocus/optics/lens.py", "", '<a href="reference_optics.html#optics.lens">x</a>'),
        ("../benchmarks/table.py", "", "x"),
        (
            "../benchmarks",
            "https://github.com/o/n.git",
            '<a href="https://github.com/o/n/tree/HEAD/benchmarks">x</a>',
        ),
        ("https://example.org/a.md", "", '<a href="https://example.org/a.md">x</a>'),
        ("#marks", "", '<a href="#marks">x</a>'),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(link, repository, expected):
    assert site_room.with_site_links(f'<a href="{link}">x</a>', repository) == expected


def headings(page):
    """(level, attributes, title as text) of all headings."""
    found = re.findall(r"<h([1-6])([^>]*)>(.*?)</h\1>", page.partition("<main")[2], re.DOTALL)
    return [
        (int(level), attributes, text_of(re.sub("<a class.*?</a>", "", title)))
        for level, attributes, title in found
    ]


def text_of(markup):
    return " ".join(re.sub("<[^>]*>", "", markup).split())


@pytest.mark.parametrize("name", PAGES)
def test_headings_have_ids_and_the_contents_list_them(folder, name):
    page = (folder / name).read_text()
    ids = [re.fullmatch(' id="([^"]+)"', attributes)[1] for _, attributes, _ in headings(page)]
    assert len(set(ids)) == len(ids) >= 1
    sections = [(id, title) for id, (level, _, title) in zip(ids, headings(page), strict=True) if level == 2]
    listed = re.search('<nav class="contents".*?</nav>', page, re.DOTALL)
    if name in ("index.html", "compare.html", "glossary.html"):  # a list itself, or too short for one
        assert listed is None
    else:
        links = re.findall(r'<li><a href="#([^"]+)">(.*?)</a></li>', listed[0])
        assert [(id, text_of(title)) for id, title in links] == sections


def test_lessons_lead_to_those_before_and_after(folder):
    for number, name in enumerate(LESSON_PAGES):
        page = (folder / name).read_text()
        around = [re.findall(rf'<a rel="{way}" href="([^"]+)"', page) for way in ("prev", "next")]
        assert around == [LESSON_PAGES[:number][-1:], LESSON_PAGES[number + 1 :][:1]]


def test_index_shows_a_picture_and_the_whole_time_of_every_lesson(folder):
    entries = re.findall("<li>(<img.*?)</div></li>\n", (folder / "index.html").read_text(), re.DOTALL)
    assert len(entries) == len(LESSONS)
    for lesson, entry in zip(LESSONS, entries, strict=True):
        time = re.search(r"\*\*Time\*\* ([^.]*\.)", nbformat.read(lesson, 4).cells[0].source)[1]
        assert " ".join(time.split()) in entry and "to run on two CPU cores" in entry
        assert re.search('<img alt="[^"]{10,}" src="data:image/webp;base64,[^"]{1000,}">', entry)


def test_code_of_lessons_leads_to_the_reference_and_back(folder):
    for number, name in enumerate(LESSON_PAGES, 1):
        page = (folder / name).read_text()
        code = "".join(re.findall('<div class="code">.*?</pre>', page, re.DOTALL))
        listed = page.partition('id="library-used-in-this-lesson"')[2]
        entries = set(re.findall(r'<a href="(reference\w*\.html#[\w.]+\.\w+)"', code))
        assert len(entries) > 10
        for address in entries:
            assert address in listed
            target, _, place = address.partition("#")
            entry = (folder / target).read_text().partition(f'id="{place}"')[2].partition("</section>")[0]
            back = re.search(rf'<a href="({re.escape(name)}#code-[^"]+)">lesson {number}</a>', entry)
            cell = page.partition(f'id="{back[1].partition("#")[2]}"')[2].partition("<div id=")[0]
            assert address in cell


def test_pages_name_the_paper_the_licence_and_the_project(folder):
    for name in PAGES:
        footer = re.search("<footer>.*</footer>", (folder / name).read_text(), re.DOTALL)[0]
        assert "Defocus Map Estimation and Deblurring from a Single Dual-Pixel Image" in footer
        assert "Apache 2.0" in footer and '<a href="https://github.com/owner/name">' in footer


def test_contents_are_folded_on_a_narrow_screen_and_beside_the_text_on_a_wide_one(browser, folder):
    path = folder / LESSON_PAGES[0]
    with Opened(browser, path) as opened:
        link = opened.page.locator(".contents a").first
        assert not link.is_visible()
        opened.page.locator(".contents summary").click()
        assert link.is_visible()
    with Opened(browser, path, DESKTOP) as opened:
        link, title = opened.page.locator(".contents a").first, opened.page.locator("h1")
        assert link.is_visible() and not opened.page.locator(".contents summary").is_visible()
        box = link.bounding_box()
        assert box["x"] + box["width"] <= title.bounding_box()["x"]
        anchor = opened.page.locator("h2 .anchor").first
        assert anchor.evaluate("each => getComputedStyle(each).opacity") == "0"
        anchor.focus()
        assert anchor.evaluate("each => getComputedStyle(each).opacity") == "1"


@pytest.mark.parametrize("name", LESSON_PAGES)
@pytest.mark.parametrize("width", [NARROW, DESKTOP])
def test_what_is_too_wide_scrolls_in_its_own_box(browser, folder, name, width):
    with Opened(browser, folder / name, width) as opened:
        cut = opened.page.evaluate(
            """() => {
              document.querySelectorAll('details').forEach((each) => { each.open = true; });
              const within = (box) => {
                const {left, right} = box.getBoundingClientRect();
                return left >= 0 && right <= document.documentElement.clientWidth;
              };
              const scrolls = (box) => getComputedStyle(box).overflowX === 'auto';
              const fits = (box) => within(box) && (box.scrollWidth <= box.clientWidth || scrolls(box));
              return [...document.querySelectorAll('pre, math')]
                .map((each) => each.closest('pre, .wide') ?? each)
                .filter((box) => !fits(box)).map((box) => box.textContent.slice(0, 80));
            }"""
        )
        assert cut == []


@pytest.mark.parametrize("width", [NARROW, DESKTOP])
def test_a_figure_is_enlarged_by_keyboard_and_pointer(browser, folder, width):
    with Opened(browser, folder / LESSON_PAGES[0], width) as opened:
        page = opened.page
        still, sliding = page.locator("figure:not([data-frames])").first, page.locator("[data-frames]").first
        for figure in (still, sliding):
            box, image = figure.locator("xpath=preceding-sibling::input"), figure.locator("img").first
            before = image.bounding_box()["width"]
            box.press("Space")
            assert figure.bounding_box() == {"x": 0, "y": 0, "width": width, "height": 800}
            assert image.bounding_box()["width"] > before
            box.press("Space")
            assert image.bounding_box()["width"] == before
        still.scroll_into_view_if_needed()
        middle = still.locator("img").bounding_box()
        page.mouse.click(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
        assert still.bounding_box()["width"] == width
        page.mouse.click(width - 20, 20)
        assert still.bounding_box()["width"] < width
        slider = sliding.locator("input").first
        told = slider.get_attribute("aria-valuetext")
        slider.scroll_into_view_if_needed()
        slider.click(position={"x": 5, "y": 5})
        assert (
            slider.get_attribute("aria-valuetext") != told and page.locator(".enlarge:checked").count() == 0
        )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser, folder, scheme):
    with Opened(browser, folder / "index.html", WIDE, scheme) as opened:
        colours = opened.page.evaluate(
            "getComputedStyle(document.body).color + getComputedStyle(document.body).backgroundColor"
        )
    channels = np.array([int(value) for value in re.findall(r"\d+", colours)]).reshape(2, 3) / 255
    ink, ground = channels @ [0.2126, 0.7152, 0.0722]
    assert (ground > 0.9 and ink < 0.2) if scheme == "light" else (ground < 0.15 and ink > 0.8)


FAULTS = {
    "error: ": ("const [sources, text] = frames[at];", "throw new Error('a callback that raises');"),
    "a slider that changes nothing": ("addEventListener('input', show)", "addEventListener('none', show)"),
    "a picture without alternative text": (re.compile(r'<img ([^>]*)alt="[^"]*"'), r'<img \1alt=""'),
    "a figure without a caption": (re.compile("<figcaption>.*?</figcaption>", re.DOTALL), ""),
    "1216 pixels wide on a screen of 400": ("<main", '<div style="width: 1200px; height: 1px"></div><main'),
    "asks the network for": ("<main", '<script src="https://example.org/math.js"></script><main'),
    "a formula that is not drawn": ('<main id="content">', r"<main><p>$\\hat I_s$</p>"),
    "focus is not seen": ("<main", "<style>:focus-visible { outline: none; }</style><main"),
    "the keyboard reaches": ('<input type="range"', '<input tabindex="-1" type="range"'),
    "a control without a name": (re.compile("<label (.*?)</label>", re.DOTALL), r"<div \1</div>"),
}


@pytest.fixture(scope="module")
def small_page(browser, folder, tmp_path_factory):
    """A page with nothing wrong: the first sliders of lesson 1 alone."""
    page = (folder / f"{LESSONS[0].stem}.html").read_text()
    figure = re.search("<figure data-frames.*?</script>", page, re.DOTALL)[0]
    path = tmp_path_factory.mktemp("small") / "page.html"
    path.write_text(f'{page.partition("<main")[0]}<main id="content">{figure}</main>')
    assert page_problems(browser, path) == []
    return path


@pytest.mark.parametrize(("problem", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_of_a_page_is_told(browser, small_page, tmp_path, problem, fault):
    found, instead = fault
    pattern = found if isinstance(found, re.Pattern) else re.escape(found)
    whole = small_page.read_text()
    broken = re.sub(pattern, instead, whole, count=1)
    assert broken != whole
    path = tmp_path / "page.html"
    path.write_text(broken)
    problems = page_problems(browser, path)
    assert any(told.startswith(problem) for told in problems), problems


def test_lessons_that_cannot_be_shown_are_refused_before_the_solver_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(site_room, "solve", lambda *_, **__: pytest.fail("the solver ran"))

    def refused():
        assert main(["site", "--out-dir", "out"]) == 2
        return capsys.readouterr().err

    assert "found no lessons" in refused()
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    lesson = nbformat.read(LESSONS[0], as_version=4)
    code = next(cell for cell in lesson.cells if cell.cell_type == "code")
    view = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}})
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    whole = code.outputs, code.execution_count
    for outputs, count, told in [
        ([], None, "was not executed"),
        ([error], 1, "stopped with an error"),
        ([view], 1, "holds sliders that need a kernel"),
    ]:
        code.outputs, code.execution_count = outputs, count
        nbformat.write(lesson, notebooks / LESSONS[0].name)
        assert re.search(f"cell 1 {told}. Run `make notebooks` first", refused())
    code.outputs, code.execution_count = whole
    nbformat.write(lesson, notebooks / LESSONS[0].name)
    assert "notation.md does not exist" in refused()
    assert not (tmp_path / "out").exists()
    shutil.copytree(LESSONS[0].parents[1] / "docs", tmp_path / "docs")
    (tmp_path / "out").write_text("a file")
    assert "--out-dir: nothing can be written" in refused()


def test_without_an_address_there_are_no_launch_links_and_a_wrong_one_is_refused():
    assert site.launchers("") == {}
    assert site.launchers("https://github.com/owner/name.git") == site.launchers(
        "https://github.com/owner/name"
    )
    with pytest.raises(InputError, match="github.com/<owner>/<name>"):
        site.launchers("https://example.org/owner/name")


def test_address_is_that_of_pyproject(tmp_path, monkeypatch):
    """As the installed package holds it."""
    for links, address in [
        ("", ""),
        ("Project-URL: Issues, https://github.com/owner/name/issues\n", ""),
        ("Project-URL: Repository, https://github.com/owner/name\n", "https://github.com/owner/name"),
    ]:
        folder = tmp_path / f"{len(links)}" / "dpdefocus-0.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: dpdefocus\nVersion: 0.0\n{links}\n")
        monkeypatch.setattr(sys, "path", [str(folder.parent)])
        assert site.project_repository() == address
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert site.project_repository() == ""
