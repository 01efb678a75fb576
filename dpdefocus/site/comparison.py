"""A page on which pictures of one scene are compared: a wipe, all side by side, and the values of each pixel.

Axes   pictures [height, width], all of one size.
Units  each picture has its own, told beside its values; NaN is what is not known.
"""

import base64
import html
import json
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from dpdefocus.site.pages import asset
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import LOSSLESS, WEBP, webp
from dpdefocus.support.panels import GAMMA

# Values travel as 16-bit steps between the least and the greatest; the last code says "not known".
STEPS, UNKNOWN = 65534, 65535


@dataclass(frozen=True)
class Compared:
    """One picture, how it is drawn, and what it shows.

    Args:
        values: linear intensities of a photograph, or any map's values.
        alt: what there is to see, for those who do not see it.
        unit: of the values.
        limits: values drawn darkest and brightest.
        colours: ``grey`` for a photograph, drawn with a gamma of 2.2; ``viridis`` or ``magma`` for a map.
    """

    values: Float[np.ndarray, "height width"]
    alt: str
    unit: str
    limits: tuple[float, float]
    colours: str = "grey"

    def drawn(self) -> np.ndarray:
        """The picture in 8 bits: [height, width], or [height, width, 3] in OpenCV's order; NaN is white."""
        low, high = self.limits
        unit = np.clip((self.values - low) / (high - low), 0, 1)
        unit = unit ** (1 / GAMMA) if self.colours == "grey" else unit
        levels = np.round(255 * np.nan_to_num(unit)).astype(np.uint8)
        if self.colours != "grey":
            table = {"viridis": cv2.COLORMAP_VIRIDIS, "magma": cv2.COLORMAP_MAGMA}[self.colours]
            levels = cv2.applyColorMap(levels, table)
        levels[np.isnan(self.values)] = 255
        return levels

    def encoded(self) -> dict:
        """The values as base64 of little-endian 16-bit codes, with what code 0 and one step stand for."""
        low, high = (float(pick(self.values)) for pick in (np.nanmin, np.nanmax))
        step = (high - low) / STEPS or 1.0
        codes = np.where(np.isnan(self.values), UNKNOWN, np.round((self.values - low) / step))
        text = base64.b64encode(np.nan_to_num(codes).astype("<u2").tobytes()).decode()
        return {"codes": text, "low": low, "step": step, "unit": self.unit}


def comparison_page(pictures: Mapping[str, Compared], wiped: tuple[str, str]) -> str:
    """The body of the page: HTML with the pictures, their values and the script.

    Args:
        pictures: name -> picture, in the order in which they are shown.
        wiped: names of the two that the wipe shows first, left and right of its edge.

    Raises:
        InputError: pictures of different sizes, or a name of none.
    """
    sizes = {name: picture.values.shape for name, picture in pictures.items()}
    if len(set(sizes.values())) != 1:
        raise InputError(f"comparison: found pictures of {sizes}, expected one size")
    for name in wiped:
        if name not in pictures:
            raise InputError(f"comparison: no picture {name!r}; expected one of {', '.join(pictures)}")
    height, width = next(iter(sizes.values()))
    values = [picture.encoded() for picture in pictures.values()]
    data = json.dumps({"width": width, "height": height, "pictures": values}).replace("<", "\\u003c")
    return _BODY.format(
        left=_options(pictures, wiped[0]),
        right=_options(pictures, wiped[1]),
        figures="\n".join(_figure(name, picture) for name, picture in pictures.items()),
        ratio=f"{width} / {height}",
        last_column=width - 1,
        last_row=height - 1,
        column=width // 2,
        row=height // 2,
        data=data,
        script=asset("compare.js"),
    )


def _options(pictures, chosen):
    return "".join(
        f'<option value="{number}"{" selected" * (name == chosen)}>{html.escape(name)}</option>'
        for number, name in enumerate(pictures)
    )


def _figure(name, picture):
    low, high = picture.limits
    scale = "" if picture.colours == "grey" else f", drawn from {low:.3g} to {high:.3g}"
    return (
        f'<figure><div class="frame"><img alt="{html.escape(f"{name}. {picture.alt}")}" '
        f'src="{WEBP}{webp(picture.drawn(), LOSSLESS)}"><span class="cross"></span></div>'
        f"<figcaption><strong>{html.escape(name)}</strong>: "
        f'<span class="value">{html.escape(picture.unit)}</span>'
        f"<small>{scale}</small></figcaption></figure>"
    )


_BODY = """<section class="wipe" aria-labelledby="wipe-title">
<h2 id="wipe-title">Before and after</h2>
<p><label>Left of the edge <select class="left">{left}</select></label>
<label>Right of the edge <select class="right">{right}</select></label></p>
<div class="frame" style="aspect-ratio: {ratio}"><img class="under" alt="" src="data:,">\
<img class="over" alt="" src="data:,">
<span class="edge"></span></div>
<label class="slider">Place of the edge \
<input class="place" type="range" min="0" max="100" value="50"></label>
</section>
<section class="all" aria-labelledby="all-title">
<h2 id="all-title">All side by side, with their values</h2>
<p>Point at a pixel, or choose it with the sliders; every picture tells its value there.</p>
<label class="slider">Column \
<input class="column" type="range" min="0" max="{last_column}" value="{column}"></label>
<label class="slider">Row <input class="row" type="range" min="0" max="{last_row}" value="{row}"></label>
<p class="where" role="status"></p>
<div class="figures">
{figures}
</div>
</section>
<script type="application/json" id="comparison-data">{data}</script>
<script>
{script}</script>
"""
