"""Ways through the pages: ids of headings, the contents of a page, its neighbours, terms of the glossary.

All functions take and give HTML. Nothing here knows notebooks or the library.
"""

import html
import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

TAG = re.compile(r"(<[^>]*>)")

# Text in these elements gets no link: it is one, is no prose, or stands in a line of its own.
NO_LINKS_IN = {"a", "code", "pre", "math", "script", "style", "summary", "h1", "h2", "h3", "h4", "h5", "h6"}

# An entry of the glossary, as its Markdown is drawn: a paragraph that begins with the term in bold.
ENTRY = re.compile(r"<p><strong>([^<]+?)\.</strong>")

FEWEST_HEADINGS = 3  # of a page that is worth a list of contents


class Heading(NamedTuple):
    """A heading of a page: level 1 to 6, the id that links lead to, and its title as HTML without links."""

    level: int
    id: str
    title: str


def heading_id(title: str, taken: Collection[str]) -> str:
    """An id made of the words of a title; numbered where others of the page have it already."""
    words = html.unescape(TAG.sub("", title)).lower()
    base = re.sub(r"\W+", "-", words).strip("-") or "section"
    candidates = (base if number == 1 else f"{base}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def heading(level: int, id: str, title: str) -> str:
    """A heading with its id and, below the page's own title, a link to itself.

    Args:
        level: 1 to 6.
        id: unique in the page.
        title: HTML.
    """
    name = html.escape(html.unescape(TAG.sub("", title)))
    anchor = f' <a class="anchor" href="#{id}" aria-label="Link to: {name}">#</a>' if level > 1 else ""
    return f'<h{level} id="{id}">{title}{anchor}</h{level}>\n'


def contents(headings: Iterable[Heading]) -> str:
    """The list of a page's headings of level 2, folded on narrow screens; empty for a short page."""
    sections = [each for each in headings if each.level == 2]
    if len(sections) < FEWEST_HEADINGS:
        return ""
    links = "".join(f'<li><a href="#{each.id}">{each.title}</a></li>\n' for each in sections)
    return (
        '<nav class="contents" aria-label="Contents"><details><summary>Contents</summary>\n'
        f"<ul>\n{links}</ul></details></nav>"
    )


def neighbours(before: tuple[str, str] | None, after: tuple[str, str] | None) -> str:
    """Links to the lessons before and after; each is (address, title), or None at either end."""
    previous = f'<a rel="prev" href="{before[0]}">← {html.escape(before[1])}</a>' if before else ""
    following = f'<a rel="next" href="{after[0]}">{html.escape(after[1])} →</a>' if after else ""
    return f'<nav class="neighbours" aria-label="Lessons before and after">\n{previous}\n{following}</nav>'


def with_term_ids(body: str) -> str:
    """The glossary's page with an id at each of its entries."""
    return ENTRY.sub(lambda found: f'<p id="{heading_id(found[1], ())}"><strong>{found[1]}.</strong>', body)


def glossary_terms(body: str) -> dict[str, str]:
    """Term -> id of its entry in the glossary's page. "Kernel, blur kernel" is two; "(MPI)" is one more."""
    terms = {}
    for title in ENTRY.findall(body):
        names, _, short = title.partition(" (")
        short = short.rstrip(")")
        for name in [*names.split(", "), *([short] if short.isupper() else [])]:
            terms[html.unescape(name)] = heading_id(title, ())
    return terms


def link_first_uses(bodies: Iterable[str], terms: Mapping[str, str]) -> list[str]:
    """Parts of a page in which the first use of each term of the glossary is a link to its entry.

    Args:
        bodies: HTML, in the order in which it is read.
        terms: term -> address of its entry; terms with the same entry count as one.
    """
    if not terms:
        return list(bodies)
    left = set(terms.values())
    addresses = {name if name.isupper() else name.lower(): address for name, address in terms.items()}
    alternatives = (
        re.escape(name) if name.isupper() else f"(?i:{re.escape(name)})"
        for name in sorted(terms, key=len, reverse=True)
    )
    pattern = re.compile(rf"(?<![\w-])({'|'.join(alternatives)})(s?)(?![\w-])")

    def link(found):
        address = addresses.get(found[1]) or addresses[found[1].lower()]
        if address not in left:
            return found[0]
        left.remove(address)
        return f'<a class="term" href="{address}">{found[0]}</a>'

    return ["".join(_each_text(body, lambda text: pattern.sub(link, text))) for body in bodies]


def _each_text(body, change):
    """The pieces of HTML, text in which links may stand changed."""
    inside = []
    for piece in TAG.split(body):
        found = re.match(r"<(/?)(\w+)", piece)
        if found and found[2] in NO_LINKS_IN:
            inside = inside[:-1] if found[1] else [*inside, found[2]]
        yield piece if found or inside else change(piece)
