"""The SQL of a plan's steps, each text at its place in the plan or in the .sql file beside it."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import accumulate

from lockgate.lint.texts import Text
from lockgate.plan.load import LoadedPlan
from lockgate.plan.shape import PLAN, Path, sql_texts

Online = Callable[[LoadedPlan, Path], Iterable[tuple[str, str]]]
"""The statements that a step at a path runs instead of those of its text, each with its place."""

_WRITTEN_ANEW = ("index", "constraint")
_BETWEEN = ";\n"


def texts(plan: LoadedPlan, online: Online, done: Collection[str] = ()) -> Iterator[Text]:
    """The statements of steps and of what takes them back. Lockgate runs them with its own lock_timeout.

    Queries of other steps, gates and checks only read.

    :param done: phases that are left out.
    """
    data = plan.plan.model_dump(by_alias=True)
    for path, text in sql_texts(PLAN, data):
        if path[-1] not in {"sql", *_WRITTEN_ANEW} or "steps" not in path:
            continue
        if path[0] == "phases" and data["phases"][path[1]]["id"] in done:
            continue
        if path[-1] in _WRITTEN_ANEW:
            if statements := list(online(plan, path)):
                yield _written_anew(plan, statements)
            continue
        at = _at(plan, path)
        yield Text(
            at(0).rsplit(":", 2)[0],
            text,
            at,
            wrapped=not _step(data, path).get("outside_transaction"),
            direction="down" if "undo" in path else "up",
            patient=True,
        )


def _at(plan: LoadedPlan, path: Path) -> Callable[[int], str]:
    """Places as they are named from here on, and not from the plan's folder."""
    return lambda offset: os.path.join(plan.folder, plan.where(*path, offset=offset))


def _written_anew(plan: LoadedPlan, statements: Sequence[tuple[str, str]]) -> Text:
    """Statements one after the other; a character of one is at the place of what it was written for."""
    places = [os.path.join(plan.folder, where) for _, where in statements]
    ends = list(accumulate(len(text) + len(_BETWEEN) for text, _ in statements))
    return Text(
        places[0].rsplit(":", 2)[0],
        _BETWEEN.join(text for text, _ in statements),
        lambda offset: places[min(bisect_right(ends, offset), len(places) - 1)],
        patient=True,
    )


def _step(data: object, path: Path) -> dict[str, object]:
    """The mapping that a text stands in."""
    for key in path[:-1]:
        data = data[key]  # type: ignore[index]  # as the path says
    return data if isinstance(data, dict) else {}
