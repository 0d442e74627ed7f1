"""The SQL of a plan's steps, each text at its place in the plan or in the .sql file beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator

from lockgate.lint.texts import Text
from lockgate.plan.load import LoadedPlan
from lockgate.plan.shape import PLAN, Path, sql_texts


def texts(plan: LoadedPlan, done: Collection[str] = ()) -> Iterator[Text]:
    """The statements of ``sql`` steps and of what takes them back. Lockgate runs them with its own lock_timeout.

    Queries of other steps, gates and checks only read.

    :param done: phases that are left out.
    """
    data = plan.plan.model_dump(by_alias=True)
    for path, text in sql_texts(PLAN, data):
        if path[-1] != "sql" or "steps" not in path:
            continue
        if path[0] == "phases" and data["phases"][path[1]]["id"] in done:
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


def _step(data: object, path: Path) -> dict[str, object]:
    """The mapping that a text stands in."""
    for key in path[:-1]:
        data = data[key]  # type: ignore[index]  # as the path says
    return data if isinstance(data, dict) else {}
