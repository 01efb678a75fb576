"""The site, built from the lessons as committed, in a real browser; broken copies show what is told."""

import re
import shutil
import sys

import nbformat
import numpy as np
import pytest
from browser import WIDE, Opened, browser, page_problems  # noqa: F401
from lesson_checks import LESSONS, ROOT

from dpdefocus import lessons
from dpdefocus.baselines.methods import Baseline, Estimate
from dpdefocus.data.capture import Capture, GroundTruth
from dpdefocus.data.result import Result
from dpdefocus.lessons import site
from dpdefocus.lessons import site as site_room
from dpdefocus.lessons.comparison import Compared, comparison_page
from dpdefocus.support.errors import InputError

PAGES = [
    "index.html",
    *(f"{lesson.stem}.html" for lesson in LESSONS),
    "compare.html",
    "notation.html",
    "glossary.html",
]
HEIGHT, WIDTH = 24, 32


@pytest.fixture(scope="module")
def pictures():
    """What a solved capture of noise would show: every value is different."""
    rng = np.random.default_rng(0)
    views = rng.uniform(0.1, 0.9, (2, HEIGHT, WIDTH)).astype(np.float32)
    mask = np.ones((HEIGHT, WIDTH), bool)
    mask[3, 5] = False
    capture = Capture(views, "noise", np.zeros((HEIGHT, WIDTH), bool))
    size = rng.uniform(0.2, 1.5, (HEIGHT, WIDTH)).astype(np.float32)
    result = Result(views[0], size, views[1], np.ones(1, np.float32), np.ones((1, 2, 2), np.float32), 1.0, {})
    others = {"sharp only": Estimate(all_in_focus=views[0]), "map only": Estimate(defocus_map=size)}
    return lessons.pictures_of(capture, result, GroundTruth(views[1], size[::-1].copy(), mask), others)


def test_every_method_is_compared_by_what_it_makes(pictures):
    assert {"sharp only, sharp", "map only, map", "map only, error"} <= set(pictures)
    assert not {"sharp only, map", "map only, sharp"} & set(pictures)
    error = pictures["map only, error"].values
    assert np.isnan(error[3, 5]) and np.nanmax(np.abs(error - pictures["error of the map"].values)) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures):
    out = tmp_path_factory.mktemp("site")
    lessons.build(ROOT, out, lambda: pictures, "https://github.com/owner/name")
    return out


