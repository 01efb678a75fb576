from .camera import (
    Camera as Camera,
    Sensor as Sensor,
    dioptres_at_scale as dioptres_at_scale,
    pixel4_camera as pixel4_camera,
    sensor_ceiling as sensor_ceiling,
    small_camera as small_camera,
)
from .focus_stack import (
    FocusStack as FocusStack,
    Recovered as Recovered,
    focus_dioptres as focus_dioptres,
    focus_measure as focus_measure,
    photograph_stack as photograph_stack,
    recover as recover,
)
from .rendering import (
    Formed as Formed,
    cut_frame as cut_frame,
    expose as expose,
    form_capture as form_capture,
    prepare as prepare,
    render as render,
    slice_counts as slice_counts,
    slice_radii as slice_radii,
)
from .scenes import (
    Scene as Scene,
    cards as cards,
    from_image as from_image,
    tabletop as tabletop,
)
from .simulate import (
    Simulated as Simulated,
    demo_capture as demo_capture,
    four_depths as four_depths,
    photograph as photograph,
)
from .textures import (
    dead_leaves as dead_leaves,
    label_texture as label_texture,
    natural as natural,
    page_texture as page_texture,
    plain as plain,
    stripes as stripes,
    text as text,
)
