"""Settings within settings: frozen dataclasses, changed and listed by names such as ``layers.count``."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from dpdefocus.support.errors import InputError

Settings = TypeVar("Settings")


def adjust(settings: Settings, changes: Mapping[str, Any]) -> Settings:
    """The settings with some values changed: ``adjust(FastSettings(), {"layers.count": 8})``.

    Raises:
        InputError: a name that is no setting; lists those that are.
    """
    known = flatten(settings)
    for name, value in changes.items():
        if name not in known:
            raise InputError(f"settings: found {name!r}, expected one of {', '.join(known)}")
        settings = _changed(settings, name.split("."), value)
    return settings


def require(holds: bool, name: str, found: Any, expected: str) -> None:
    """Raises InputError unless a setting's value can be used."""
    if not holds:
        raise InputError(f"{name}: found {found!r}, expected {expected}")


def flatten(settings: Any) -> dict[str, Any]:
    """Dotted name -> value of every setting, in the order in which they are declared."""
    flat = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        inner = flatten(value) if is_dataclass(value) else None
        flat |= {field.name: value} if inner is None else {f"{field.name}.{n}": v for n, v in inner.items()}
    return flat


def _changed(settings: Any, path: list[str], value: Any) -> Any:
    name, *rest = path
    return replace(settings, **{name: _changed(getattr(settings, name), rest, value) if rest else value})
