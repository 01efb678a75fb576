"""Makes the README's picture, `teaser.png`: a simulated table, as photographed and as solved.

python docs/teaser.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from dpdefocus import figures, simulation
from dpdefocus.data.capture import Calibration, Capture
from dpdefocus.solver import solve


def main() -> None:
    camera = simulation.small_camera(rows=6, cols=8)
    scene = simulation.tabletop(4, 504, 672, camera.kernel_size // 2, far=0.3, near=6.0)
    shot = simulation.photograph(scene, camera, seed=0)
    result = solve(Capture(shot.views, "table", shot.saturated), Calibration(shot.kernels))
    panels = {
        "photograph": figures.grey(shot.views.mean(0), float(shot.views.max())),
        "recovered sharp image": figures.grey(result.all_in_focus, float(shot.views.max())),
        "recovered defocus map": figures.coloured(
            result.defocus_map, *np.percentile(result.defocus_map, [1, 99])
        ),
    }
    figure, row = plt.subplots(1, 3, figsize=(12, 3.3), layout="constrained")
    for axes, (title, panel) in zip(row, panels.items(), strict=True):
        axes.imshow(panel, cmap="gray", vmin=0, vmax=255)
        axes.set_title(title)
        axes.axis("off")
    figure.savefig(Path(__file__).with_name("teaser.png"), dpi=80)


if __name__ == "__main__":
    main()
