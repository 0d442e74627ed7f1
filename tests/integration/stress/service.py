"""The applying service in a process of its own, so that it can be killed: ``python -m ... DSN PLAN``."""

from __future__ import annotations

import sys
import threading

from lockgate.engine.applying import Service
from lockgate.engine.clock import SystemClock
from lockgate.engine.session import Sessions


def main(dsn: str, plan: str) -> None:
    """Apply until the process ends, taking over at once from whoever did before."""
    Service(Sessions(dsn), plan, SystemClock(), threading.Event(), takes_over=True, told=_tell).run()


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
