"""What is wrong with the values of a document, in plain sentences; pydantic's own words never get out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from lockgate.plan.scalars import describe
from lockgate.plan.shape import PLAN, Keys, ListOf, OneOf, Path, Shape, TableOf, Value, inside
from lockgate.plan.values import format_duration
from lockgate.suggest import did_you_mean, nearest

_OWNERS = {"Plan": "a plan", "Phase": "a phase"}
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
_COUNTED = frozenset({"name", "column", "duration", "whole number", "number"})


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the value at ``path``, or with the key there if ``at_key``."""

    path: Path
    what: str
    at_key: bool = False

    @property
    def about(self) -> Path:
        """The value that is wrong: for a key, the mapping that holds it."""
        return self.path[:-1] if self.at_key else self.path


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an error is: ``owner`` is the model around it, ``kind`` says which step, gate or check that is."""

    path: Path
    shape: Shape | None
    owner: Keys
    kind: str | None
    in_key: bool = False

    @property
    def label(self) -> str:
        """What the sentence is about."""
        if self.in_key:
            return f"a key of `{self.path[-2]}`"
        if isinstance(self.shape, Keys) and self.kind is not None and self.shape == self.owner:
            return f"this {self.kind}"
        if not self.path:
            return "the plan"
        return f"an item of `{self.path[-2]}`" if isinstance(self.path[-1], int) else f"`{self.path[-1]}`"

    @property
    def field(self) -> FieldInfo | None:
        return self.owner.fields.get(str(self.path[-1])) if self.path else None


def kind_findings(data: object, shape: Shape = PLAN, path: Path = ()) -> Iterator[Finding]:
    """Steps, gates and checks that are of no known kind, or of two."""
    match shape:
        case OneOf(word, kinds) if isinstance(data, dict):
            found = [key for key in data if key in kinds]
            if len(found) == 1:
                yield from kind_findings(data, Keys(kinds[found[0]]), path)
            elif found:
                both = " and ".join(f"`{kind}`" for kind in found)
                yield Finding(path, f"a {word} is of one kind, but this one has {both}")
            else:
                yield _no_kind(shape, data, path)
        case OneOf(word, kinds):
            yield Finding(path, f"a {word} must be a mapping with one of {_listed(kinds)}, not {describe(data)}")
        case ListOf(item) if isinstance(data, tuple):
            for index, inner in enumerate(data):
                yield from kind_findings(inner, item, (*path, index))
        case Keys() if isinstance(data, dict):
            for key in shape.fields:
                if key in data:
                    yield from kind_findings(data[key], shape.shape(key), (*path, key))
        case _:
            return


def value_findings(error: ValidationError) -> list[Finding]:
    """Every error in words, without those that only follow from another one."""
    errors = [(_locate(item["loc"]), item) for item in error.errors(include_url=False)]
    missing = {place.path: place for place, item in errors if item["type"] == "missing"}
    said: dict[Path, Finding] = {}
    for place, item in errors:
        if item["type"] == "extra_forbidden":
            found = _unknown_key(place)
            slip_of = nearest(str(place.path[-1]), place.owner.fields)
            missing.pop((*place.path[:-1], str(slip_of)), None)
        elif item["type"] == "missing" or (item["type"] == "too_short" and _has_inner(place.path, errors)):
            continue  # pydantic counts only those items of a list that are right
        else:
            found = Finding(place.path, _wrong_value(place, item), place.in_key)
        said.setdefault(found.path, found)
    return [*said.values(), *(Finding(path[:-1], _missing(place)) for path, place in missing.items())]


def without(found: Iterable[Finding], blocked: Iterable[Finding]) -> list[Finding]:
    """Those of ``found`` that are not in a value that ``blocked`` already says something about."""
    paths = {finding.about for finding in blocked}
    return [item for item in found if not any(item.path[:n] in paths for n in range(len(item.path) + 1))]


def _locate(loc: tuple[int | str, ...]) -> _Place:
    path: Path = ()
    shape: Shape | None = PLAN
    owner = PLAN
    kind: str | None = None
    for element in loc:
        if element == "[key]":
            return _Place(path, shape, owner, kind, in_key=True)
        match shape:
            case Keys():
                owner, path = shape, (*path, element)
                shape = shape.shape(str(element)) if element in shape.fields else None
            case OneOf(word, kinds):
                owner = shape = Keys(kinds[str(element)])
                kind = f"{element} {word}"
            case ListOf(item) | TableOf(_, item):
                path, shape = (*path, element), item
            case _:
                break  # what follows are the names of a union's members
    return _Place(path, shape, owner, kind)


def _no_kind(shape: OneOf, data: dict[str, object], path: Path) -> Finding:
    others = [other for other in inside(PLAN) if isinstance(other, OneOf)]
    for key in data:
        meant = nearest(key, shape.kinds)
        if meant is not None:
            return Finding((*path, key), f"unknown kind of {shape.word} `{key}`; did you mean `{meant}`?", True)
        other = next((other.word for other in others if key in other.kinds), None)
        if other is not None:
            return Finding((*path, key), f"`{key}` is a kind of {other}, not of {shape.word}", True)
    has = f", not {_listed(data)}" if data else ", and this one is empty"
    return Finding(path, f"a {shape.word} needs one of {_listed(shape.kinds)}{has}")


def _unknown_key(place: _Place) -> Finding:
    key = str(place.path[-1])
    meant = did_you_mean(key, place.owner.fields)
    owner = _a(place.kind) if place.kind else _OWNERS.get(place.owner.model.__name__)
    if owner is None:
        owner = f"`{next(part for part in reversed(place.path[:-1]) if isinstance(part, str))}`"
    return Finding(
        place.path, f"unknown key `{key}`" + (meant or f"; {owner} knows {_listed(place.owner.fields)}"), True
    )


def _missing(place: _Place) -> str:
    field = place.field
    said = field.description if field is not None and field.description else ""
    return f"`{place.path[-1]}` is missing: {said[:1].lower()}{said[1:].rstrip('.')}"


def _wrong_value(place: _Place, item: Any) -> str:
    label, given, ctx = place.label, item["input"], item.get("ctx", {})
    kind = item["type"]
    if given is None and kind != "value_error":
        required = place.field is None or place.field.is_required() or isinstance(place.path[-1], int)
        return f"{label} is empty; give it a value" + ("" if required else " or leave it out")
    if kind == "value_error":
        return f"{label} {ctx['error']}"
    if kind in _BOUNDS:
        bound = ctx[_BOUNDS[kind][1]]
        shown = format_duration(bound) if isinstance(bound, timedelta) else bound
        return f"{label} must be {_BOUNDS[kind][0]} {shown}, not {given}"
    if kind == "string_pattern_mismatch":
        return f"{label} must be a name of letters, digits, `_` and `-`, at most 63, not {describe(given)}"
    if kind in ("too_short", "string_too_short"):
        return f"{label} must not be empty"
    words = _expected(place.shape)
    slip = did_you_mean(given, place.shape.choices) if isinstance(given, str) and isinstance(place.shape, Value) else ""
    return f"{label} must be {words}, not {describe(given)}{slip}"


def _expected(shape: Shape | None) -> str:
    match shape:
        case Value(words) if words.startswith("schema."):
            return f"of the form {words}"
        case Value(words):
            return _a(words) if words in _COUNTED else words
        case ListOf():
            return "a list"
        case _:
            return "a mapping of keys and values"


def _has_inner(path: Path, errors: list[tuple[_Place, Any]]) -> bool:
    return any(len(other.path) > len(path) and other.path[: len(path)] == path for other, _ in errors)


def _a(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in names)
