from .batch import (
    complete as complete,
    run_all as run_all,
    run_batch as run_batch,
    run_job as run_job,
)
from .contact_sheet import (
    coloured as coloured,
    contact_sheet_page as contact_sheet_page,
    photograph as photograph,
    pictures as pictures,
)
from .editions import (
    renew_colab_cells as renew_colab_cells,
    student_edition as student_edition,
    with_colab_cell as with_colab_cell,
    write as write,
    write_student_edition as write_student_edition,
)
from .jobs import Job as Job, read_jobs as read_jobs
from .run import (
    NotebookError as NotebookError,
    checked_parameters as checked_parameters,
    known_parameters as known_parameters,
    run_lesson as run_lesson,
)
