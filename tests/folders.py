"""Folders for the servers that tests start."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 2 << 30  # bytes; a container often gives it 64 MB


@contextmanager
def server_folder() -> Iterator[Path]:
    """A temporary folder, in memory where the machine lets it.

    A test's database is some three hundred files that are made and removed within a second. That costs a disk's file
    system far more than the test itself, and nothing of it is to outlive the test.
    """
    folder = Path(tempfile.mkdtemp(prefix="lockgate-test-", dir=_MEMORY if _roomy(_MEMORY) else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _roomy(place: Path) -> bool:
    """Whether programs may be run and many databases be kept there."""
    if not os.access(place, os.W_OK):
        return False
    system = os.statvfs(place)
    return not system.f_flag & os.ST_NOEXEC and system.f_bavail * system.f_frsize >= _ROOM
