from .run import (
    NotebookError as NotebookError,
    checked_parameters as checked_parameters,
    known_parameters as known_parameters,
    run_lesson as run_lesson,
)
from .jobs import Job as Job, read_jobs as read_jobs
from .contact_sheet import (
    coloured as coloured,
    contact_sheet_page as contact_sheet_page,
    photograph as photograph,
    pictures as pictures,
)
from .batch import complete as complete, run_all as run_all, run_job as run_job
from .formulas import block as block, inline as inline
from .pages import (
    NOT_SHOWN as NOT_SHOWN,
    asset as asset,
    markdown_body as markdown_body,
    markdown_page as markdown_page,
    notebook_page as notebook_page,
    page as page,
    title_of as title_of,
)
from .comparison import Compared as Compared, comparison_page as comparison_page
from .site import (
    build as build,
    launchers as launchers,
    lesson_paths as lesson_paths,
    pictures_of as pictures_of,
    project_repository as project_repository,
    read_lessons as read_lessons,
    solved_pictures as solved_pictures,
)
from .editions import student_edition as student_edition, with_colab_cell as with_colab_cell, write as write
