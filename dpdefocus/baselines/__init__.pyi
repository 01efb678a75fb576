from .aggregation import (
    Quadratic as Quadratic,
    added as added,
    aggregated as aggregated,
    aggregated_sizes as aggregated_sizes,
    couplings as couplings,
    finer as finer,
    handed_on as handed_on,
    own_costs as own_costs,
)
from .methods import (
    BASELINES as BASELINES,
    GUIDED_RADIUS as GUIDED_RADIUS,
    GUIDED_SOFTNESS as GUIDED_SOFTNESS,
    Baseline as Baseline,
    Estimate as Estimate,
    Prepared as Prepared,
    continuous_aggregation as continuous_aggregation,
    dual_pixel_stereo as dual_pixel_stereo,
    guided as guided,
    identity as identity,
    kernel_symmetry as kernel_symmetry,
    prepare as prepare,
    wiener_selection as wiener_selection,
)
from .smoothing import (
    box_mean as box_mean,
    edge_aware as edge_aware,
    guided_filter as guided_filter,
    smooth_lines as smooth_lines,
)
from .stereo import (
    centroid_shifts as centroid_shifts,
    detail as detail,
    matched_sizes as matched_sizes,
    shifted_costs as shifted_costs,
)
from .symmetry import crossed_differences as crossed_differences, symmetric_sizes as symmetric_sizes
from .wiener import (
    best_sizes as best_sizes,
    deconvolved as deconvolved,
    reblurred_differences as reblurred_differences,
    selected as selected,
    tile_spectra as tile_spectra,
)
