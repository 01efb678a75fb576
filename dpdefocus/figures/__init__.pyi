from .ablations import compared as compared, side_by_side as side_by_side, worth as worth
from .bias import (
    energy_panels as energy_panels,
    error_over_noise as error_over_noise,
    mean_defocus as mean_defocus,
    measured_shifts as measured_shifts,
    profiles as profiles,
    ratios_by_band as ratios_by_band,
    where_the_minimum_lies as where_the_minimum_lies,
)
from .calibration import (
    cells as cells,
    compare_kernel_grids as compare_kernel_grids,
    comparison as comparison,
    detection as detection,
    difference as difference,
    picture as picture,
    scatter_lines as scatter_lines,
    trials as trials,
)
from .common import (
    SCREEN as SCREEN,
    Captioned as Captioned,
    coloured as coloured,
    curves as curves,
    for_screen as for_screen,
    grey as grey,
    maps as maps,
    most_different as most_different,
    photographs as photographs,
)
from .formation import (
    kernel_grids as kernel_grids,
    kernel_pairs as kernel_pairs,
    rays as rays,
)
from .preview import PANEL as PANEL, preview_png as preview_png, screen_tones as screen_tones
from .widgets import Control as Control, Frames as Frames, Picture as Picture, explore as explore
