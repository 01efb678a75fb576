"""Makes the README's picture, `teaser.png`: a simulated table, photographed, and solved with preset `fast`.

python docs/teaser.py
"""

from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import dpdefocus as dp

SEED, HEIGHT, WIDTH = 12, 432, 576
FAR, NEAR = 0.3, 6.0  # dioptres of the wall and of the table's front edge


def table(camera: dp.simulation.Camera) -> dp.simulation.Scene:
    """A page, a bottle and a ball on a table before a wall: `simulation.tabletop` without its plant."""
    scene = dp.simulation.tabletop(SEED, HEIGHT, WIDTH, camera.kernel_size // 2, FAR, NEAR)
    return replace(
        scene, textures=scene.textures[:-1], mattes=scene.mattes[:-1], dioptres=scene.dioptres[:-1]
    )


def main() -> None:
    camera = dp.simulation.small_camera(rows=4, cols=6)
    shot = dp.simulation.photograph(table(camera), camera, seed=0)
    result = dp.solve(dp.Capture(shot.views, "table", shot.saturated), dp.Calibration(shot.kernels))
    white = float(shot.views.max())
    tones = {
        "photograph": shot.views.mean(0),
        "recovered sharp image": result.all_in_focus,
    }
    figure, row = plt.subplots(1, 3, figsize=(12.6, 3.2), layout="constrained")
    for axes, (title, image) in zip(row, tones.items(), strict=False):
        axes.imshow((image / white).clip(0, 1) ** (1 / dp.support.GAMMA), cmap="gray", vmin=0, vmax=1)
        axes.set_title(title)
    low, high = np.percentile(result.defocus_map, [1, 99])
    drawn = row[2].imshow(result.defocus_map, vmin=low, vmax=high)
    row[2].set_title("recovered defocus map")
    figure.colorbar(drawn, ax=row[2], label="blur (calibrated kernels)", shrink=0.87)
    for axes in row:
        axes.axis("off")
    figure.savefig(Path(__file__).with_name("teaser.png"), dpi=100)


if __name__ == "__main__":
    main()
