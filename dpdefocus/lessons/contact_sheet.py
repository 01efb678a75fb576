"""One HTML page of many solved captures: thumbnails, scores, errors; it needs no other file and no network.

Axes: images [height, width]. Thumbnails are 8-bit, at most `THUMBNAIL` pixels wide.
"""

import html
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from dpdefocus.data.result import NPZ, load_result
from dpdefocus.support.files import WEBP, webp
from dpdefocus.support.panels import colour_panel, grey_panel

THUMBNAIL = 360
QUALITY = 85
SCORES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "aiwe1": "AIWE(1)", "aiwe2": "AIWE(2)", "spearman": "1−|ρ|"}
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.4 system-ui, sans-serif; margin: 1rem; color: #222; background: #fff; }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); gap: 1rem; }}
article {{ border: 1px solid #bbb; border-radius: 0.3rem; padding: 0.6rem; min-width: 0; }}
article.failed {{ border: 2px solid #a00; }}
h1 {{ font-size: 1.3rem; }}
h2 {{ font-size: 1.05rem; margin: 0 0 0.4rem; overflow-wrap: anywhere; }}
div {{ display: flex; gap: 0.4rem; }}
figure {{ margin: 0; flex: 1 1 0; min-width: 0; }}
img {{ width: 100%; height: auto; display: block; }}
span {{ white-space: nowrap; }}
figcaption, p {{ font-size: 0.85rem; margin: 0.3rem 0; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{counts}</p>
<main>
{captures}
</main>
</body>
</html>
"""


def contact_sheet_page(records: list[dict[str, Any]], total: int, lesson: str) -> str:
    """The page of all captures that have been run so far; it lies beside the captures' folders.

    Args:
        records: of the captures, with ``name``, ``status``, ``error``, ``scores``, ``pictures``, ``seconds``.
        total: how many captures there are to be.
        lesson: the notebook's name, to which the reports belong.
    """
    failed = sum(record["status"] == "failed" for record in records)
    return _PAGE.format(
        title=html.escape(f"Captures solved by {lesson}"),
        counts=f"{len(records) - failed} of {total} captures are solved; {failed} failed.",
        captures="\n".join(_capture(record, lesson) for record in records),
    )


def _capture(record: dict[str, Any], lesson: str) -> str:
    name, status = html.escape(record["name"]), record["status"]
    lines = [f'<article class="{status}"><h2>{name}: {status}</h2>']
    if status == "failed":
        lines.append(f"<p>{html.escape(record['error'])}</p>")
    else:
        figures = "".join(
            f'<figure><img alt="{name}, {caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'
            for caption, source in record["pictures"].items()
        )
        lines.append(f"<div>{figures}</div>" if figures else "<p>no images saved</p>")
        known = {text: record["scores"][key] for key, text in SCORES.items() if key in record["scores"]}
        shown = (f"<span>{html.escape(text)} {value:.3g}</span>" for text, value in known.items())
        lines += [f"<p>{', '.join(shown)}</p>"] if known else []
        report = quote(f"{record['name']}/{lesson}.html")
        lines.append(f'<p><a href="{report}">Report of {name}</a>, {record["seconds"]:.0f} s</p>')
    return "\n".join([*lines, "</article>"])


def pictures(folder: Path) -> dict[str, str]:
    """Caption -> thumbnail as a data URI, of both images of a saved result; of a folder without one, none."""
    if not (folder / NPZ).is_file():
        return {}
    result = load_result(folder)
    low, high = float(result.scales.min()), float(result.scales.max())
    return {
        "all in focus": _source(photograph(result.all_in_focus)),
        f"defocus map, {low:.2g} (dark) to {high:.2g} (bright)": _source(
            coloured(result.defocus_map, low, high)
        ),
    }


def photograph(image: Float[np.ndarray, "height width"]) -> UInt8[np.ndarray, "h w"]:
    """A thumbnail of a linear image, all but its brightest hundredth up to white."""
    small = _small(image)
    return grey_panel(small, max(float(np.percentile(small, 99)), 1e-6))


def coloured(image: Float[np.ndarray, "height width"], low: float, high: float) -> UInt8[np.ndarray, "h w 3"]:
    """A thumbnail of a map on the colour scale viridis, in OpenCV's order (blue, green, red)."""
    return colour_panel(_small(image), low, high)


def _small(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "h w"]:
    height, width = image.shape
    if width <= THUMBNAIL:
        return image
    size = (THUMBNAIL, max(1, round(height * THUMBNAIL / width)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _source(picture: UInt8[np.ndarray, "height width *colours"]) -> str:
    return WEBP + webp(picture, QUALITY)
