"""The nearest known name: what somebody most likely meant when a name is not known."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``name`` is most likely a slip of, or None if none is near enough.

    Near enough is one slip (a character wrong, missing, too many, or two swapped) for every three
    characters, at least one and at most three. Case, ``-`` and ``_`` do not count. Of equally near ones the
    first is taken.
    """
    wanted = _plain(name)
    best: tuple[int, str] | None = None
    for candidate in candidates:
        against = _plain(candidate)
        limit = min(3, max(1, min(len(wanted), len(against)) // 3))
        if abs(len(wanted) - len(against)) > limit:
            continue
        slips = distance(wanted, against)
        # A name of one or two letters is near to every other: only a swap or another case is a slip there.
        if slips > limit or (slips and max(len(wanted), len(against)) <= 2 and sorted(wanted) != sorted(against)):
            continue
        if best is None or slips < best[0]:
            best = (slips, candidate)
    return best[1] if best else None


def distance(a: str, b: str) -> int:
    """Slips between two texts: characters changed, left out, put in, or swapped with their neighbour."""
    before_last: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before_last[j - 2] + 1)
            row.append(cost)
        before_last, last = last, row
    return last[-1]


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """``; did you mean `x`?`` to put behind a sentence, or nothing if no candidate is near."""
    found = nearest(name, candidates)
    return f"; did you mean `{found}`?" if found is not None else ""


def _plain(name: str) -> str:
    return name.casefold().replace("-", "_")
