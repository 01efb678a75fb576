"""The calibration chart: white discs on black, as data, as an image under any geometry, and as files.

    dpdefocus chart --width 531 --height 298.6 --dpi 92 --out chart

writes chart.png and chart.pdf, the all-white and all-black screens white.png and black.png, and chart.json,
which `dpdefocus calibrate` reads.

Axes   images are [height, width]; points [points, 2] = (x to the right, y down).
Units  millimetres on the chart, from its centre; images are coverage, 0 (black) to 1 (white).

Three discs in the middle are smaller, the *markers*. They identify the discs, and the chart's orientation,
where its border is out of view.

Pitch  The spectrum of a grid of discs is zero except at multiples of 1 / pitch, so the chart samples a
kernel's spectrum there and nowhere else. By the sampling theorem that determines a kernel narrower than the
pitch. If the kernel is wider, light on one side of it gives the same photograph as light a pitch away on the
other side. So in the photograph the pitch should be at least the kernels' width.
"""

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

from dpdefocus.calibration.geometry import Geometry
from dpdefocus.support.errors import InputError
from dpdefocus.support.files import existing_file, replacing, writable_folder

# Rows and columns of the markers from the middle disc: a triangle without any symmetry.
MARKERS = ((0, 0), (0, 1), (2, 0))

# Radius of a marker, in disc radii: half the light, and still seen through a blur as wide as a disc.
MARKER_RADIUS = 0.7

# Millimetres. A 24-inch screen that fills the Pixel 4's 1344 x 1008 pixels then shows discs 68 pixels apart.
PITCH, RADIUS = 20.0, 6.5

# Samples along each side of a pixel that a disc's edge crosses.
EDGE_SAMPLES = 4

# Radius over pitch: of the smallest disc that still shows once blurred, and of the largest that leaves a gap.
RADIUS_TO_PITCH = (0.1, 0.45)

# No screen has more pixels than this.
MAX_PIXELS = 10**8
MM_PER_INCH = 25.4


