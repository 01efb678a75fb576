"""Records of the benchmarks: what made them is known, and the README shows what they hold."""

import json
import sys
from pathlib import Path

import pytest

from dpdefocus.support.errors import InputError

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
import ablations  # noqa: E402
import records  # noqa: E402
import results  # noqa: E402
import table  # noqa: E402


def recorded(name):
    return json.loads((ROOT / "benchmarks" / name).read_text())


SHOWN = {
    results.NAME: lambda: results.table(recorded("results_fast.json")),
    "Pixel 4": lambda: table.table(recorded("table_pixel4.json")),
    "simulated": lambda: table.table(recorded("table_synthetic.json")),
    ablations.NAME: lambda: ablations.readme_table(ablations.recorded()),
}


@pytest.mark.parametrize("name", SHOWN)
def test_readme_shows_what_is_recorded(name):
    assert records.table_in((ROOT / "README.md").read_text(), name) == SHOWN[name]()


def test_readme_says_what_the_objective_of_paper_costs():
    """Its time on two cores, and on that of its bare Fourier transforms, where at most 2.5 is asked for."""
    cost = recorded("bench.json")["paper_objective"]
    said = f"{cost['seconds_per_iteration']:.1f} s on two cores, {cost['fft_ratio']:.1f} times its bare"
    assert said in " ".join((ROOT / "README.md").read_text().split())
    assert cost["fft_ratio"] < 2.5


def test_table_replaces_what_stands_between_its_marks_only(tmp_path):
    readme = tmp_path / "README.md"
    first, last = records.marks("a")
    readme.write_text(f"before\n{first}\nold\n{last}\nafter")
    for shown in ("| new |", "| newer |"):
        records.put_into(readme, "a", shown)
        assert readme.read_text() == f"before\n{first}\n\n{shown}\n\n{last}\nafter"
    with pytest.raises(InputError, match="begin of table: b"):
        records.put_into(readme, "b", "")


def test_digest_is_of_the_code_that_is_run_through(tmp_path):
    rooms = {
        "top": "from dpdefocus import middle\ndef top():\n    return middle.middle()",
        "middle": "def middle():\n    from dpdefocus.low import NUMBER\n    return NUMBER",
        "low": "NUMBER = 1",
        "aside": "NUMBER = 1",
    }

    def digest(**changed):
        for name, source in (rooms | changed).items():
            (tmp_path / f"{name}.py").write_text(source)
        return records.code_of("top", package=tmp_path)

    before = digest()
    assert digest(low="# Why\nNUMBER = (\n    1\n)", aside="NUMBER = 2") == before
    assert digest(top='"""A room."""\n' + rooms["top"].replace("():", '():\n    """Docs."""')) == before
    assert digest(low="NUMBER = 2") != before
    assert digest(middle=rooms["middle"] + " + 1") != before
    assert records.code_of("ablations") != records.code_of("baselines")


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
