"""``lockgate watch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lockgate.cli import options, status_text
from lockgate.cli.output import Output

if TYPE_CHECKING:
    from rich.text import Text

    from lockgate.status import Status


@click.command("watch")
@options.plan
@options.database
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks.",
)
@click.option("--count", type=click.IntRange(1), help="Look so often, then end. Default: until Ctrl-C.")
@options.output
def command(plan: Path | None, database: str | None, interval: float, count: int | None, output: Output) -> None:
    """Show the status again and again.

    On a terminal it is redrawn in place; otherwise each look is printed below the last, with --format json an
    object a line. It ends when all phases are done, after --count looks, or by Ctrl-C.

    \b
    Example:
      lockgate watch my-plan --interval 5
    """
    from lockgate.cli.interrupt import stop_on_signal
    from lockgate.engine.clock import SystemClock

    clock = SystemClock()
    looks = 0
    with stop_on_signal("this look") as stop, status_text.looking(plan, database) as look, _Screen(output) as screen:
        while True:
            found = look()
            screen.show(found)
            looks += 1
            if looks == count or found.done == len(found.phases) or clock.wait(stop, interval):
                return


class _Screen:
    """Where the status is shown: redrawn on a terminal, else below the last one."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def __enter__(self) -> _Screen:
        self._live = None
        if self._output.live:
            from rich.console import Console
            from rich.live import Live

            self._live = Live(console=Console(no_color=self._output.no_color or None), auto_refresh=False)
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def show(self, found: Status) -> None:
        if self._output.json:
            self._output.event(status_text.as_json(found))
        elif self._live:
            self._live.update(_text(found), refresh=True)
        else:
            for text, _ in status_text.lines(found):
                self._output.line(text)
            self._output.line()


def _text(found: Status) -> Text:
    from rich.text import Text

    styles = {"good": "green", "warn": "yellow", "bad": "red", "title": "bold", "dim": "dim"}
    text = Text()
    for line, style in status_text.lines(found):
        text.append(line + "\n", style=styles.get(style or "", ""))
    return text
