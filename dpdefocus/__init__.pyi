from . import (
    baselines as baselines,
    calibration as calibration,
    data as data,
    evaluation as evaluation,
    fast as fast,
    figures as figures,
    lessons as lessons,
    optics as optics,
    paper as paper,
    proof as proof,
    simulation as simulation,
    site as site,
    support as support,
)
from .calibration import calibrate as calibrate
from .captures import open_capture as open_capture
from .data import (
    Calibration as Calibration,
    Capture as Capture,
    GroundTruth as GroundTruth,
    Result as Result,
    fetch_pixel4 as fetch_pixel4,
    load_calibration as load_calibration,
    load_capture as load_capture,
    load_ground_truth as load_ground_truth,
    load_pixel4 as load_pixel4,
    load_result as load_result,
    save_calibration as save_calibration,
    save_result as save_result,
)
from .evaluation import score as score
from .fast import FastSettings as FastSettings
from .paper import PublishedSettings as PublishedSettings
from .simulation import demo_capture as demo_capture
from .solver import PRESETS as PRESETS, solve as solve
from .support import InputError as InputError

__version__: str
