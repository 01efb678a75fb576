"""The library's reference, made of its docstrings: a page for the front door and one for each wing.

griffe reads the docstrings (`library`): it runs nothing and is a library, so that lessons and reference share
one build, one form of page and their links; Sphinx, mkdocstrings or pdoc would build a site of their own.

The id of an entry in its page is its path, such as ``optics.lens.Lens``.
"""

import re
from collections.abc import Callable, Mapping, Sequence

import griffe

from dpdefocus.site.library import Library, docstring, exported, methods, path_of, rooms, summary, wings
from dpdefocus.site.navigation import Heading, heading
from dpdefocus.site.pages import Link, Renderer, highlighted, markdown_body

FRONT = "reference.html"

# Characters: a signature that is longer is broken into lines, a constant's value that is longer is left out.
WIDTH = 88

# How docstrings label their axes and units: as the beginning of a block, or within a paragraph.
BLOCK = re.compile(r"^([A-Z]\w+) {2,}(?=\S)", re.MULTILINE)
LABEL = re.compile(r"(?<![\w`*])(Axes|Units?):(?=\s)")

Uses = Mapping[str, Sequence[tuple[str, str]]]


def reference_pages(library: Library, uses: Uses) -> dict[str, tuple[str, str, list[Heading]]]:
    """File name -> title, body as HTML, and headings of each page of the reference.

    Args:
        library: what is described.
        uses: path of a name -> (what the lesson is called, address of the use) for each lesson that uses it.
    """
    pages = {FRONT: ("Reference", *_front(library, uses))}
    for wing in wings(library.package):
        pages[_page_name(wing.name)] = (f"Reference: {wing.name}", *_wing(library, wing, uses))
    return pages


def address(library: Library, path: str) -> str:
    """Where a wing, a room or a name is described, from any page of the site."""
    if library.objects[path].is_subpackage:
        return _page_name(path)
    wing, dot, _ = path.partition(".")
    return f"{_page_name(wing) if dot and library.objects[wing].is_subpackage else FRONT}#{path}"


def address_in_text(library: Library, text: str) -> str:
    """The address that ``room.name`` in a lesson's text links to; nothing for a word without a dot."""
    path = library.find(text.removeprefix("dp."), "") if "." in text.partition("(")[0] else ""
    return address(library, path) if path else ""


def _page_name(wing):
    return f"reference_{wing}.html"


def _front(library, uses):
    package = library.package
    front = [library.objects[path_of(alias.final_target)] for alias in exported(package)]
    listed = "".join(_item(library, each) for each in front)
    plan = "".join(
        heading(3, wing.name, _linked(library, wing))
        + _text(library, summary(wing), wing)
        + f"<ul>\n{''.join(_item(library, room) for room in rooms(wing))}</ul>\n"
        for wing in wings(package)
    )
    own_rooms = [room for room in rooms(package) if not room.is_subpackage]
    body = (
        heading(1, "reference", "Reference")
        + _text(library, docstring(package), package)
        + f"{heading(2, 'front-door', 'Front door')}<ul>\n{listed}</ul>\n"
        + f"{heading(2, 'wings', 'Wings')}{plan}"
        + "".join(_room(library, room, uses) for room in own_rooms)
    )
    headings = [Heading(2, "front-door", "Front door"), Heading(2, "wings", "Wings")]
    return body, [*headings, *map(_heading, own_rooms)]


def _wing(library, wing, uses):
    body = heading(1, wing.name, f"<code>{wing.name}</code>") + _text(library, docstring(wing), wing)
    found = rooms(wing)
    return body + "".join(_room(library, room, uses) for room in found), list(map(_heading, found))


def _heading(room):
    return Heading(2, path_of(room), f"<code>{room.name}</code>")


def _room(library, room, uses):
    paths = [path for path, each in library.objects.items() if each.parent is room]
    links = " ".join(_linked(library, library.objects[path]) for path in paths)
    entries = "".join(_entry(library, library.objects[path], uses) for path in paths)
    return (
        f"<section>\n{heading(*_heading(room))}{_text(library, docstring(room), room)}"
        f'<p class="names">{links}</p>\n{entries}</section>\n'
    )


def _linked(library, each):
    return f'<a href="{address(library, path_of(each))}"><code>{each.name}</code></a>'


def _item(library, each):
    """A name with what its docstring begins with, as an item of a list."""
    said = _text(library, summary(each), each).removeprefix("<p>").removesuffix("</p>\n")
    return f"<li>{_linked(library, each)}{': ' if said else ''}{said}</li>\n"


