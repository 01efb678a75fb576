"""Settings changed and listed by dotted names."""

from dataclasses import dataclass

import pytest

from dpdefocus.support.errors import InputError
from dpdefocus.support.nested import adjust, flatten


@dataclass(frozen=True)
class Inner:
    size: int = 3
    name: str = "inner"


@dataclass(frozen=True)
class Outer:
    weight: float = 1.0
    inner: Inner = Inner()


def test_settings_within_settings_are_listed_in_their_order():
    assert list(flatten(Outer()).items()) == [("weight", 1.0), ("inner.size", 3), ("inner.name", "inner")]


def test_a_change_leaves_all_else_as_it_was():
    whole = Outer(inner=Inner(name="kept"))
    changed = adjust(whole, {"weight": 2.0, "inner.size": 5})
    assert changed == Outer(2.0, Inner(5, "kept")) and whole == Outer(inner=Inner(name="kept"))
    assert adjust(whole, {}) == whole


@pytest.mark.parametrize("name", ["size", "inner", "inner.weight", "weight.size"])
def test_a_name_that_is_no_setting_is_told(name):
    with pytest.raises(InputError, match=f"found '{name}', expected one of weight, inner.size, inner.name"):
        adjust(Outer(), {name: 1})
