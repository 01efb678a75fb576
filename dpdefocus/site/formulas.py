"""Formulas as MathML, which browsers draw themselves: no script, no network, read aloud by screen readers.

latex2mathml does the work. What is left to do here: numbers of equations (``\\tag``) are set beside the
formula, and alphabets, such as the script letters of ``\\mathcal``, are written as Unicode's own letters,
since browsers know no other (MathML Core).
"""

import html
import re
import unicodedata

from latex2mathml.converter import convert

# LaTeX that latex2mathml does not set as a bracket, and what says the same to it.
BRACKETS = {r"\lvert": r"\left|", r"\rvert": r"\right|", r"\lVert": r"\left\|", r"\rVert": r"\right\|"}

LONG = 20  # letters of a formula that a line of a narrow screen may not hold

# Bars of a given size, and brackets that bear an exponent, are drawn in their size only as a pair around
# something: then browsers make them as large as that is.
SIZED_PAIR = re.compile(
    r"\\[Bb]igg?(?:(\|)(.*?)\\[Bb]igg?(\|)|(\()((?:(?!\\[Bb]igg?[()]).)*)\\[Bb]igg?(\))(?=\s*[\^_]))",
    re.DOTALL,
)

# A bar that nothing tells apart from a relation would be given room on both sides.
BARE_BAR = re.compile(r"<mo( [^>]*)?>(\||&#x0007C;|&#x02016;)</mo>")


def inline(latex: str) -> str:
    """A formula within a line of text; a long one, which no browser breaks, in a box that may scroll."""
    formula = _mathml(latex, "inline")
    letters = html.unescape(re.sub(r"<[^>]*>", "", formula))
    return formula if len(letters) <= LONG else f'<span class="wide">{formula}</span>'


def block(latex: str) -> str:
    """A formula on a line of its own, its number beside it, in a box that scrolls if it is too wide."""
    formula, *numbers = re.split(r"\\tag\s*\{([^}]*)\}", latex)
    number = numbers[0] if numbers else ""
    label = f'<span class="equation-number">({html.escape(number)})</span>' if number else ""
    rest = "".join(numbers[1::2])
    return f'<div class="equation"><div class="wide">{_mathml(formula + rest, "block")}</div>{label}</div>\n'


def _mathml(latex, display):
    for name, bracket in BRACKETS.items():
        latex = re.sub(re.escape(name) + r"(?![a-zA-Z])", bracket.replace("\\", r"\\"), latex)
    latex = SIZED_PAIR.sub(r"\\left\1\4\2\5\\right\3\6", latex)
    markup = convert(latex.strip(), display=display)
    markup = re.sub(r'<(m\w+) mathvariant="([a-z-]+)">([^<]*)</\1>', _in_alphabet, markup)
    return BARE_BAR.sub(r'<mo\1 lspace="0" rspace="0">\2</mo>', markup)


def _in_alphabet(found):
    element, variant, text = found.groups()
    if variant == "monospace":
        return f'<{element} class="code">{text.replace(chr(92) + "_", "_")}</{element}>'
    return f"<{element}>{''.join(_letter(letter, variant) for letter in html.unescape(text))}</{element}>"


def _letter(letter, variant):
    """``letter`` in one of Unicode's mathematical alphabets, or as it is where it has no such form."""
    name = re.sub("^LATIN |LETTER ", "", unicodedata.name(letter, ""))
    for full in (f"MATHEMATICAL {variant.upper()} {name}", f"{variant.upper()} {name}"):
        try:
            return unicodedata.lookup(full)
        except KeyError:
            continue
    return letter
