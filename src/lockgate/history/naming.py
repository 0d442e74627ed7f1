"""Which migration of a folder a text means."""

from __future__ import annotations

from collections.abc import Sequence

from lockgate.errors import UsageError
from lockgate.history.base import Migration
from lockgate.suggest import did_you_mean


def found(known: Sequence[Migration], target: str, where: str) -> Migration:
    """The migration that a text means: its version, the same number, its name, or what that begins with up to a ``_``.

    :raises UsageError: if there is none.
    """
    exact = [each for each in known if each.version == target]
    same = [each for each in known if _same_number(each.version, target)]
    named = [each for each in known if target in {each.name, each.path.name}]
    begins = [each for each in known if each.name.startswith(f"{target}_")]
    for fitting in (exact, same, named, begins):
        if len(fitting) == 1:
            return fitting[0]
    names = [each.version for each in known] + [each.name for each in known]
    last = f"The last one is {known[-1].version}." if known else "The folder is empty."
    raise UsageError(
        f"There is no migration {target}{did_you_mean(target, names)}", where=where, hint=f"Name its version. {last}"
    )


def _same_number(version: str, target: str) -> bool:
    return version.isdigit() and target.isdigit() and int(version) == int(target)
