"""Progress bars: silent in batch, and those within another one go when they are done."""

import pytest

from dpdefocus.progress import progress


@pytest.mark.parametrize("variable", ["DPDEFOCUS_BATCH", "CI"])
def test_bars_are_silent_where_nobody_watches(monkeypatch, capsys, variable):
    monkeypatch.setenv("DPDEFOCUS_BATCH", "0")
    monkeypatch.setenv("CI", "")
    assert list(progress(range(2), "shown")) == [0, 1] and "shown" in capsys.readouterr().err
    monkeypatch.setenv(variable, {"DPDEFOCUS_BATCH": "1", "CI": "true"}[variable])
    assert list(progress(range(2), "silent")) == [0, 1] and capsys.readouterr().err == ""


def test_bar_within_another_goes_when_it_is_done(monkeypatch, capsys):
    monkeypatch.setenv("DPDEFOCUS_BATCH", "0")
    monkeypatch.setenv("CI", "")
    outer = progress(range(1), "outer")
    for _ in outer:
        inner = progress(range(1), "inner")
        list(inner)
    after = progress(range(1), "after")
    list(after)
    assert [bar.leave for bar in (outer, inner, after)] == [True, False, True]
    assert capsys.readouterr().err.count("100%") == 2
