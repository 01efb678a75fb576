from .deconvolution import (
    deblur as deblur,
    reassign_to_nearer_layers as reassign_to_nearer_layers,
    rivals as rivals,
    sparse_deconvolution as sparse_deconvolution,
    tile_margin as tile_margin,
)
from .defocus import (
    DefocusEstimate as DefocusEstimate,
    check_sides as check_sides,
    confidence as confidence,
    estimate_defocus as estimate_defocus,
    hypothesis_energies as hypothesis_energies,
    reduction_factor as reduction_factor,
)
from .images import (
    block_means as block_means,
    double as double,
    double_bilinear as double_bilinear,
    enlarge as enlarge,
    enlarge_blocks as enlarge_blocks,
    gaussian_means as gaussian_means,
    local_minimum as local_minimum,
    reduce as reduce,
)
from .labelling import (
    data_cost as data_cost,
    edge_weights as edge_weights,
    labelling_energy as labelling_energy,
    min_marginals as min_marginals,
    sub_label as sub_label,
    truncated_linear_message as truncated_linear_message,
)
from .layers import (
    alphas_of as alphas_of,
    dilate_fronts as dilate_fronts,
    erode_within_surface as erode_within_surface,
    feather_outlines as feather_outlines,
    layer_scales as layer_scales,
    layer_weights as layer_weights,
)
from .noise import NoiseModel as NoiseModel, estimate_noise as estimate_noise
from .occlusion import fill as fill, remove_occluders as remove_occluders, texture as texture
from .settings import (
    BrightnessSettings as BrightnessSettings,
    ConfidenceSettings as ConfidenceSettings,
    DeconvolutionSettings as DeconvolutionSettings,
    EnergySettings as EnergySettings,
    FastSettings as FastSettings,
    LabellingSettings as LabellingSettings,
    LayerSettings as LayerSettings,
    NaturalImagePrior as NaturalImagePrior,
    NoiseSettings as NoiseSettings,
    OcclusionSettings as OcclusionSettings,
    SplittingSettings as SplittingSettings,
)
from .solve import (
    Steps as Steps,
    at_middle_grey as at_middle_grey,
    measure_noise as measure_noise,
    solve_fast as solve_fast,
)
from .wiener import (
    cross_blurred_views as cross_blurred_views,
    cross_residual as cross_residual,
    crossed_views as crossed_views,
    hypothesis_energy as hypothesis_energy,
    local_energy as local_energy,
    noise_energy as noise_energy,
    noise_to_signal as noise_to_signal,
    relative_brightness as relative_brightness,
    wiener_estimate as wiener_estimate,
)
