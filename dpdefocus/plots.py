"""Figures that the lessons share: photographs, maps, curves and sliders, each with a caption and alternative text.

Images are [height, width], in pixels. Photographs are linear and drawn with a gamma of 2.2; maps come with a colour bar
in the unit given. Large images are reduced for the screen; axes and scale bars still count the image's own
pixels.
"""

import base64
import html
import io
from collections.abc import Mapping

import cv2
import matplotlib.pyplot as plt
import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float

GAMMA = 2.2
SCREEN = 480  # most columns of an image in a figure
QUALITY = 88  # of WebP, in percent


class Captioned:
    """A drawn figure with caption and alternative text: what a notebook shows where it is displayed."""

    def __init__(self, figure: plt.Figure, caption: str, alt: str):
        self.caption, self.alt = caption, alt
        with io.BytesIO() as file:
            figure.savefig(file, format="webp", dpi=90, pil_kwargs={"quality": QUALITY})
            self.webp = file.getvalue()
        plt.close(figure)

    def __repr__(self):
        return self.caption

    def _repr_html_(self):
        image = f'<img style="max-width: 100%" alt="{html.escape(self.alt)}" src="{_data_uri(self.webp)}">'
        return f"<figure>{image}<figcaption><em>{html.escape(self.caption)}</em></figcaption></figure>"


class Caption:
    """Caption and alternative text of a Plotly figure, which can carry neither; to be displayed after it."""

    def __init__(self, caption: str, alt: str):
        self.caption, self.alt = caption, alt

    def __repr__(self):
        return self.caption

    def _repr_html_(self):
        label = f'<span role="img" aria-label="{html.escape(self.alt)}"></span>'
        return f"<div>{label}<em>{html.escape(self.caption)}</em></div>"


def _data_uri(webp: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(webp).decode()}"


