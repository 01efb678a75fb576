"""Pages: each kind of output in its best form, what a page leaves out, and what it must escape."""

import re

import nbformat
import pytest
from nbformat import v4

from dpdefocus import site
from dpdefocus.site.pages import Link


def page_of(*cells):
    return site.notebook_page(v4.new_notebook(cells=list(cells)), {"Lessons & more": "index.html"})


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
    hidden = v4.new_code_cell("install()", metadata={"tags": [site.NOT_SHOWN]})
    remote = '<script type="x" src="https://example.org/a.js"></script><b>kept</b><script>kept()</script>'
    page = page_of(hidden, v4.new_code_cell("", outputs=[output(text_html=remote)]), v4.new_raw_cell("raw"))
    assert "install" not in page and "example.org" not in page and "raw" not in page
    assert "<b>kept</b><script>kept()</script>" in page


def test_folded_solutions_and_tables_hold_formulas():
    page = page_of(v4.new_markdown_cell("<details><summary>S</summary>\n\n1. $x^2$\n\n</details>"))
    assert page.count("<math") == 1 and "<details>" in page
    table = site.markdown_body("| a | b |\n|---|---|\n| $c_i$ | d |\n")
    assert table.startswith('<div class="wide"><table>') and table.count("<math") == 1


def test_title_is_the_first_heading():
    notebook = v4.new_notebook(
        cells=[v4.new_code_cell("# no"), v4.new_markdown_cell("# Lesson 9 · Z\n\n# Other")]
    )
    assert site.title_of(notebook) == "Lesson 9 · Z"
    assert site.title_of(nbformat.v4.new_notebook()) == "Notebook"


FIGURE = "<figure>a figure<figcaption><em>Figure 7. A figure.</em></figcaption></figure>"


@pytest.mark.parametrize(
    ("lines", "tags", "outputs", "folded"),
    [
        (13, [], [FIGURE], True),
        (12, [], [FIGURE], False),
        (13, [], [], False),
        (13, ["parameters"], [FIGURE], False),
        (13, ["exercise"], [FIGURE], False),
    ],
)
def test_long_code_of_figures_is_folded_unless_it_is_there_to_be_changed(lines, tags, outputs, folded):
    source = "\n".join(f"x = {n}" for n in range(lines))
    outputs = [output(text_html=text) for text in outputs]
    page = page_of(v4.new_code_cell(source, outputs=outputs, metadata={"tags": tags}))
    assert (f"<details><summary>Show the code ({lines} lines)</summary>" in page) is folded
    assert page.count("<details>") == page.count("</details>") == folded


def test_a_figure_has_a_named_box_that_enlarges_it_and_no_other_output_has():
    outputs = [
        output(text_html=FIGURE),
        output(text_html="<figure>bare</figure>"),
        output(text_html="<p>no</p>"),
    ]
    page = page_of(v4.new_code_cell("x", outputs=outputs))
    boxes = re.findall(
        r'<input type="checkbox" class="enlarge" id="([^"]+)"><label for="([^"]+)">(.*?)</label>', page
    )
    assert [box == label for box, label, _ in boxes] == [True, True] and len({box for box, *_ in boxes}) == 2
    assert [re.sub("<.*?>", "", name) for *_, name in boxes] == ["Enlarge Figure 7", "Enlarge the figure"]


def test_links_in_code_keep_its_text_and_colours():
    source = "\nif a < b:  # é\n    optics.Lens(1)\n"
    start = source.index("optics")
    plain = site.highlighted(source)
    linked = site.highlighted(source, [Link(start, start + len("optics.Lens"), "reference.html#Lens")])
    assert linked.count("<a ") == 1 and re.sub("</?a[^>]*>", "", linked) == plain
    inside = re.search(r'<a href="reference.html#Lens">(.*?)</a>', linked)[1]
    assert re.sub("<[^>]*>", "", inside) == "optics.Lens" and "<span" in inside


def test_names_in_a_text_link_where_they_mean_something():
    renderer = site.Renderer(lambda name: "there.html" if name == "mpi.render" else "")
    body = site.markdown_body("`mpi.render` and `x`", renderer)
    assert '<a href="there.html"><code>mpi.render</code></a> and <code>x</code>' in body
