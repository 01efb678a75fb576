"""Progress bars: silent in batch, and those within another one go when they are done."""

from pathlib import Path
from types import ModuleType

import pytest

from dpdefocus.support import progress_bar
from dpdefocus.support.progress_bar import progress


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


@pytest.mark.parametrize("notebook", [False, True])
def test_bar_that_is_left_early_is_full_and_after_an_error_is_not(monkeypatch, capsys, notebook):
    monkeypatch.setenv("DPDEFOCUS_BATCH", "0")
    monkeypatch.setenv("CI", "")
    if notebook:
        # In a notebook the bar is a widget, of which the colour is looked at.
        from tqdm.notebook import tqdm

        source = Path(progress_bar.__file__).read_text().replace("tqdm.auto", "tqdm.notebook")
        room = ModuleType("progress_in_a_notebook")
        exec(source, vars(room))
        monkeypatch.setattr("tqdm.notebook.display", lambda *_: None, raising=False)
        bars = room.progress
        assert issubclass(room.Bar, tqdm)
    else:
        bars = progress
    with bars(range(9), "converged") as done:
        for _ in done:
            break
    assert done.n == 9
    with pytest.raises(ArithmeticError), bars(range(9), "broken") as broken:
        for _ in broken:
            raise ArithmeticError
    assert broken.n == 0
    if notebook:
        assert [bar.container.children[1].bar_style for bar in (done, broken)] == ["success", "danger"]
