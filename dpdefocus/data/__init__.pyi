from .capture import (
    MIDDLE_GREY as MIDDLE_GREY,
    PIXEL4_CROP as PIXEL4_CROP,
    PIXEL4_FRAME as PIXEL4_FRAME,
    VIEWS as VIEWS,
    Calibration as Calibration,
    Capture as Capture,
    GroundTruth as GroundTruth,
    check_kernels as check_kernels,
    check_view as check_view,
    check_white as check_white,
)
from .loading import (
    centre as centre,
    check_same_shape as check_same_shape,
    checked_crop as checked_crop,
    load_calibration as load_calibration,
    load_capture as load_capture,
    relative_vignetting as relative_vignetting,
    save_calibration as save_calibration,
    smooth_field as smooth_field,
)
from .pixel4 import (
    fetch_pixel4 as fetch_pixel4,
    list_scenes as list_scenes,
    load_ground_truth as load_ground_truth,
    load_pixel4 as load_pixel4,
)
from .raw import (
    WHITE_LEVEL as WHITE_LEVEL,
    check_levels as check_levels,
    green_of_mosaic as green_of_mosaic,
    linear as linear,
    other_side as other_side,
    read_raw as read_raw,
    signed_linear as signed_linear,
    split_files as split_files,
    split_views as split_views,
    to_raw as to_raw,
    write_raw as write_raw,
)
from .result import (
    Result as Result,
    current_versions as current_versions,
    load_result as load_result,
    save_result as save_result,
)