def test_site_has_a_page_for_every_lesson_and_nothing_else(folder):
    assert sorted(path.name for path in folder.iterdir()) == sorted(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_is_read_narrow_by_keyboard_and_without_a_network(browser, folder, name):  # noqa: F811
    assert page_problems(browser, folder / name) == []


def test_lessons_keep_their_figures_sliders_and_formulas(folder):
    for lesson in LESSONS:
        page = (folder / f"{lesson.stem}.html").read_text()
        outputs = [output for cell in nbformat.read(lesson, 4).cells for output in cell.get("outputs", [])]
        htmls = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
        assert htmls and all(html in page for html in htmls)
        assert page.count("<math") > 10 and "\\tag" not in page


def test_links_lead_to_pages_that_exist_and_to_binder_and_colab(folder):
    for name in PAGES:
        for target in re.findall(r'<a [^>]*href="([^"#]+)', (folder / name).read_text()):
            if not target.startswith("https:"):
                assert (folder / target).is_file(), f"{name} leads to {target}"
    lesson = LESSONS[0].name
    index = (folder / "index.html").read_text()
    assert f'"https://mybinder.org/v2/gh/owner/name/HEAD?urlpath=lab/tree/notebooks/{lesson}"' in index
    assert f'"https://colab.research.google.com/github/owner/name/blob/main/notebooks/{lesson}"' in index


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(browser, folder, scheme):  # noqa: F811
    with Opened(browser, folder / "index.html", WIDE, scheme) as opened:
        colours = opened.page.evaluate(
            "getComputedStyle(document.body).color + getComputedStyle(document.body).backgroundColor"
        )
    channels = np.array([int(value) for value in re.findall(r"\d+", colours)]).reshape(2, 3) / 255
    ink, ground = channels @ [0.2126, 0.7152, 0.0722]
    assert (ground > 0.9 and ink < 0.2) if scheme == "light" else (ground < 0.15 and ink > 0.8)


def shown(page):
    """The text beneath each picture of the comparison: its name and its value."""
    told = (
        "all => all.map((c) => "
        "[c.querySelector('strong').textContent, c.querySelector('.value').textContent])"
    )
    return dict(page.locator(".figures figcaption").evaluate_all(told))


def assert_shown(page, pictures, row, column):
    told = shown(page)
    assert list(told) == list(pictures)
    for name, picture in pictures.items():
        value = picture.values[row, column]
        number, _, unit = told[name].partition(" ")
        if np.isnan(value):
            assert told[name] == "not known"
        else:
            # Four decimals of one of 65535 steps.
            assert abs(float(number) - value) < 1e-4 and unit == picture.unit, name


def test_comparison_tells_the_values_of_the_pixel_pointed_at(browser, folder, pictures):  # noqa: F811
    with Opened(browser, folder / "compare.html", WIDE) as opened:
        page = opened.page
        assert_shown(page, pictures, HEIGHT // 2, WIDTH // 2)
        page.locator(".column").press("ArrowRight")
        page.locator(".row").press("Home")
        assert_shown(page, pictures, 0, WIDTH // 2 + 1)
        frame = page.locator(".figures .frame").nth(2)
        box = frame.bounding_box()
        frame.click(position={"x": 5.5 / WIDTH * box["width"], "y": 3.5 / HEIGHT * box["height"]})
        assert_shown(page, pictures, 3, 5)
        assert shown(page)["true defocus map"] == "not known"
        assert page.locator(".where").inner_text().startswith("Column 5, row 3")


def test_wipe_shows_either_picture_and_moves_by_keyboard_and_pointer(browser, folder):  # noqa: F811
    with Opened(browser, folder / "compare.html", WIDE) as opened:
        page = opened.page
        over, place = page.locator(".over"), page.locator(".place")
        clipped = "image => image.style.clipPath"
        assert over.evaluate(clipped) == "inset(0px 50% 0px 0px)"
        place.press("ArrowRight")
        assert over.evaluate(clipped) == "inset(0px 49% 0px 0px)"
        frame = page.locator(".wipe .frame")
        across = frame.bounding_box()["width"]
        frame.hover(position={"x": across / 2, "y": 50})
        page.mouse.down()
        frame.hover(position={"x": across / 4, "y": 50})
        page.mouse.up()
        assert over.evaluate(clipped) == "inset(0px 75% 0px 0px)"
        before = over.get_attribute("src")
        page.locator(".left").select_option(label="defocus map")
        assert over.get_attribute("src") != before
        assert over.get_attribute("alt").startswith("defocus map. ")


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
def small_page(browser, folder, tmp_path_factory):  # noqa: F811
    """A page with nothing wrong: the first sliders of lesson 1 alone."""
    page = (folder / f"{LESSONS[0].stem}.html").read_text()
    figure = re.search("<figure data-frames.*?</script>", page, re.DOTALL)[0]
    path = tmp_path_factory.mktemp("small") / "page.html"
    path.write_text(f'{page.partition("<main")[0]}<main id="content">{figure}</main>')
    assert page_problems(browser, path) == []
    return path


@pytest.mark.parametrize(("problem", "fault"), FAULTS.items(), ids=FAULTS)
def test_a_fault_of_a_page_is_told(browser, small_page, tmp_path, problem, fault):  # noqa: F811
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
        assert site.main(["--out-dir", "out"]) == 2
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


def test_command_builds_the_site_of_the_project_that_it_is_run_in(tmp_path, monkeypatch, capsys):
    """The solver and the methods are stand-ins."""
    views = np.random.default_rng(0).uniform(0.1, 0.9, (2, HEIGHT, WIDTH)).astype(np.float32)
    capture = Capture(views, "noise", np.zeros((HEIGHT, WIDTH), bool))
    truth = GroundTruth(views[0], views[1], np.ones((HEIGHT, WIDTH), bool))
    layers = np.ones(1, np.float32), np.ones((1, 2, 2), np.float32)
    solved = Result(views[0], views[1], views[1], *layers, 1.0, {})
    presets = []
    monkeypatch.setattr(site_room, "open_capture", lambda seed: (capture, None, truth))
    monkeypatch.setattr(site_room, "solve", lambda *_, preset: presets.append(preset) or solved)
    method = Baseline("a method", "", "nothing", lambda *_: Estimate(None, views[1]))
    monkeypatch.setattr(site_room, "BASELINES", {"identity": None, "method": method})
    monkeypatch.setattr(site_room, "project_repository", lambda: "https://github.com/owner/name")
    monkeypatch.chdir(ROOT)
    assert site.main(["--out-dir", str(tmp_path)]) == 0 and presets == ["classroom"]
    assert f"open {tmp_path / 'index.html'} in a browser" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PAGES)
    assert "a method, map" in (tmp_path / "compare.html").read_text()
    assert "mybinder.org/v2/gh/owner/name/" in (tmp_path / "index.html").read_text()


def test_without_an_address_there_are_no_launch_links_and_a_wrong_one_is_refused():
    assert lessons.launchers("") == {}
    assert lessons.launchers("https://github.com/owner/name.git") == lessons.launchers(
        "https://github.com/owner/name"
    )
    with pytest.raises(InputError, match="github.com/<owner>/<name>"):
        lessons.launchers("https://example.org/owner/name")


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
        assert lessons.project_repository() == address
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert lessons.project_repository() == ""


def test_pictures_that_do_not_fit_are_refused(pictures):
    small = Compared(np.zeros((2, 2), np.float32), "A flat picture.", "linear raw", (0.0, 1.0))
    with pytest.raises(InputError, match="expected one size"):
        comparison_page(pictures | {"small": small}, ("photograph", "small"))
    with pytest.raises(InputError, match="no picture 'sharp'"):
        comparison_page(pictures, ("photograph", "sharp"))


def test_drawn_pictures_span_their_limits_and_leave_the_unknown_white():
    values = np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)
    grey = Compared(values, "", "linear raw", (0.0, 1.0)).drawn()
    assert grey.tolist() == [[0, round(255 * 0.5 ** (1 / 2.2)), 255, 255]]
    colour = Compared(values, "", "defocus size", (0.0, 1.0), "viridis").drawn()
    assert colour[0, 0].tolist() == [84, 1, 68] and colour[0, 3].tolist() == [255, 255, 255]
