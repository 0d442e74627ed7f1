"""Processes that are forked from one that has imported Lockgate already.

One that lives for a second should not spend most of it importing.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__, "tests.preloaded"])


def begin(variables: Mapping[str, str], out: Path, err: Path) -> None:
    """To be called first in the new process.

    :param variables: added to the environment that the first of these processes found.
    :param out: gets all that the process and its children write to standard output.
    :param err: and to standard error; the same file will do.
    """
    assert threading.active_count() == 1
    os.environ.update(variables)
    # It was imported before this process knew its variables; importing it again fills the same module.
    importlib.reload(importlib.import_module("lockgate.engine.faults"))
    for number, path in ((1, out), (2, err)):
        with path.open("ab", buffering=0) as file:
            os.dup2(file.fileno(), number)
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the process's life
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
