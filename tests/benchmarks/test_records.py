"""Records of the benchmarks: what made them is known, and the pages show what they hold."""

import json
import re
from pathlib import Path

import ablations
import pytest
import records
import results
import stamp
import table

from dpdefocus.evaluation.published_table import TABLE_1
from dpdefocus.support.errors import InputError

ROOT = Path(__file__).parents[2]


def recorded(name):
    return json.loads((ROOT / "benchmarks" / name).read_text())


PAGES = RESULTS, README = ROOT / "docs" / "results.md", ROOT / "README.md"
SHOWN = {
    results.NAME: (RESULTS, lambda: results.table(recorded("results_fast.json"))),
    table.PIXEL4: (RESULTS, lambda: table.table(recorded("table_pixel4.json"))),
    table.SIMULATED: (RESULTS, lambda: table.table(recorded("table_synthetic.json"))),
    ablations.NAME: (RESULTS, lambda: ablations.page_table(ablations.recorded())),
    table.SUMMARY: (README, lambda: table.summary(recorded("table_pixel4.json"))),
}


@pytest.mark.parametrize("name", SHOWN)
def test_pages_show_what_is_recorded(name):
    page, expected = SHOWN[name]
    assert records.table_in(page, name) == expected()


def test_pages_say_what_the_objective_of_paper_costs():
    """Its time on two cores, and on that of its bare Fourier transforms, where at most 2.5 is asked for."""
    cost = recorded("bench.json")["paper_objective"]
    said = f"{cost['seconds_per_iteration']:.1f} s on two cores, {cost['fft_ratio']:.1f} times its bare"
    assert said in " ".join(RESULTS.read_text().split())
    assert cost["fft_ratio"] < 2.5


def test_quoted_figures_of_all_scenes_are_the_mean_of_the_two_parts():
    """The README repeats two of them."""
    rows = re.findall(
        r"^\| \*(the six|the eleven|all 17)[^*]*\* \| (.*) \|$", RESULTS.read_text(), re.MULTILINE
    )
    six, eleven, all_17 = ([float(cell.strip("* ")) for cell in cells.split("|")] for _, cells in rows)
    for one, other, both, digits in zip(six, eleven, all_17, (2, 3, 4, 4, 4, 4), strict=True):
        assert (6 * one + 11 * other) / 17 == pytest.approx(both, abs=10**-digits)
    assert f"{all_17[0]} dB and AIWE(1) {all_17[3]}" in README.read_text()


def test_quoted_figures_stand_beside_a_warning_of_how_much_better_classical_methods_are_here():
    runs = recorded("table_pixel4.json")["runs"]
    measured = {
        name: [run["aiwe1"] for run in runs[name].values()] for name in ("wiener", "symmetry", "stereo")
    }
    ratios = [TABLE_1[name].aiwe1 * len(scores) / sum(scores) for name, scores in measured.items()]
    for page in PAGES:
        assert f"is {min(ratios):.1f} to {max(ratios):.1f} times that measured here" in page.read_text()


def test_no_rank_correlation_is_shown_without_its_rule():
    rules = (" (average ranks in the mask)", " (ordinal ranks of all pixels)")
    shown = [after for page in PAGES for after in page.read_text().split("1−\\|ρ_s\\|")[1:]]
    assert len(shown) > 5 and all(after.startswith(rules) for after in shown)


def test_table_replaces_what_stands_between_its_marks_only(tmp_path):
    page = tmp_path / "page.md"
    first, last = records.marks("a")
    page.write_text(f"before\n{first}\nold\n{last}\nafter")
    for shown in ("| new |", "| newer |"):
        records.put_into(page, {"a": shown, "b": "| of another page |"})
        assert page.read_text() == f"before\n{first}\n\n{shown}\n\n{last}\nafter"


def test_pages_are_those_named_or_those_that_show_the_tables(tmp_path):
    one, other, bare = pages = [tmp_path / name for name in ("one.md", "other.md", "bare.md")]
    for page, names in zip(pages, ("ab", "b", ""), strict=True):
        page.write_text("\n".join(line for name in names for line in records.marks(name)))
    assert records.pages_of(None, ["a"]) == []
    assert records.pages_of([], ["a"], pages) == [one]
    assert records.pages_of([], ["c", "b"], pages) == [one, other]
    assert records.pages_of([other], ["a", "b"]) == [other]
    for given, names in (([other, bare], "b"), ([], "c"), ([tmp_path / "none.md"], "a")):
        with pytest.raises(InputError, match=f"begin of table: {names}"):
            records.pages_of(given, [names], pages)


