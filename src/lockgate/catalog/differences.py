"""In what two schemas differ, a line a difference that people understand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.catalog.document import RELATIONS, Document, Object, Value

_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a schema is not what is expected.

    :param what: ``is missing``, ``should not be there``, or ``type text, expected integer``.
    :param note: whether it is beside the schema: the order of columns, how far a sequence is.
    """

    kind: str
    name: str
    what: str
    note: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.what}"


def differences(expected: Document, found: Document, *, order: bool = False) -> list[Difference]:
    """All of them, by kind and name, notes last; parts of a relation that is not in both are left out.

    Without ``order``, and apart from notes, there are none exactly if the digests are equal.

    :param order: whether another order of columns is a difference instead of a note.
    """
    absent = _relations(expected) ^ _relations(found)
    told = []
    for key in sorted(expected.by_key.keys() | found.by_key.keys()):
        was, now = expected.by_key.get(key), found.by_key.get(key)
        one = was or now
        assert one is not None
        if one.table in absent and one.kind not in RELATIONS:
            continue
        if was is None or now is None:
            told.append(Difference(*key, "is missing" if now is None else "should not be there"))
        else:
            told += [Difference(*key, what) for what in _properties(was, now)]
            told += [Difference(*key, what, note=not (order and is_order)) for what, is_order in _notes(was, now)]
    return sorted(told, key=lambda difference: difference.note)


def _relations(document: Document) -> set[str]:
    return {item.name for item in document.objects if item.kind in RELATIONS}


def _properties(was: Object, now: Object) -> Iterator[str]:
    for name in sorted(was.properties.keys() | now.properties.keys()):
        before, after = was.properties.get(name), now.properties.get(name)
        if before != after:
            yield _expected(name, after, before)


def _notes(was: Object, now: Object) -> Iterator[tuple[str, bool]]:
    """Only the order of the columns that both have is compared: the others are told of by themselves."""
    for name in sorted(was.notes.keys() & now.notes.keys()):
        before, after = was.notes[name], now.notes[name]
        if isinstance(before, tuple) and isinstance(after, tuple):
            common = set(before) & set(after)
            before, after = (tuple(column for column in order if column in common) for order in (before, after))
        if before != after:
            yield _expected(name, after, before), isinstance(after, tuple)


def _expected(name: str, found: Value | None, wanted: Value | None) -> str:
    shown, expected = _shown(found), _shown(wanted)
    if len(shown) > _LONGEST or len(expected) > _LONGEST:
        return f"{name} is another one, {_where(shown, expected)}"
    return f"{name} {shown}, expected {expected}"


def _where(found: str, wanted: str) -> str:
    """The first place in which two long texts differ."""
    both = zip(found, wanted, strict=False)
    start = next((i for i, (a, b) in enumerate(both) if a != b), min(len(found), len(wanted)))
    start = max(0, start - 20)
    return f"with {_cut(found, start)}, expected {_cut(wanted, start)}"


def _cut(text: str, start: int) -> str:
    part = text[start : start + 60]
    return f"{'...' if start else ''}{part}{'...' if start + 60 < len(text) else ''}"


def _shown(value: Value | None) -> str:
    if value is None:
        return "none"
    return " ".join((value if isinstance(value, str) else ", ".join(value)).split()) or "''"
