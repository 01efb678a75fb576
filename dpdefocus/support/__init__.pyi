from .devices import cores as cores, share_among_cores as share_among_cores
from .errors import InputError as InputError
from .files import (
    existing_file as existing_file,
    read_image as read_image,
    read_image_16bit as read_image_16bit,
    replacing as replacing,
    webp as webp,
    writable_folder as writable_folder,
    write_image as write_image,
)
from .memory import peak as peak, release as release
from .nested import adjust as adjust, flatten as flatten, require as require
from .panels import GAMMA as GAMMA, colour_panel as colour_panel, grey_panel as grey_panel
from .parabola import (
    Parabola as Parabola,
    fit_parabola as fit_parabola,
    take_at as take_at,
    vertex as vertex,
)
from .progress_bar import Bar as Bar, is_batch as is_batch, progress as progress
