from .aberration import (
    Prediction as Prediction,
    aberrated_kernels as aberrated_kernels,
    at_depths as at_depths,
    at_focus_distances as at_focus_distances,
    predict as predict,
)
from .blended_tiles import (
    Overlap as Overlap,
    blend as blend,
    blending_weights as blending_weights,
    cut as cut,
    frequencies as frequencies,
    mirrored as mirrored,
    pad_to_tiles as pad_to_tiles,
    taper as taper,
)
from .kernel_models import (
    CellModels as CellModels,
    FieldModel as FieldModel,
    cell_positions as cell_positions,
    fit_cells as fit_cells,
    fit_field as fit_field,
    interpolated as interpolated,
    model_kernels as model_kernels,
)
from .kernels import (
    centre_kernels as centre_kernels,
    centroids as centroids,
    kernel_deviation as kernel_deviation,
    kernel_reach as kernel_reach,
    relative_errors as relative_errors,
    scale_kernels as scale_kernels,
    scaled_spectra as scaled_spectra,
)
from .lens import PIXEL4 as PIXEL4, Lens as Lens
from .mpi import (
    all_in_focus as all_in_focus,
    composite as composite,
    defocus_map as defocus_map,
    render as render,
    transmittance as transmittance,
    visibility as visibility,
)
from .pupil import (
    CalibratedPupil as CalibratedPupil,
    Pupil as Pupil,
    butterworth as butterworth,
    field_varying as field_varying,
    half_discs as half_discs,
    pupil_kernels as pupil_kernels,
    translating_disc as translating_disc,
)
from .tiled_blur import (
    BlurredMPI as BlurredMPI,
    SharpMPI as SharpMPI,
    blur as blur,
    blur_windows as blur_windows,
    group_size as group_size,
    group_starts as group_starts,
    kernel_spectra as kernel_spectra,
    kernels_by_tile as kernels_by_tile,
    mpi_tiles as mpi_tiles,
    tile_spectra as tile_spectra,
)
from .tiled_losses import (
    SHARES as SHARES,
    Group as Group,
    devices as devices,
    share_scene as share_scene,
    share_spectra as share_spectra,
    state_shares as state_shares,
    sum_over_tiles as sum_over_tiles,
)
from .tiling import (
    Tiling as Tiling,
    add_windows as add_windows,
    good_fft_length as good_fft_length,
    margins as margins,
    pad as pad,
    pad_adjoint as pad_adjoint,
    tiles as tiles,
    tiling_of as tiling_of,
    windows as windows,
)
