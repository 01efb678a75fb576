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
from .cases import (
    Case as Case,
    FARTHEST as FARTHEST,
    KINDS as KINDS,
    NEAREST as NEAREST,
    PUBLISHED_GAIN as PUBLISHED_GAIN,
    pixel4_cases as pixel4_cases,
    synthetic as synthetic,
    tiny_camera as tiny_camera,
)
from .ablations import (
    Ablation as Ablation,
    BETTER as BETTER,
    Effect as Effect,
    FAST as FAST,
    FULL as FULL,
    PUBLISHED as PUBLISHED,
    Solved as Solved,
    effects as effects,
    scored as scored,
    small_settings as small_settings,
    solve_fast as solve_fast,
    solve_published as solve_published,
    solve_without as solve_without,
)
from .published_table import Quoted as Quoted
from .saved_outputs import load_saved as load_saved, saved_scenes as saved_scenes
