"""Navigation: ids that stay unique, contents, neighbours, and links from the first use of a term only."""

import pytest

from dpdefocus import site
from dpdefocus.site.navigation import Heading


def test_ids_are_made_of_words_and_numbered_where_they_repeat():
    assert site.heading_id("3. Is it <em>stereo</em>?", ()) == "3-is-it-stereo"
    assert site.heading_id("A &amp; B", {"a-b"}) == "a-b-2"
    assert site.heading_id("A &amp; B", {"a-b", "a-b-2"}) == "a-b-3"
    assert site.heading_id("?", ()) == "section"


def test_headings_of_a_whole_page_have_ids_of_their_own_and_link_to_themselves():
    renderer = site.Renderer()
    parts = ["# Title", "## Same\n\nText.", "## Same\n\n### `code` and $x$", "## [A link](a.html)"]
    page = "".join(site.markdown_body(part, renderer) for part in parts)
    assert [each.id for each in renderer.headings] == ["title", "same", "same-2", "code-and-x", "a-link"]
    for each in renderer.headings:
        assert page.count(f'<h{each.level} id="{each.id}">') == 1
        assert page.count(f'href="#{each.id}"') == (each.level > 1)
    assert 'aria-label="Link to: A link"' in page and "a.html" not in page


def test_contents_list_the_sections_of_a_page_that_has_some():
    headings = [
        Heading(1, "t", "T"),
        *(Heading(2, f"s{n}", f"<i>S{n}</i>") for n in range(3)),
        Heading(3, "u", "U"),
    ]
    listed = site.contents(headings)
    assert [listed.count(f'<a href="#s{n}"><i>S{n}</i></a>') for n in range(3)] == [1, 1, 1]
    assert "#t" not in listed and "#u" not in listed
    assert site.contents(headings[:3]) == ""


def test_neighbours_are_named_and_the_ends_have_one():
    both = site.neighbours(("1.html", "A & B"), ("3.html", "C"))
    assert (
        '<a rel="prev" href="1.html">← A &amp; B</a>' in both
        and '<a rel="next" href="3.html">C →</a>' in both
    )
    assert "prev" not in site.neighbours(None, ("2.html", "B"))
    assert "next" not in site.neighbours(("4.html", "D"), None)


GLOSSARY = "**Kernel, blur kernel.** A\n\n**Multiplane image (MPI).** B\n\n**Bias (of an estimate).** C\n"


def test_terms_of_a_glossary_have_ids_that_their_names_lead_to():
    body = site.markdown_body(GLOSSARY)
    terms = site.glossary_terms(body)
    assert list(terms) == ["Kernel", "blur kernel", "Multiplane image", "MPI", "Bias"]
    page = site.with_term_ids(body)
    assert all(page.count(f'<p id="{id}"><strong>') == 1 for id in terms.values())


TERMS = {"Kernel": "#k", "blur kernel": "#k", "MPI": "#m", "Bias": "#b", "View": "#v"}


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("<p>Two views, a view.</p>", "<p>Two [views], a view.</p>"),
        ("<p>A blur kernel, a kernel.</p>", "<p>A [blur kernel], a kernel.</p>"),
        ("<p>An MPI is no mpi.</p>", "<p>An [MPI] is no mpi.</p>"),
        ("<p>Review, view-based, unbiased: bias</p>", "<p>Review, view-based, unbiased: [bias]</p>"),
        (
            '<h2>Bias</h2><a href="x">bias <i>view</i></a> bias',
            '<h2>Bias</h2><a href="x">bias <i>view</i></a> [bias]',
        ),
        ("<code>bias</code><math><mi>bias</mi></math><em>bias</em>", None),
    ],
)
def test_only_the_first_use_of_a_term_in_plain_text_is_a_link(text, linked):
    expected = linked or text.replace("<em>bias", "<em>[bias]")
    (found,) = site.link_first_uses([text], TERMS)
    for address in set(TERMS.values()):
        found = found.replace(f'<a class="term" href="{address}">', "[")
    before, _, after = found.partition("[")
    assert f"{before}[{after.replace('</a>', ']', 1)}" == expected


def test_parts_of_a_page_share_their_first_uses_and_a_glossary_may_be_empty():
    parts = site.link_first_uses(["<p>bias</p>", "<p>bias, view</p>"], TERMS)
    assert [part.count("<a ") for part in parts] == [1, 1] and "<p>bias, <a" in parts[1]
    assert site.link_first_uses(["<p>bias</p>"], {}) == ["<p>bias</p>"]
