from .ablations import (
    BETTER as BETTER,
    FAST as FAST,
    FULL as FULL,
    PUBLISHED as PUBLISHED,
    Ablation as Ablation,
    Effect as Effect,
    Solved as Solved,
    all_scales_tried as all_scales_tried,
    effects as effects,
    equal_tiles as equal_tiles,
    estimate_without_interpolation as estimate_without_interpolation,
    logarithmic_scales as logarithmic_scales,
    logarithmic_weights as logarithmic_weights,
    scored as scored,
    small_settings as small_settings,
    solve_without as solve_without,
)
from .cases import (
    FARTHEST as FARTHEST,
    KINDS as KINDS,
    NEAREST as NEAREST,
    PUBLISHED_GAIN as PUBLISHED_GAIN,
    Case as Case,
    pixel4_cases as pixel4_cases,
    synthetic as synthetic,
    tiny_camera as tiny_camera,
)
from .metrics import (
    aiwe1 as aiwe1,
    aiwe2 as aiwe2,
    align_affine as align_affine,
    image_scores as image_scores,
    map_scores as map_scores,
    score as score,
    scores as scores,
    spearman as spearman,
    spearman_ordinal as spearman_ordinal,
)
from .published_table import Quoted as Quoted
from .saved_outputs import load_saved as load_saved, saved_scenes as saved_scenes
