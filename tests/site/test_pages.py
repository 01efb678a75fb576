"""Pages: each kind of output in its best form, what a page leaves out, and what it must escape."""

import nbformat
from nbformat import v4

from dpdefocus import lessons


def page_of(*cells):
    return lessons.notebook_page(v4.new_notebook(cells=list(cells)), {"Lessons & more": "index.html"})


def output(**data):
    return v4.new_output("display_data", {key.replace("_", "/"): value for key, value in data.items()})


def test_every_kind_of_output_is_shown_in_its_richest_form():
    outputs = [
        v4.new_output("stream", name="stdout", text="\x1b[31m1 < 2\x1b[0m\n"),
        output(text_html="<figure>a figure</figure>", text_plain="not this"),
        output(text_markdown="a *word*", text_plain="not this"),
        v4.new_output("display_data", {"image/png": "QUJD\n"}, metadata={"alt": 'a "map"'}),
        output(text_plain="<Text>"),
        v4.new_output("error", ename="E", evalue="", traceback=["\x1b[31mE: a < b\x1b[0m"]),
    ]
    page = page_of(v4.new_markdown_cell("# A & B"), v4.new_code_cell("x = 1", outputs=outputs))
    for expected in [
        "<title>A &amp; B</title>",
        "<pre>1 &lt; 2\n</pre>",
        "<figure>a figure</figure>",
        "a <em>word</em>",
        '<img alt="a &quot;map&quot;" src="data:image/png;base64,QUJD">',
        "<pre>&lt;Text&gt;</pre>",
        '<pre class="error">E: a &lt; b</pre>',
        '<a href="index.html">Lessons &amp; more</a>',
    ]:
        assert expected in page
    assert "not this" not in page


def test_cells_for_the_kernel_alone_and_programs_of_the_network_are_left_out():
    hidden = v4.new_code_cell("install()", metadata={"tags": [lessons.NOT_SHOWN]})
    remote = '<script type="x" src="https://example.org/a.js"></script><b>kept</b><script>kept()</script>'
    page = page_of(hidden, v4.new_code_cell("", outputs=[output(text_html=remote)]), v4.new_raw_cell("raw"))
    assert "install" not in page and "example.org" not in page and "raw" not in page
    assert "<b>kept</b><script>kept()</script>" in page


def test_folded_solutions_and_tables_hold_formulas():
    page = page_of(v4.new_markdown_cell("<details><summary>S</summary>\n\n1. $x^2$\n\n</details>"))
    assert page.count("<math") == 1 and "<details>" in page
    table = lessons.markdown_body("| a | b |\n|---|---|\n| $c_i$ | d |\n")
    assert table.startswith('<div class="wide"><table>') and table.count("<math") == 1


def test_title_is_the_first_heading():
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell("# no"), v4.new_markdown_cell("# Lesson 9 · Z\n\n# Other")]
    )
    assert lessons.title_of(notebook) == "Lesson 9 · Z"
    assert lessons.title_of(nbformat.v4.new_notebook()) == "Notebook"
    assert "<title>Glossary</title>" in lessons.markdown_page("# Glossary\n\nWords.")