@dataclass(frozen=True)
class Chart:
    """A grid of discs in the middle of a page or screen.

    Args:
        rows, cols: of discs; at least 5, so that the markers have neighbours.
        pitch: from one disc's centre to the next, millimetres.
        radius: of a disc, millimetres.
        page: (width, height) of the page or screen, millimetres.
        dpi: pixels per inch of the screen, or of the printed image.

    Only the ratio of radius to pitch must be right: the geometry fitted to a photograph absorbs the scale.

    Raises:
        InputError: discs that overlap, or are too small to be told apart, or do not fit on the page.
    """

    rows: int
    cols: int
    pitch: float
    radius: float
    page: tuple[float, float]
    dpi: float

    def __post_init__(self) -> None:
        if self.rows < 5 or self.cols < 5:
            raise InputError(f"Chart: {self.rows} x {self.cols} discs; expected at least 5 x 5")
        if not (self.pitch > 0 and self.dpi > 0 and min(self.page) > 0):
            raise InputError(
                f"Chart: pitch {self.pitch} mm, page {self.page} mm, {self.dpi} dpi; expected positive "
                "numbers"
            )
        least, most = (share * self.pitch for share in RADIUS_TO_PITCH)
        if not least <= self.radius <= most:
            raise InputError(
                f"Chart: radius {self.radius} mm at a pitch of {self.pitch} mm; expected {least:.4g} to "
                f"{most:.4g} mm, for discs that are apart and large enough to be found"
            )
        needed = [(count - 1) * self.pitch + 2 * self.radius for count in (self.cols, self.rows)]
        if any(need > room * (1 + 1e-9) for need, room in zip(needed, self.page, strict=True)):
            raise InputError(
                f"Chart: {self.rows} x {self.cols} discs take {needed[0]:.4g} x {needed[1]:.4g} mm, the "
                "page is "
                f"{self.page[0]:.4g} x {self.page[1]:.4g} mm. Take fewer discs or a smaller pitch"
            )
        if np.prod(self.pixels) > MAX_PIXELS:
            raise InputError(
                f"Chart: {self.page} mm at {self.dpi} dpi are {self.pixels} pixels; check the dpi"
            )

    @property
    def pixels(self) -> tuple[int, int]:
        """(height, width) of the page's image."""
        return tuple(max(1, round(length / MM_PER_INCH * self.dpi)) for length in self.page[::-1])

    @property
    def indices(self) -> np.ndarray:
        """Row and column of each disc, counted from the middle disc, [discs, 2], row by row."""
        rows, cols = np.indices((self.rows, self.cols)).reshape(2, -1)
        return np.stack([rows - self.rows // 2, cols - self.cols // 2], axis=1)

    @property
    def centres(self) -> Float[np.ndarray, "discs 2"]:
        """Centres of the discs, millimetres."""
        middle = np.array([(self.cols // 2) - (self.cols - 1) / 2, (self.rows // 2) - (self.rows - 1) / 2])
        return (self.indices[:, ::-1] + middle) * self.pitch

    @property
    def radii(self) -> Float[np.ndarray, " discs"]:
        """Radii of the discs, millimetres: the markers' are smaller."""
        marked = np.any(np.all(self.indices[:, None] == np.array(MARKERS), axis=2), axis=1)
        return np.where(marked, MARKER_RADIUS, 1.0) * self.radius


def filling(page: tuple[float, float], dpi: float, pitch: float = PITCH, radius: float = RADIUS) -> Chart:
    """The chart with as many discs as fit on a page; odd counts, so that a disc is in the middle."""
    if not pitch > 0:
        raise InputError(f"filling: pitch {pitch} mm; expected a positive number")
    cols, rows = (int((length - 2 * radius) / pitch + 1 + 1e-9) for length in page)
    return Chart(rows - (rows + 1) % 2, cols - (cols + 1) % 2, pitch, radius, page, dpi)


def render_chart(chart: Chart, geometry: Geometry, margin: int = 0) -> Float32[np.ndarray, "height width"]:
    """Fraction of each pixel that discs cover, in the geometry's frame and `margin` pixels around it.

    Pixels that an edge crosses are cut into 4 x 4 samples; of each, the area inside a straight edge at its
    distance counts. So disc areas and centroids are correct to some thousandths of a pixel.
    """
    rim = margin + 1  # for the gradient
    height, width = (length + 2 * rim for length in geometry.frame)
    x, y = np.meshgrid(np.arange(width) - rim, np.arange(height) - rim)
    pixels = np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.float64)
    outside = _distance(chart, geometry.to_chart(pixels)).reshape(height, width)
    # Millimetres per pixel across the edge, whichever way it runs.
    scale = np.hypot(*np.gradient(outside))
    image = (outside < 0).astype(np.float32)

    crossed = np.abs(outside) < 0.75 * scale
    steps = (np.arange(EDGE_SAMPLES) + 0.5) / EDGE_SAMPLES - 0.5
    total = np.zeros(np.count_nonzero(crossed))
    edge_pixels, edge_scale = pixels[crossed.ravel()], scale[crossed] / EDGE_SAMPLES
    for step_y in steps:
        for step_x in steps:
            distance = _distance(chart, geometry.to_chart(edge_pixels + [step_x, step_y]))
            total += np.clip(0.5 - distance / edge_scale, 0, 1)
    image[crossed] = total / EDGE_SAMPLES**2
    return image[1:-1, 1:-1]


def on_page(chart: Chart) -> Geometry:
    """The geometry of the chart's own image, at its dpi."""
    height, width = chart.pixels
    scale = chart.dpi / MM_PER_INCH
    return Geometry(
        np.array([[scale, 0.0, (width - 1) / 2], [0.0, scale, (height - 1) / 2], [0.0, 0.0, 1.0]]),
        (height, width),
    )


def save_chart(chart: Chart, folder: str | Path) -> Path:
    """Write chart.png, chart.pdf, white.png, black.png and chart.json.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = writable_folder(folder, "out")
    screens = {
        "chart.png": np.round(255 * render_chart(chart, on_page(chart))).astype(np.uint8),
        "white.png": np.full(chart.pixels, 255, np.uint8),
        "black.png": np.zeros(chart.pixels, np.uint8),
    }
    with replacing(folder, *screens, "chart.pdf", "chart.json") as paths:
        for path, image in zip(paths, screens.values(), strict=False):
            Image.fromarray(image).save(path, dpi=(chart.dpi, chart.dpi))  # printed at its true size
        paths[-2].write_bytes(pdf(chart))
        paths[-1].write_text(json.dumps(asdict(chart), indent=1) + "\n")
    return folder


def load_chart(path: str | Path) -> Chart:
    """Read the chart.json that ``save_chart`` wrote; `path` is the file, or its folder.

    Raises:
        InputError: no such file, or not a chart.
    """
    path = Path(path) / "chart.json" if Path(path).is_dir() else Path(path)
    text = existing_file(path, "a chart, chart.json by `dpdefocus chart`").read_bytes()
    try:
        values = json.loads(text)
        numbers = {name: float(values[name]) for name in ("pitch", "radius", "dpi")}
        counts = {name: int(values[name]) for name in ("rows", "cols")}
        width, height = (float(length) for length in values["page"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} is not a chart ({error}): expected chart.json by `dpdefocus chart`"
        ) from error
    return Chart(**counts, **numbers, page=(width, height))


def pdf(chart: Chart) -> bytes:
    """The chart as a PDF page of its true size, the discs as curves."""
    # No figure of a lesson, and needed here only: matplotlib also writes PDF.
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure
    from matplotlib.patches import Circle

    width, height = chart.page
    figure = Figure(figsize=(width / MM_PER_INCH, height / MM_PER_INCH), facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-width / 2, width / 2), ylim=(height / 2, -height / 2))
    axes.axis("off")
    for centre, radius in zip(chart.centres, chart.radii, strict=True):
        axes.add_patch(Circle(centre, radius, color="white", linewidth=0))
    with io.BytesIO() as file:
        FigureCanvasPdf(figure).print_pdf(file, metadata={"CreationDate": None})
        return file.getvalue()


def _distance(chart: Chart, points: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
    """Millimetres from each point to the edge of the nearest disc, negative inside."""
    middle = np.array([(chart.cols - 1) / 2, (chart.rows - 1) / 2])
    nearest = np.rint(points / chart.pitch + middle)
    nearest = np.clip(nearest, 0, [chart.cols - 1, chart.rows - 1]).astype(int)
    disc = nearest[:, 1] * chart.cols + nearest[:, 0]
    return np.hypot(*(points - chart.centres[disc]).T) - chart.radii[disc]