LIBRARY = {
    "__init__.pyi": (
        "from . import low as low\nfrom .low import Deep as Deep\nfrom .front import solve as solve"
    ),
    "front.py": "from dpdefocus.low import deep\ndef solve():\n    return deep.Deep(1)",
    "low/__init__.pyi": "from .deep import Deep as Deep\nfrom .aside import (\n    other as other,\n)",
    "low/deep.py": "def Deep(n):\n    from dpdefocus.low.constants import NUMBER\n    return NUMBER + n",
    "low/constants.py": "NUMBER = 1",
    "low/aside.py": "def other():\n    return 1",
}


@pytest.fixture
def digest(tmp_path):
    """The digest of room ``top`` with this source, and other files of `LIBRARY` changed."""

    def digest(top, changed=None):
        for name, source in (LIBRARY | {"top.py": top} | (changed or {})).items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(source)
        return records.code_of("top", package=tmp_path)

    return digest


@pytest.mark.parametrize(
    "top",
    [
        "from dpdefocus.low.deep import Deep",
        "from dpdefocus.low import deep\nprint(deep.Deep(2))",
        "from dpdefocus.low import Deep",
        "from dpdefocus import Deep as Other",
        "from dpdefocus import low\nprint(low.Deep(2).real)",
        "from dpdefocus import front",
        "import dpdefocus as dp\ndef run():\n    return dp.solve().real",
        "import dpdefocus as dp\nprint(dp.low.Deep)",
        "import dpdefocus.low.deep\nprint(dpdefocus.low.deep.Deep)",
        "import dpdefocus.low as floor\nprint(floor.Deep)",
    ],
)
def test_digest_is_of_the_code_that_is_reached(digest, top):
    """However it is imported, and no more."""
    before = digest(top)
    assert digest(top, {"low/constants.py": "# Why\nNUMBER = (\n    1\n)"}) == before
    documented = LIBRARY["low/deep.py"].replace("(n):", '(n):\n    """Docs."""')
    assert digest('"""A room."""\n' + top, {"low/deep.py": documented}) == before
    assert digest(top, {"low/aside.py": "def other():\n    return 2"}) == before
    assert digest(top, {"low/constants.py": "NUMBER = 2"}) != before
    assert digest(top, {"low/deep.py": LIBRARY["low/deep.py"] + " + 1"}) != before
    assert digest(top + "\nprint()") != before


def test_digest_follows_only_the_names_of_a_wing_that_are_used(digest):
    for top in ("from dpdefocus import low", "import dpdefocus as dp", "from dpdefocus.low import other"):
        assert digest(top) == digest(top, {"low/deep.py": "def Deep(n):\n    return n"})
    used = "from dpdefocus import low\nprint(low.other)"
    assert digest(used) != digest(used, {"low/aside.py": "def other():\n    return 2"})


def test_digest_is_of_rooms_that_there_are():
    """Each benchmark names its own; what is gone would have the digest of nothing."""
    for benchmark in stamp.BENCHMARKS.values():
        records.code_of(*benchmark.CODE)
    for name in ("fast", "ablations", "fast.solution", "dpdefocus.solver"):
        with pytest.raises(InputError, match=f"found '{name}', expected a room"):
            records.code_of("solver", name)


def test_run_can_stay_unless_made_otherwise():
    made = {"settings": {"a": 1}}
    old, unknown = {"made": made, "code": "old"}, {"made": made}
    assert records.up_to_date(old, made, "old", True)
    for run in (old, unknown):
        assert records.up_to_date(run, made, "new", False)
        assert not records.up_to_date(run, made, "new", True)
        assert not records.up_to_date(run, {"settings": {"a": 2}}, "old", False)
    assert not records.up_to_date(None, made, "old", False)


def test_versions_are_those_of_the_runs():
    runs = [{"made": {"versions": {"jax": number}}} for number in "112"] + [{"made": {"saved outputs": "x"}}]
    assert records.versions(runs) == "jax 1; jax 2"
