from .comparison import Compared as Compared, comparison_page as comparison_page
from .course import (
    build as build,
    build_site as build_site,
    launchers as launchers,
    lesson_paths as lesson_paths,
    pictures_of as pictures_of,
    project_repository as project_repository,
    read_lessons as read_lessons,
    solved_pictures as solved_pictures,
    with_site_links as with_site_links,
)
from .formulas import block as block, inline as inline
from .front_page import front_page_body as front_page_body
from .lesson_page import (
    lesson_body as lesson_body,
    uses_in_cells as uses_in_cells,
    uses_in_lessons as uses_in_lessons,
)
from .library import Library as Library, read_library as read_library
from .navigation import (
    Heading as Heading,
    contents as contents,
    glossary_terms as glossary_terms,
    heading as heading,
    heading_id as heading_id,
    link_first_uses as link_first_uses,
    neighbours as neighbours,
    with_term_ids as with_term_ids,
)
from .pages import (
    NOT_SHOWN as NOT_SHOWN,
    Link as Link,
    Renderer as Renderer,
    asset as asset,
    code_id as code_id,
    highlighted as highlighted,
    markdown_body as markdown_body,
    notebook_bodies as notebook_bodies,
    notebook_page as notebook_page,
    page as page,
    shown_cells as shown_cells,
    title_of as title_of,
)
from .reference import (
    address as address,
    address_in_text as address_in_text,
    reference_pages as reference_pages,
)
from .usage import Use as Use, library_uses as library_uses