def for_screen(image: Float[np.ndarray, "height width"]) -> Float[np.ndarray, "h w"]:
    """The image reduced by a whole factor, by means over blocks, so that it has at most `SCREEN` columns."""
    factor = -(-image.shape[1] // SCREEN)
    height, width = (length // factor for length in image.shape)
    blocks = np.asarray(image, np.float32)[: height * factor, : width * factor]
    return blocks.reshape(height, factor, width, factor).mean((1, 3))


def most_different(
    first: Float[np.ndarray, "height width"], second: Float[np.ndarray, "height width"], side: int
) -> tuple[slice, slice]:
    """The square window of the given side in which two images differ most, in the sum of their squares."""
    side = min(side, *first.shape)
    power = cv2.boxFilter(np.square(np.float32(first - second)), -1, (side, side), anchor=(0, 0))
    power = power[: first.shape[0] - side + 1, : first.shape[1] - side + 1]
    top, left = (int(at) for at in np.unravel_index(power.argmax(), power.shape))
    return slice(top, top + side), slice(left, left + side)


def photographs(images: Mapping[str, np.ndarray], white: float | None = None) -> plt.Figure:
    """Linear images side by side on one brightness scale, up to `white` (the brightest pixel), with a scale bar."""
    figure, row = _row(len(images))
    top = max(float(np.max(image)) for image in images.values()) if white is None else white
    for axes, (title, image) in zip(row, images.items(), strict=True):
        shown = np.clip(for_screen(np.asarray(image)) / top, 0, 1) ** (1 / GAMMA)
        _draw(axes, title, image, shown, cmap="gray", vmin=0, vmax=1)
        _scale_bar(axes, *np.shape(image))
    return figure


def maps(
    images: Mapping[str, np.ndarray], unit: str, colours: str = "viridis", limits: tuple | None = None
) -> plt.Figure:
    """Maps side by side on one colour scale, with a bar in `unit`; NaN is left white."""
    figure, row = _row(len(images))
    low, high = limits or tuple(
        pick([pick(image) for image in images.values()]) for pick in (np.nanmin, np.nanmax)
    )
    for axes, (title, image) in zip(row, images.items(), strict=True):
        drawn = _draw(axes, title, image, for_screen(np.asarray(image)), cmap=colours, vmin=low, vmax=high)
    figure.colorbar(drawn, ax=row, label=unit, shrink=0.9)
    return figure


def curves(
    x: np.ndarray, lines: Mapping[str, np.ndarray], xlabel: str, ylabel: str, yscale: str = "linear"
) -> plt.Figure:
    """Several curves over one axis, labelled; on a linear scale with the zero line."""
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for style, (label, y) in zip(("-", "--", "-.", ":") * 2, lines.items(), strict=False):
        axes.plot(x, y, style, label=label, linewidth=2)
    if yscale == "linear":
        axes.axhline(0, color="0.6", linewidth=0.8)
    axes.set(xlabel=xlabel, ylabel=ylabel, yscale=yscale)
    axes.legend(frameon=False)
    return figure


def slider(
    images: Mapping[str, np.ndarray],
    name: str,
    unit: str = "",
    limits: tuple[float, float] | None = None,
) -> go.Figure:
    """One image at a time, chosen by a slider whose positions carry the images' keys; works without a kernel.

    With `limits` the images are maps in `unit`, drawn in colour between the two; without, they are linear photographs
    on one brightness scale.
    """
    shown = {label: for_screen(np.asarray(image)) for label, image in images.items()}
    top = max(float(image.max()) for image in shown.values())
    if limits is None:
        sources = [_encoded(np.clip(image / top, 0, 1) ** (1 / GAMMA), "gray") for image in shown.values()]
    else:
        low, high = limits
        sources = [_encoded((image - low) / (high - low), "viridis") for image in shown.values()]
    first = len(sources) // 2
    steps = [
        {"label": label, "method": "restyle", "args": [{"source": [source]}, [0]]}
        for label, source in zip(shown, sources, strict=True)
    ]
    figure = go.Figure(go.Image(source=sources[first], hoverinfo="skip"))
    if limits is not None:
        marker = {"colorscale": "Viridis", "cmin": low, "cmax": high, "showscale": True}
        marker |= {"color": [low], "colorbar": {"title": unit}}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=marker, showlegend=False)
    height, width = next(iter(shown.values())).shape
    figure.update_layout(
        sliders=[{"active": first, "steps": steps, "currentvalue": {"prefix": f"{name}: "}, "pad": {"t": 10}}],
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        width=700,
        height=int(700 * height / width) + 90,
        dragmode=False,
    )
    figure.update_xaxes(visible=False, range=[-0.5, width - 0.5], constrain="domain")
    figure.update_yaxes(visible=False, range=[height - 0.5, -0.5], constrain="domain", scaleanchor="x")
    return figure


def _row(count):
    width = min(11.0, 5.0 * count)
    figure, axes = plt.subplots(
        1, count, figsize=(width, 0.8 * width / count + 0.3), layout="constrained", squeeze=False
    )
    return figure, axes[0]


def _draw(axes, title, image, shown, **colours):
    height, width = np.shape(image)
    drawn = axes.imshow(shown, extent=(0, width, height, 0), **colours)
    axes.set_title(title)
    axes.axis("off")
    return drawn


def _scale_bar(axes, height, width):
    """A bar of 1, 2 or 5 times a power of ten pixels, no longer than an eighth of the image."""
    power = 10 ** int(np.log10(width / 8))
    bar = max(step * power for step in (1, 2, 5) if step * power <= width / 8)
    left, bottom = 0.02 * width, 0.95 * height
    axes.plot([left, left + bar], [bottom] * 2, color="black", linewidth=5)
    axes.plot([left, left + bar], [bottom] * 2, color="white", linewidth=3)
    box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
    axes.text(left, 0.91 * height, f"{bar} px", color="white", fontsize=9, bbox=box)


def _encoded(unit, colours):
    """An image in [0, 1] as a data URI, through a colour map."""
    red_green_blue = plt.get_cmap(colours)(unit)[..., :3]
    pixels = np.round(255 * red_green_blue[..., ::-1]).astype(np.uint8)
    return _data_uri(cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, QUALITY])[1].tobytes())
