"""Commands as processes of their own, as an operator or a service manager runs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.shop import Shop
from tests.waiting import wait_until


class Command:
    """A command that runs; what it prints goes into a file."""

    def __init__(self, shop: Shop, output: Path, *words: str) -> None:
        self.output = output
        environment = {**os.environ, "DATABASE_URL": shop.dsn, "PYTHONUNBUFFERED": "1"}
        given = [word.replace("{plan}", str(shop.plan)) for word in words]
        with output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lockgate", *given], stdout=file, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def await_words(self, words: str, seconds: float = 60) -> None:
        """Wait until it has printed these words.

        :raises AssertionError: when it ends before, or takes too long.
        """

        def there() -> bool:
            if words in self.said:
                return True
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said}"
            return False

        wait_until(there, seconds, what=f"{words!r} in the output")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, seconds: float = 60) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(seconds)


@contextmanager
def running(shop: Shop, *words: str) -> Iterator[Command]:
    """A command that is killed at the end of the block if it still runs."""
    number = len(list(shop.plan.parent.glob("output-*")))
    command = Command(shop, shop.plan.parent / f"output-{number}", *words)
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
        command.process.wait()