def _entry(library, each, uses, level=3):
    """What is said of one name, and of the methods of a class below it."""
    path = path_of(each)
    kind = "class" if each.is_class else ""
    title = f"<code>{each.name}</code>{f' <small>{kind}</small>' if kind else ''}"
    lessons = ", ".join(f'<a href="{address}">{lesson}</a>' for lesson, address in uses.get(path, ()))
    used = f'<p class="used">Used in {lessons}.</p>\n' if lessons else ""
    below = "".join(_entry(library, method, uses, level + 1) for method in methods(each))
    sections = each.docstring.parsed if each.docstring else []
    described = "".join(_section(library, section, each) for section in sections)
    described = described or _text(library, docstring(each), each)
    parts = heading(level, path, title) + _signature(library, each) + described + used + below
    return f'<section class="entry">\n{parts}</section>\n'


def _section(library, section, each):
    """A section of a docstring: text, or a list with a title."""
    kind = section.kind.value
    if kind == "text":
        return _text(library, section.value, each)
    if kind == "admonition":
        return _text(library, f"{section.title}\n{section.value.description}", each)
    title = {"parameters": "Args" if each.is_function else "Fields"}.get(kind, kind.capitalize())
    if kind == "returns":
        return f'<p class="part">{title}</p>\n' + _text(library, section.value[0].description, each)
    code = Renderer(_address_within(library, each)).codespan
    items = "".join(
        f"<dt>{code(item.name if kind == 'parameters' else str(item.annotation))}</dt>\n"
        f"<dd>{_text(library, item.description, each)}</dd>\n"
        for item in section.value
    )
    return f'<p class="part">{title}</p>\n<dl>\n{items}</dl>\n'


def _text(library, text, each):
    """A docstring, or a part of one, as HTML; names in backticks are links to their entries."""
    text = BLOCK.sub(r"\n**\1** ", LABEL.sub(r"**\1:**", text))
    return markdown_body(text, Renderer(_address_within(library, each)))


def _address_within(library: Library, each: griffe.Object) -> Callable[[str], str]:
    """What gives the address for a name in the docstring of `each`."""
    own = {parameter.name for parameter in _parameters(each)}

    def address_of(name):
        path = "" if name in own else library.find(name, path_of(each))
        if not path or library.objects[path] is each:
            return ""
        # A word without a dot means a wing or a room only where these are described: `noise` may be noise.
        if library.objects[path].is_module and "." not in name and not each.is_module:
            return ""
        return address(library, path)

    return address_of


def _signature(library, each):
    """How a name is called, with the axes of its arrays; of a constant its value, if it is short."""
    if each.is_attribute and "property" not in each.labels:
        text = f"{each.name} = {each.value}"
        return highlighted(text) if each.value and len(text) <= WIDTH and "\n" not in text else ""
    arguments = [_argument(parameter) for parameter in _parameters(each)]
    returned = "" if each.is_class else each.returns if each.is_function else each.annotation
    arrow = f"{' ->' if each.is_function else ':'} {_annotation(returned)}" if returned else ""
    brackets = "({})" if each.is_function or arguments else "{}"
    text = f"{each.name}{brackets.format(', '.join(arguments))}{arrow}"
    if len(text) > WIDTH and arguments:
        text = f"{each.name}(\n{''.join(f'    {argument},{chr(10)}' for argument in arguments)}){arrow}"
    known = dict(_types(library, [parameter.annotation for parameter in _parameters(each)] + [returned]))
    found = (match for match in re.finditer(r"[A-Za-z_]\w*", text) if match[0] in known)
    return highlighted(text, [Link(*match.span(), address(library, known[match[0]])) for match in found])


def _parameters(each):
    """The parameters of a function or a class; of a named tuple, its fields."""
    if each.is_attribute or each.is_module:
        return []
    found = [parameter for parameter in each.parameters if parameter.name not in ("self", "cls")]
    if found or each.is_function or "NamedTuple" not in map(str, each.bases):
        return found
    fields = (field for field in each.members.values() if field.is_attribute and field.annotation)
    return [griffe.Parameter(each.name, annotation=each.annotation, default=each.value) for each in fields]


def _argument(parameter):
    kind = parameter.kind.value if parameter.kind else ""
    stars = {"variadic positional": "*", "variadic keyword": "**"}.get(kind, "")
    text = stars + parameter.name
    if parameter.annotation:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is None or stars:
        return text
    return f"{text} = {parameter.default}" if parameter.annotation else f"{text}={parameter.default}"


def _annotation(annotation):
    """A type as in the source, where strings, the axes, have double quotes."""
    return str(annotation).replace("'", '"')


def _types(library, annotations):
    """(name, path) of the library's own types in some annotations."""
    for annotation in annotations:
        expressions = annotation.iterate(flat=True) if isinstance(annotation, griffe.Expr) else ()
        for each in expressions:
            if isinstance(each, griffe.ExprName):
                path = each.canonical_path.partition(".")[2]
                if path in library.paths:
                    yield each.name, library.paths[path]
