"""Makes the README's picture, `teaser.png`: a simulated table, as photographed and as solved.

    python docs/teaser.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from dpdefocus import plots, scenes, simulate
from dpdefocus.data import Calibration, Capture
from dpdefocus.solve import solve


def main() -> None:
    camera = simulate.small_camera(rows=6, cols=8)
    scene = scenes.tabletop(4, 504, 672, camera.kernel_size // 2, far=0.3, near=6.0)
    shot = simulate.photograph(scene, camera, seed=0)
    result = solve(Capture(shot.views, "table", shot.saturated), Calibration(shot.kernels))
    panels = {
        "photograph": plots.grey(shot.views.mean(0), float(shot.views.max())),
        "recovered sharp image": plots.grey(result.all_in_focus, float(shot.views.max())),
        "recovered defocus map": plots.coloured(
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
