"""Pages, alone and in a real Chromium without a network: what is wrong with them, told in words."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NARROW, WIDE = 400, 1100  # pixels across
MOST_TABS = 500  # boxes that scroll are stops of the tab key, too


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; tests that ask for it are skipped where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no Chromium found: on Debian, apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found)
        yield chromium
        chromium.close()


class Opened:
    """A page of a file, opened without a network, and what it complained of."""

    def __init__(self, browser, path: Path, width: int = NARROW, scheme: str = "light"):
        self.complaints = []
        self.page = browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
            offline=True,
            reduced_motion="reduce",
        )
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("request", self._request)
        self.page.goto(path.as_uri())

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.complaints.append(f"console: {message.text}")

    def _request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.complaints.append(f"asks the network for {request.url}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.page.close()


def page_problems(browser, path: Path, keyboard: bool = True) -> list[str]:
    """What keeps a page from being read narrow, by keyboard, by ear, or without a network.

    With `keyboard` the page is gone through tab by tab, which takes seconds; without, links and controls are
    only asked whether they are stops.
    """
    with Opened(browser, path) as opened:
        page = opened.page
        # All that is folded is looked at, too.
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found = _keyboard_problems(page) if keyboard else _stop_problems(page)
        found += _layout_problems(page) + _description_problems(page)
        return found + _slider_problems(page) + opened.complaints


def _layout_problems(page):
    across = page.evaluate("document.documentElement.scrollWidth")
    found = [f"{across} pixels wide on a screen of {NARROW}"] if across > NARROW else []
    raw = page.evaluate(
        r"""() => {
          const prose = (element) => {
            const copy = element.cloneNode(true);
            copy.querySelectorAll('code').forEach((code) => code.remove());
            return copy.textContent;
          };
          const texts = [...document.querySelectorAll('main p, main li, main td')].map(prose);
          return texts.filter((text) => /\$|\\[a-z]{2,}/.test(text));
        }"""
    )
    return found + [f"a formula that is not drawn: {text[:80]}" for text in raw]


def _description_problems(page):
    """Pictures without alternative text, and sliders without a name."""
    return page.evaluate(
        """() => [
          ...[...document.images].filter((image) => image.alt.trim().length < 10 || !image.naturalWidth)
            .map((image) => 'a picture without alternative text, or not shown: ' + image.alt),
          ...[...document.querySelectorAll('input, select')].filter((input) => !input.labels.length)
            .map((input) => 'a control without a name: ' + input.outerHTML),
          ...[...document.querySelectorAll('figure')].filter((figure) => !figure.querySelector('figcaption'))
            .map((figure) => 'a figure without a caption'),
        ]"""
    )


def _slider_problems(page):
    """Sliders that an arrow key does not move, or that, moved through all stops, change no picture."""
    found = []
    for slider in page.locator("figure[data-frames] input").all():
        told = slider.get_attribute("aria-valuetext")
        before, greatest = slider.evaluate("slider => [slider.value, slider.max]")
        slider.press("ArrowLeft" if before == greatest else "ArrowRight")
        moved = slider.get_attribute("aria-valuetext")
        texts, pictures = slider.evaluate(
            """(slider, start) => {
              const images = [...slider.closest('figure').querySelectorAll('img')];
              const texts = new Set(), pictures = new Set();
              const go = (stop) => { slider.value = stop; slider.dispatchEvent(new Event('input')); };
              for (let stop = 0; stop <= Number(slider.max); stop++) {
                go(stop);
                texts.add(slider.getAttribute('aria-valuetext'));
                pictures.add(images.map((image) => image.src).join());
              }
              go(start);
              return [texts.size, pictures.size];
            }""",
            before,
        )
        if moved == told or texts != int(greatest) + 1 or pictures < 2:
            found.append(f"a slider that changes nothing: {told}")
    return found


def _stop_problems(page):
    """Controls and links that are no stops of the tab key."""
    return page.evaluate(
        """() => [...document.querySelectorAll('a[href], input, select, summary')]
          .filter((each) => each.tabIndex < 0 || each.disabled)
          .map((each) => 'the keyboard passes over ' + each.outerHTML.slice(0, 80))"""
    )


def _keyboard_problems(page):
    """Controls and links that the tab key does not reach, or reaches unseen."""
    stops = page.locator("a[href], input, select, summary").count()
    reached = set()
    found = []
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => {
              const element = document.activeElement, style = getComputedStyle(element);
              if (element === document.body) return null;
              const all = [...document.querySelectorAll('a[href], input, select, summary')];
              const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
              return [all.indexOf(element), seen, element.outerHTML.slice(0, 80)];
            }"""
        )
        if at is None:
            break
        number, seen, markup = at
        if number >= 0:
            reached.add(number)
            if not seen:
                found.append(f"focus is not seen: {markup}")
    if len(reached) < stops:
        found.append(f"the keyboard reaches {len(reached)} of {stops} links and controls")
    return found


def link_problems(folder: Path) -> list[str]:
    """Links between the pages of a folder that lead nowhere, and ids that two things have."""
    pages = {
        path.name: re.sub("<(script|style)>.*?</\\1>", "", path.read_text(), flags=re.DOTALL)
        for path in sorted(folder.glob("*.html"))
    }
    ids = {name: re.findall(r'<[^>]* id="([^"]*)"', page) for name, page in pages.items()}
    found = [f"{name}: two things are called {id}" for name in pages for id in _repeated(ids[name])]
    for name, page in pages.items():
        for address in re.findall(r'<a [^>]*href="([^"]*)"', page):
            if address.startswith("https://"):
                continue
            target, _, place = address.partition("#")
            if (target or name) not in pages:
                found.append(f"{name} leads to {target}, which is no page")
            elif place and place not in ids[target or name]:
                found.append(f"{name} leads to {address}, where no such place is")
    return found


def _repeated(names):
    return sorted({name for name in names if names.count(name) > 1})
