from .chart import (
    MARKERS as MARKERS,
    Chart as Chart,
    filling as filling,
    load_chart as load_chart,
    on_page as on_page,
    pdf as pdf,
    render_chart as render_chart,
    save_chart as save_chart,
)
from .checks import (
    ENOUGH_DISCS as ENOUGH_DISCS,
    check_coverage as check_coverage,
    check_grid as check_grid,
    check_light as check_light,
    gain_warnings as gain_warnings,
    kernel_warnings as kernel_warnings,
    narrowest_pitch as narrowest_pitch,
    pitch_warnings as pitch_warnings,
)
from .detection import (
    Discs as Discs,
    centroids as centroids,
    components as components,
    contrast_of as contrast_of,
    find_chart as find_chart,
    order_on_grid as order_on_grid,
    threshold as threshold,
)
from .failure import FOUND as FOUND, StepError as StepError, picture_of as picture_of
from .fit import (
    KernelFit as KernelFit,
    KernelFitSettings as KernelFitSettings,
    fit_kernels as fit_kernels,
    grade as grade,
)
from .from_chart import (
    calibrate as calibrate,
    calibrate_folder as calibrate_folder,
    disparity_of as disparity_of,
    sharp_chart as sharp_chart,
)
from .geometry import Geometry as Geometry
from .photographs import (
    Photographs as Photographs,
    check_exposure as check_exposure,
    read_photographs as read_photographs,
)
from .quadratic_programme import (
    Cells as Cells,
    Weights as Weights,
    blurred as blurred,
    blurred_adjoint as blurred_adjoint,
    cut_cells as cut_cells,
    energy_and_gradient as energy_and_gradient,
    first_guess as first_guess,
    minimise as minimise,
    project as project,
    residual_variance as residual_variance,
)
from .report import (
    CalibrationReport as CalibrationReport,
    cells_of as cells_of,
    kernel_sheet as kernel_sheet,
    mosaic as mosaic,
    per_cell as per_cell,
    save_report as save_report,
)
from .simulated_photographs import (
    BAD as BAD,
    ChartPhotographs as ChartPhotographs,
    bad_photographs as bad_photographs,
    blur_frame as blur_frame,
    kernels_seen_from as kernels_seen_from,
    photograph_chart as photograph_chart,
    simulate_photographs as simulate_photographs,
    smooth_vignetting as smooth_vignetting,
    tilted_screen as tilted_screen,
)
from .vignetting import check_sheets as check_sheets, mean_sheet as mean_sheet
