"""Names in backticks exist, in docstrings, comments, lessons and docs; relative links lead to files.

A name is a wing, a room, a public name, a member of a class or an argument, or one that the file itself uses.
Symbols of formulas (a letter, perhaps with an index) are left alone.
"""

import ast
import io
import json
import keyword
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "dpdefocus").rglob("*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
NAME = re.compile(r"(`+)([^\W\d]\w*(?:\.[^\W\d]\w*)*)(?:\([^`]*\))?\1(?!`)")
SKIP = re.compile(r"[^\W\d_][²⁻]?(_\w{1,3})?|__\w+__|.*\.(csv|html|ipynb|json|md|np[yz]|p..|py|tiff|toml)")
OUTSIDE = {"numpy", "np", "papermill", "rawpy", "unprocessed_raw", "room", "behind_j", "soften", "classroom"}
OUTSIDE.update(keyword.kwlist, re.findall(r"[A-Z_]{3,}", (ROOT / "Makefile").read_text()))


def bound(body):
    """Names that these statements bind, import or read."""
    for node in body:
        for each in [node] if isinstance(node, ast.FunctionDef | ast.ClassDef) else ast.walk(node):
            yield getattr(each, "asname", None) or getattr(each, "name", None) or getattr(each, "id", None)


SPACES, MEMBERS, ARGUMENTS = {}, set(), set()  # names in each wing, room and class; in all classes
for path in [*(ROOT / "dpdefocus").rglob("*.py"), *(ROOT / "dpdefocus").rglob("*.pyi")]:
    tree = ast.parse(path.read_text())
    wing, room = path.parent.name, path.stem
    SPACES.setdefault(wing if room == "__init__" else room, set()).update(bound(tree.body))
    SPACES.setdefault(wing, set()).add(room)
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            attributes = [each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)]
            SPACES.setdefault(node.name, set()).update(attributes, bound(node.body))
            MEMBERS |= SPACES[node.name]
        ARGUMENTS |= {node.arg} if isinstance(node, ast.arg) else set()
KNOWN = MEMBERS | ARGUMENTS | OUTSIDE | SPACES.keys() | set().union(*SPACES.values())


def exists(name, used):
    """Whether a dotted name is known, in general or by the names that the file uses."""
    head, *rest = name.removeprefix("dpdefocus.").removeprefix("dp.").split(".")
    if not rest or head in OUTSIDE:
        return head in KNOWN | used
    if {head, *rest} <= MEMBERS or (head in used - SPACES.keys() and set(rest) <= MEMBERS):
        return True
    return all(part in SPACES.get(space, ()) for space, part in zip([head, *rest], rest, strict=False))


def text_and_names(path):
    """What a file tells its readers, and the names that its code uses."""
    source = path.read_text()
    if path.suffix == ".md":
        return re.sub(r"```.*?```", "", source, flags=re.DOTALL), set()
    if path.suffix == ".ipynb":
        texts = {"markdown": "", "code": ""}
        for cell in json.loads(source)["cells"]:
            texts[cell["cell_type"]] += "\n" + "".join(cell["source"])
        return texts["markdown"], set(re.findall(r"\w+", texts["code"]))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    told = [each.string for each in tokens if each.type == tokenize.COMMENT or each.string.startswith('"""')]
    return "\n".join(told), {each.string.strip("\"'") for each in tokens} - set(told)


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: str(path.relative_to(ROOT)))
def test_names_and_links_exist(path):
    text, used = text_and_names(path)
    names = sorted({name for _, name in NAME.findall(text) if not SKIP.fullmatch(name)})
    links = re.findall(r"\]\((?!\w+:)([^)#\s]+)", text) if path.suffix in {".md", ".ipynb"} else []
    assert [name for name in names if not exists(name, used)] == []
    assert [link for link in links if not (path.parent / link).exists()] == []
