"""Scenes to photograph: textured surfaces with mattes and inverse depths, procedural and seeded, or made
from an image.

Axes   [surfaces, height, width], surfaces stored back to front; the first is opaque and fills the frame.
       Height and width include the scene's margin on every side: the part beyond the frame that blur carries
       into it.
Units  textures are radiances, linear in [0, 1]; mattes in [0, 1], anti-aliased; inverse depths in dioptres
       (1/m), defined over the whole plane, also beyond the matte; lengths in the image in pixels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from dpdefocus.simulation.textures import dead_leaves, label_texture, natural, page_texture, plain, stripes
from dpdefocus.support.errors import InputError

Image = Float[np.ndarray, "height width"]
Plane = tuple[Image, Image]  # coordinates x and y of each pixel, in pixels from the frame's corner
Point = tuple[float, float]  # (x, y), in pixels


@dataclass(frozen=True)
class Scene:
    """Surfaces back to front, with a margin of `margin` pixels around the frame; all arrays of one shape.

    Raises:
        InputError: arrays that do not fit each other, values outside their range, a farthest surface with
            holes, or a surface that lies behind an earlier one where both are opaque.
    """

    textures: Float[np.ndarray, "surfaces height width"]
    mattes: Float[np.ndarray, "..."]
    dioptres: Float[np.ndarray, "..."]
    margin: int

    def __post_init__(self):
        shape = self.textures.shape
        if len(shape) != 3 or self.mattes.shape != shape or self.dioptres.shape != shape:
            raise InputError(
                f"Scene: textures {shape}, mattes {self.mattes.shape} and dioptres {self.dioptres.shape}; "
                "must have the same shape [surfaces, height, width]."
            )
        if self.margin < 0 or min(shape[1:]) <= 2 * self.margin:
            raise InputError(f"Scene: a margin of {self.margin} leaves no frame in {shape[1:]} pixels.")
        for name in ("textures", "mattes", "dioptres"):
            values = getattr(self, name)
            upper = np.inf if name == "dioptres" else 1.0
            if not np.all(np.isfinite(values)) or values.min() < 0 or values.max() > upper:
                raise InputError(
                    f"Scene: {name} lie in [{values.min():.4g}, {values.max():.4g}]; expected finite values "
                    f"in [0, {'infinity)' if name == 'dioptres' else '1]'}."
                )
        if self.mattes[0].min() < 1:
            raise InputError("Scene: the farthest surface (index 0) must be opaque everywhere: matte 1.")
        nearest = self.dioptres[0]
        for index in range(1, shape[0]):
            solid = self.mattes[index] > 0.5
            if np.any(solid & (self.dioptres[index] < nearest - 1e-3)):
                raise InputError(
                    f"Scene: surface {index} lies behind an earlier one where both are opaque; order the "
                    "surfaces from back to front, and split those that pass through each other."
                )
            nearest = np.where(solid, self.dioptres[index], nearest)

    @property
    def frame(self) -> tuple[int, int]:
        """Height and width of the photograph, without the margin."""
        return self.textures.shape[1] - 2 * self.margin, self.textures.shape[2] - 2 * self.margin


def _matte(distance: Image) -> Image:
    return np.clip(0.5 - distance, 0.0, 1.0).astype(np.float32)


def _card(plane: Plane, centre: Point, half_size: Point, angle: float = 0.0, corner: float = 2.0) -> Image:
    """Distance to a rectangle with rounded corners, turned by `angle`."""
    x, y = _turned(plane, centre, angle)
    dx, dy = np.abs(x) - half_size[0] + corner, np.abs(y) - half_size[1] + corner
    return np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) + np.minimum(np.maximum(dx, dy), 0) - corner


def _blob(rng: np.random.Generator, plane: Plane, centre: Point, radius: float) -> Image:
    """Distance (to first order) to a leaf-like outline, a circle with a few random harmonics."""
    x, y = _turned(plane, centre, 0.0)
    theta = np.arctan2(y, x)
    outline = np.ones_like(theta)
    for k in range(2, 7):
        outline = outline + 0.35 / k * rng.uniform(-1, 1) * np.cos(k * theta + rng.uniform(0, 2 * np.pi))
    return np.hypot(x, y) - radius * outline


def _twigs(rng: np.random.Generator, plane: Plane, foot: Point, length: float, thickness: float) -> Image:
    """Distance to a small branching plant: thin structures of `thickness` pixels and less."""
    x, y = plane
    distance = np.full(x.shape, np.inf, np.float32)
    corner = np.array([x[0, 0], y[0, 0]])
    stack = [(np.array(foot), -np.pi / 2 + rng.uniform(-0.2, 0.2), length, thickness)]
    while stack:
        start, angle, reach, thick = stack.pop()
        end = start + reach * np.array([np.cos(angle), np.sin(angle)])
        # Only the segment's own box is touched: far from it the matte is zero whatever the distance.
        first = np.maximum(np.floor(np.minimum(start, end) - thick - corner), 0).astype(int)
        last = np.maximum(np.ceil(np.maximum(start, end) + thick - corner) + 1, 0).astype(int)
        box = (slice(first[1], last[1]), slice(first[0], last[0]))
        ax, ay, (bx, by) = x[box] - start[0], y[box] - start[1], end - start
        t = np.clip((ax * bx + ay * by) / (bx * bx + by * by), 0, 1)
        distance[box] = np.minimum(distance[box], np.hypot(ax - t * bx, ay - t * by) - 0.5 * thick)
        if reach > 0.25 * length:
            for turn in (rng.uniform(0.25, 0.6), -rng.uniform(0.25, 0.6)):
                stack.append((end, angle + turn, reach * rng.uniform(0.6, 0.8), max(0.7 * thick, 1.2)))
    return distance


def cards(
    seed: int, height: int, width: int, margin: int, far: float, near: float, surfaces: int = 6
) -> Scene:
    """Fronto-parallel cards in front of a wall, evenly spaced in dioptres from `far` to `near`, the nearest a
    thin plant.

    Each surface lies at one depth: the layered scene that a multiplane image can represent exactly.
    """
    if surfaces < 2:
        raise InputError(f"cards: surfaces is {surfaces}; expected at least 2, the wall and one before it.")
    _check_range("cards", far, near)
    rng, plane, shape = _start(seed, height, width, margin)
    depths = np.linspace(far, near, surfaces)
    layers = [(natural(rng, shape, 0.05, 0.4), np.full(shape, -np.inf), depths[0])]
    # Cards stand side by side in random order, so that none hides another completely.
    slots = rng.permutation(surfaces - 1)
    makers = (page_texture, dead_leaves, label_texture, stripes, plain)
    for index, slot in enumerate(slots, start=1):
        x = width * ((slot + 0.5) / (surfaces - 1) + rng.uniform(-0.05, 0.05))
        y = height * rng.uniform(0.3, 0.7)
        if index == surfaces - 1:
            texture = plain(rng, shape, 0.12)
            distance = _twigs(rng, plane, (x, 1.05 * height), 0.36 * height, 0.022 * height)
        elif index % 3 == 2:
            texture = makers[index % len(makers)](rng, shape)
            distance = _blob(rng, plane, (x, y), 0.23 * height)
        else:
            texture = makers[(index - 1) % len(makers)](rng, shape)
            half = (width * rng.uniform(0.6, 0.8) / (surfaces - 1), height * rng.uniform(0.25, 0.38))
            distance = _card(plane, (x, y), half, rng.uniform(-0.15, 0.15))
        layers.append((texture, distance, depths[index]))
    return _scene(layers, shape, margin)


def tabletop(seed: int, height: int, width: int, margin: int, far: float, near: float) -> Scene:
    """A table in front of a wall: a slanted plane, cards, a printed bottle and a plain ball (curved), a
    plant (thin).

    From `far` (the wall) to `near` (the table's front edge), in dioptres.
    """
    _check_range("tabletop", far, near)
    rng, plane, shape = _start(seed, height, width, margin)
    x, y = plane

    def depth(share):
        return far + share * (near - far)

    # The image of a plane is a plane in inverse depth: the table's dioptres are affine in y.
    horizon = 0.55 * height
    foot = np.clip((y - horizon) / (height - horizon), 0.0, 1.3)
    table = depth(np.minimum(0.15 + 0.75 * foot, 1.0))

    def standing(share):
        """Image row where an object at this share of the depth range meets the table."""
        return horizon + (height - horizon) * (share - 0.15) / 0.75

    def place(share, half_height):
        return standing(share) - half_height

    poster = _card(plane, (width * rng.uniform(0.25, 0.75), 0.22 * height), (0.2 * width, 0.2 * height))
    layers = [
        (natural(rng, shape, 0.1, 0.3, 2.4), np.full(shape, -np.inf), far),
        (dead_leaves(rng, shape), poster, depth(0.05)),
        (natural(rng, shape, 0.15, 0.6, 1.8), horizon - y, table),
    ]
    # Objects from back to front, in a random order from left to right.
    slots = width * (0.14 + 0.24 * rng.permutation(4))
    half = (0.19 * width, 0.24 * height)
    layers.append(
        (page_texture(rng, shape), _card(plane, (slots[0], place(0.32, half[1])), half), depth(0.32))
    )
    half = (0.1 * width, 0.28 * height)
    bottle_x, bottle_y = slots[1], place(0.5, half[1])
    bulge = np.sqrt(np.clip(1.0 - ((x - bottle_x) / half[0]) ** 2, 0.0, 1.0))
    body = _card(plane, (bottle_x, bottle_y), half, corner=0.3 * half[0])
    neck = _card(plane, (bottle_x, bottle_y - 1.15 * half[1]), (0.4 * half[0], 0.3 * half[1]))
    label = label_texture(rng, shape) * (0.55 + 0.45 * bulge).astype(np.float32)
    layers.append((label, np.minimum(body, neck), depth(0.5 + 0.06 * bulge)))
    radius = 0.15 * height
    ball_x, ball_y = slots[2], place(0.68, radius)
    bulge = np.sqrt(np.clip(1.0 - ((x - ball_x) ** 2 + (y - ball_y) ** 2) / radius**2, 0.0, 1.0))
    light = np.clip((0.5 * (ball_x - x) + 0.7 * (ball_y - y)) / radius + 0.5 * bulge, 0.0, 1.0)
    ball = (plain(rng, shape, 0.35) * (0.35 + 1.2 * light)).clip(0, 1).astype(np.float32)
    layers.append((ball, np.hypot(x - ball_x, y - ball_y) - radius, depth(0.68 + 0.06 * bulge)))
    # Its foot is round: a little nearer than the table that it stands on.
    plant = _twigs(rng, plane, (slots[3], standing(0.89)), 0.3 * height, 0.016 * height)
    layers.append((plain(rng, shape, 0.1), plant, depth(0.92)))
    return _scene(layers, shape, margin)


def from_image(image, dioptres, margin: int, layers: int = 16) -> Scene:
    """A scene of `layers` surfaces from a sharp image and its map of inverse depths.

    The range of inverse depths is cut into `layers` equal intervals, and each surface takes the pixels of one
    interval, each at its own depth: slants and curves are kept, and blur is exact except where one surface
    meets the next. Each surface continues for `margin` pixels behind a nearer one, with texture and depth of
    its nearest visible pixel, so that the blur of an edge has something behind it. Beyond the frame, image
    and depth are mirrored.

    Args:
        image: [height, width], linear radiance in [0, 1].
        dioptres: [height, width], inverse depth in 1/m; 0 is infinitely far.
        margin: pixels beyond the frame and behind each edge; no less than the largest blur radius.
        layers: how many surfaces; fewer are used where some are empty.

    Raises:
        InputError: shapes that differ, or values out of range.
    """
    image, dioptres = np.asarray(image, np.float32), np.asarray(dioptres, np.float32)
    if image.ndim != 2 or image.shape != dioptres.shape:
        raise InputError(
            f"from_image: image {image.shape} and dioptres {dioptres.shape}; expected one shape "
            "[height, width] for both."
        )
    if not np.all(np.isfinite(dioptres)) or dioptres.min() < 0:
        raise InputError("from_image: dioptres must be finite and not negative (1 over the depth in metres).")
    if layers < 1 or margin < 0:
        raise InputError(f"from_image: layers {layers}, margin {margin}; expected at least 1 and at least 0.")
    image = np.pad(image, margin, mode="symmetric")
    dioptres = np.pad(dioptres, margin, mode="symmetric")
    low, high = float(dioptres.min()), float(dioptres.max())
    interval = (high - low) / layers or 1.0
    index = np.minimum((dioptres - low) / interval, layers - 1).astype(int)
    surfaces = []
    for layer in np.unique(index):
        own = index == layer
        distance, nearest = ndimage.distance_transform_edt(~own, return_indices=True)
        behind = (index > layer) & (distance <= margin + 1)
        matte = np.ones(image.shape) if not surfaces else (own | behind).astype(np.float64)
        surfaces.append((image[tuple(nearest)], matte.astype(np.float32), dioptres[tuple(nearest)]))
    return Scene(*(np.stack(arrays) for arrays in zip(*surfaces, strict=True)), margin)


def _start(
    seed: int, height: int, width: int, margin: int
) -> tuple[np.random.Generator, Plane, tuple[int, int]]:
    """Generator, image coordinates (x, y) with the frame's corner at 0, and shape with margin."""
    y, x = np.mgrid[-margin : height + margin, -margin : width + margin].astype(np.float32)
    return np.random.default_rng(seed), (x, y), x.shape


def _scene(layers: list[tuple[Image, Image, Image | float]], shape: tuple[int, int], margin: int) -> Scene:
    """The scene of surfaces back to front, each a texture, the distance to its outline, and its dioptres."""
    textures, distances, depths = zip(*layers, strict=True)
    dioptres = np.stack([np.broadcast_to(depth, shape) for depth in depths]).astype(np.float32)
    return Scene(np.stack(textures), np.stack([_matte(d) for d in distances]), dioptres, margin)


def _check_range(name: str, far: float, near: float) -> None:
    if not 0 <= far < near:
        raise InputError(f"{name}: far {far} and near {near} dioptres; expected 0 <= far < near.")


def _turned(plane: Plane, centre: Point, angle: float) -> Plane:
    """Coordinates from a centre, along axes turned by an angle in radians."""
    x, y = plane[0] - centre[0], plane[1] - centre[1]
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
