"""Figures with sliders: one drawing function, called live by a kernel or for frames drawn beforehand.

Live, ipywidgets calls the function each time a slider is released. In batch nobody moves one, and the pages
made from the notebook have no kernel: every combination of the sliders' stops is drawn once, and a few lines
of JavaScript in the output choose between them. Both forms show the same pictures.

Axes   panels [height, width], grey, or [height, width, 3], red, green, blue; 8 bits.
"""

import hashlib
import html
import itertools
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import ipywidgets
import numpy as np

from dpdefocus.support.errors import InputError
from dpdefocus.support.files import LOSSLESS, WEBP, webp
from dpdefocus.support.progress_bar import is_batch, progress

# More frames than this make a notebook too large to open with ease.
MOST_FRAMES = 150
PHOTOGRAPH = 80  # as a WebP quality


@dataclass(frozen=True)
class Control:
    """One slider: its name, the values that it stops at, their unit, and which of them is shown first.

    Values are numbers, or words to choose from.
    """

    name: str
    values: tuple[int | float | str, ...]
    unit: str = ""
    start: int = 0

    def __post_init__(self):
        if len(self.values) < 2 or not 0 <= self.start < len(self.values):
            raise InputError(
                f"Control {self.name}: {len(self.values)} values, start {self.start}; expected at least two "
                "values, and a start that counts one of them from 0."
            )

    @property
    def labels(self) -> list[str]:
        """The values as they are read beside the slider."""
        return [self._label(value) for value in self.values]

    def _label(self, value):
        if isinstance(value, str):
            return value
        return ("infinity" if math.isinf(value) else f"{value:g} {self.unit}").strip()


class Picture(NamedTuple):
    """What a drawing function returns: titled panels side by side, and one sentence on what they show."""

    panels: Mapping[str, np.ndarray]
    text: str


class Frames:
    """The form without a kernel: all pictures in one HTML output, chosen by range inputs.

    Keyboard and screen readers work as on any range input. Where scripts do not run, as in a notebook that is
    not trusted, the first picture is shown with its caption.
    """

    def __init__(self, pictures: list[Picture], controls: list[Control], caption: str, alt: str):
        self.pictures, self.controls = pictures, controls
        self.caption, self.alt = caption, alt

    def __repr__(self):
        return self.caption

    def _repr_html_(self):
        frames = [[[_source(panel) for panel in p.panels.values()], p.text] for p in self.pictures]
        # Characters that could close the script element, or open another, are written as escapes.
        content = json.dumps([frames, [c.labels for c in self.controls]]).replace("<", "\\u003c")
        name = "frames-" + hashlib.sha256(content.encode()).hexdigest()[:12]
        sliders = "".join(
            f'<label style="display: block">{html.escape(control.name)} '
            f'<input type="range" min="0" max="{len(control.values) - 1}" value="{control.start}" '
            f'aria-valuetext="{html.escape(label)}" style="width: min(20em, 60%); vertical-align: middle"> '
            f"<span>{html.escape(label)}</span></label>"
            for control in self.controls
            for label in [control.labels[control.start]]
        )
        first = self.pictures[np.ravel_multi_index([c.start for c in self.controls], self._stops)]
        return (
            f'<figure data-frames="{name}">{_view(first, self.alt)}{sliders}'
            f"<figcaption><em>{html.escape(self.caption)}</em></figcaption></figure>"
            f"<script>{_SCRIPT % (json.dumps(name), json.dumps(self.alt), content)}</script>"
        )

    @property
    def _stops(self):
        return [len(control.values) for control in self.controls]


def explore(
    draw: Callable[..., Picture],
    controls: Mapping[str, Control],
    caption: str,
    alt: str,
    live: bool | None = None,
) -> Frames | ipywidgets.VBox:
    """A picture with sliders, to be displayed as a cell's last value.

    Args:
        draw: makes a picture of one value of each control, given by name.
        controls: argument name -> slider.
        caption: shown below.
        alt: what the picture shows, for those who do not see it. The picture's own text is added to it.
        live: whether a kernel answers the sliders; by default outside of batch.

    Raises:
        InputError: more combinations than one output should hold, when the frames are drawn beforehand.
    """
    if is_batch() if live is None else not live:
        count = math.prod(len(control.values) for control in controls.values())
        if count > MOST_FRAMES:
            raise InputError(f"explore: {count} frames; expected at most {MOST_FRAMES}. Give fewer values.")
        stops = itertools.product(*(control.values for control in controls.values()))
        named = (dict(zip(controls, values, strict=True)) for values in stops)
        pictures = [draw(**values) for values in progress(named, "frames", count)]
        return Frames(pictures, list(controls.values()), caption, alt)
    return _live(draw, controls, caption, alt)


def _live(draw, controls, caption, alt):
    view = ipywidgets.HTML()
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=list(zip(control.labels, control.values, strict=True)),
            value=control.values[control.start],
            description=control.name,
            continuous_update=False,
            style={"description_width": "initial"},
            layout={"width": "min(32em, 95%)"},
        )
        for name, control in controls.items()
    }

    def update(_):
        view.value = _view(draw(**{name: slider.value for name, slider in sliders.items()}), alt)

    # Drawn once here, so that a drawing function that fails does so in its cell.
    update(None)
    for slider in sliders.values():
        slider.observe(update, "value")
    return ipywidgets.VBox([view, *sliders.values(), ipywidgets.HTML(f"<em>{html.escape(caption)}</em>")])


def _view(picture, alt):
    """Panels side by side, enlarged pixel by pixel, and the picture's text."""
    panels = "".join(
        '<div style="flex: 1 1 0; min-width: 6em; max-width: 18em">'
        f'<div style="text-align: center">{html.escape(title)}</div>'
        f'<img alt="{html.escape(f"{title}. {alt} {picture.text}")}" src="{WEBP}{_source(panel)}" '
        'style="width: 100%; image-rendering: pixelated"></div>'
        for title, panel in picture.panels.items()
    )
    text = f'<p role="status">{html.escape(picture.text)}</p>'
    return f'<div style="display: flex; flex-wrap: wrap; gap: 0.5em">{panels}</div>{text}'


def _source(panel):
    """An 8-bit panel as base64 WebP: colour without loss, grey in the smaller of two encodings."""
    pixels = panel if panel.ndim == 2 else panel[..., ::-1]
    qualities = (LOSSLESS, PHOTOGRAPH) if panel.ndim == 2 else (LOSSLESS,)
    return webp(pixels, *qualities)


_SCRIPT = """
for (const box of document.querySelectorAll('[data-frames=' + %s + ']')) {
  const alt = %s, [frames, labels] = %s;
  const sliders = [...box.querySelectorAll('input')], images = box.querySelectorAll('img');
  const show = () => {
    let at = 0;
    sliders.forEach((slider, n) => {
      at = at * labels[n].length + Number(slider.value);
      slider.nextElementSibling.textContent = labels[n][slider.value];
      slider.setAttribute('aria-valuetext', labels[n][slider.value]);
    });
    const [sources, text] = frames[at];
    sources.forEach((source, n) => {
      images[n].src = 'data:image/webp;base64,' + source;
      images[n].alt = images[n].previousElementSibling.textContent + '. ' + alt + ' ' + text;
    });
    box.querySelector('p').textContent = text;
  };
  sliders.forEach((slider) => slider.addEventListener('input', show));
}
"""
