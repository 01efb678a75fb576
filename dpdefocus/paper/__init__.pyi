from .bias import (
    EnergyTerms as EnergyTerms,
    bias_correction as bias_correction,
    blocked_share as blocked_share,
    evidence_correction as evidence_correction,
    expected_energy as expected_energy,
    expected_energy_of_noise as expected_energy_of_noise,
    poisson_gaussian_correction as poisson_gaussian_correction,
)
from .losses import (
    alpha_loss as alpha_loss,
    auxiliary_loss as auxiliary_loss,
    by_layer as by_layer,
    data_loss as data_loss,
    entropy as entropy,
    entropy_loss as entropy_loss,
    intensity_loss as intensity_loss,
    local_variance as local_variance,
    off_edges as off_edges,
    robust as robust,
    root as root,
)
from .objective import (
    LOSSES as LOSSES,
    Scene as Scene,
    scene_of as scene_of,
    value_and_gradient as value_and_gradient,
)
from .optimise import (
    History as History,
    State as State,
    fit_published as fit_published,
    start as start,
    warm_start as warm_start,
)
from .settings import (
    HAND_SETTINGS as HAND_SETTINGS,
    FinishSettings as FinishSettings,
    LossSettings as LossSettings,
    PublishedSettings as PublishedSettings,
    RangeSettings as RangeSettings,
    Schedule as Schedule,
)
from .solve import (
    bilateral_filter as bilateral_filter,
    solve_published as solve_published,
    within_range as within_range,
)
