"""Formulas: every one of the lessons becomes MathML of the elements and letters that browsers draw."""

import re
from xml.etree import ElementTree

import nbformat
import pytest
from lesson_checks import LESSONS, ROOT

from dpdefocus import site

# MathML Core, and the box, which a style draws.
ELEMENTS = set(
    [
        "math",
        "mrow",
        "mi",
        "mo",
        "mn",
        "mtext",
        "ms",
        "mspace",
        "msub",
        "msup",
        "msubsup",
        "munder",
        "mover",
        "munderover",
        "mfrac",
        "msqrt",
        "mroot",
        "mpadded",
        "mphantom",
        "mstyle",
        "mtable",
        "mtr",
        "mtd",
        "menclose",
    ]
)


def elements(markup):
    """(element, attributes, text) of all that a formula is made of."""
    root = ElementTree.fromstring(markup)
    return [(each.tag.rpartition("}")[2], each.attrib, each.text or "") for each in root.iter()]


@pytest.mark.parametrize("path", [*LESSONS, ROOT / "docs" / "notation.md"], ids=lambda path: path.stem)
def test_formulas_of_the_course_use_what_browsers_draw(path):
    text = path.read_text()
    if path.suffix == ".ipynb":
        cells = nbformat.reads(text, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    page = site.markdown_body(text)
    found = re.findall(r"<math.*?</math>", page, re.DOTALL)
    assert len(found) > 10 and "$" not in re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
    for formula in found:
        for element, attributes, content in elements(formula):
            assert element in ELEMENTS, formula
            # Of variants browsers know one, "normal"; a backslash is a command that was not understood.
            assert attributes.get("mathvariant", "normal") == "normal", formula
            assert "\\" not in content, formula


def test_number_of_an_equation_stands_beside_it():
    block = site.block(r"\hat I_s = \sum_i t_i c_i \tag{1, 14}")
    assert '<span class="equation-number">(1, 14)</span>' in block
    assert "14" not in block.partition("</math>")[0]
    assert "equation-number" not in site.block("x")


@pytest.mark.parametrize(
    ("latex", "letter"),
    [
        (r"\mathcal N", "𝒩"),
        (r"\mathcal F", "ℱ"),
        (r"\mathbb 1", "𝟙"),
        (r"\mathbb R", "ℝ"),
        (r"\mathsf H", "𝖧"),
    ],
)
def test_alphabets_are_letters_of_their_own(latex, letter):
    assert [text for _, _, text in elements(site.inline(latex)) if text.strip()] == [letter]


def test_bars_are_brackets_without_room_around_them():
    for latex in (r"|\Phi|^2", r"\lvert\Phi\rvert^2", r"\left|\Phi\right|^2", r"\Big|\Phi\Big|^2"):
        bars = [attributes for element, attributes, text in elements(site.inline(latex)) if text == "|"]
        assert len(bars) == 2 and all(bar["lspace"] == bar["rspace"] == "0" for bar in bars), latex
    for latex in (r"\Big|\frac ab\Big|^2", r"\big|\frac ab\big|", r"\Bigg|\frac ab\Bigg| + \Big|c\Big|"):
        bars = [attributes for element, attributes, text in elements(site.inline(latex)) if text == "|"]
        assert bars and all(bar["stretchy"] == bar["fence"] == "true" for bar in bars), latex
    pair = r"\big(\frac ab\big)^2"
    for latex, sized in ((pair, "()"), (rf"\Big({pair} c\Big)", "()"), (r"\big(a\big) \big(b\big)_i", "()")):
        found = [text for _, given, text in elements(site.inline(latex)) if given.get("fence") == "true"]
        assert "".join(found) == sized, latex
    relation = [each for each in elements(site.inline(r"d \mid x")) if each[2] == "∣"]
    assert "lspace" not in relation[0][1]


def test_names_of_code_keep_their_underscores():
    code = next(
        each for each in elements(site.inline(r"\texttt{bias.poisson\_gaussian}")) if each[0] == "mtext"
    )
    assert code[1] == {"class": "code"} and code[2] == "bias.poisson_gaussian"
