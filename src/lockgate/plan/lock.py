"""``plan.lock.json``: which files and which plan were last approved or applied, kept beside the plan."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from lockgate.errors import PlanError
from lockgate.plan.load import LoadedPlan

LOCK_FILE = "plan.lock.json"


class LockFile(BaseModel):
    """What a lock file holds: hashes are SHA-256 in hexadecimal, ``ledger_head`` the hash of the chain's last entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: str
    digest: str
    files: dict[str, str]
    ledger_head: str | None = None


@dataclass(frozen=True, slots=True)
class LockCheck:
    """How a plan differs from its lock file. The file lists are sorted paths in the plan's folder."""

    plan_changed: bool
    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def files_changed(self) -> bool:
        return bool(self.changed or self.added or self.removed)

    def __str__(self) -> str:
        """The differences in words, such as ``plan.yaml changed; sql/new.sql was added``."""
        parts = [
            f"{', '.join(files)} {verb}"
            for files, verb in (
                (self.changed, "changed"),
                (self.added, "was added" if len(self.added) == 1 else "were added"),
                (self.removed, "was removed" if len(self.removed) == 1 else "were removed"),
            )
            if files
        ]
        if not parts:
            return "nothing changed"
        return "; ".join(parts) + ("" if self.plan_changed else " (the plan does the same as before)")


def write_lock(loaded: LoadedPlan, *, ledger_head: str | None = None) -> Path:
    """Write the lock file of a plan in one step: a reader finds the old one or the new one, never a half.

    :raises PlanError: if the folder cannot be written.
    """
    lock = LockFile(plan=loaded.plan.plan, digest=loaded.digest, files=dict(loaded.files), ledger_head=ledger_head)
    target = loaded.folder / LOCK_FILE
    # Beside the target: a rename is atomic only within one file system.
    temporary = loaded.folder / f".{LOCK_FILE}.{os.getpid()}"
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            json.dump(lock.model_dump(exclude_none=True), file, indent=2, sort_keys=True, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PlanError("The lock file cannot be written", where=str(target), why=error.strerror) from None
    return target


def read_lock(folder: Path) -> LockFile | None:
    """The lock file of a plan's folder, or None if there is none.

    :raises PlanError: if it is not one that Lockgate wrote.
    """
    file = folder / LOCK_FILE
    hint = "Take it back from version control, or remove it and approve the plan again."
    try:
        return LockFile.model_validate(json.loads(file.read_bytes()))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlanError("The lock file cannot be read", where=str(file), why=error.strerror) from None
    except json.JSONDecodeError as error:
        raise PlanError(
            "The lock file is not JSON", where=f"{LOCK_FILE}:{error.lineno}:{error.colno}", hint=hint
        ) from None
    except (UnicodeDecodeError, RecursionError, ValidationError):
        raise PlanError("This is not a lock file of Lockgate", where=f"{LOCK_FILE}:1:1", hint=hint) from None


def check_lock(loaded: LoadedPlan, lock: LockFile) -> LockCheck:
    """Compare a plan with a lock file: does it still do the same, and which files changed."""
    now, then = loaded.files, lock.files
    return LockCheck(
        plan_changed=(loaded.plan.plan, loaded.digest) != (lock.plan, lock.digest),
        changed=tuple(sorted(file for file in now.keys() & then.keys() if now[file] != then[file])),
        added=tuple(sorted(now.keys() - then.keys())),
        removed=tuple(sorted(then.keys() - now.keys())),
    )
