"""Where text and JSON go, whether they are coloured, and what must never be in them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO, Any, Literal, NamedTuple

import click

from lockgate.cli import secrets

Format = Literal["text", "json"]
STYLES: Mapping[str, Mapping[str, Any]] = {
    "good": {"fg": "green"},
    "warn": {"fg": "yellow"},
    "bad": {"fg": "red"},
    "title": {"bold": True},
    "dim": {"dim": True},
}


def interactive(stream: IO[str] | None) -> bool:
    """Whether a person looks at the stream: a terminal, and not a CI job's; None is a closed one."""
    return stream is not None and stream.isatty() and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"


def coloured(stream: IO[str] | None, *, no_color: bool) -> bool:
    """Whether to colour what goes to the stream: only for a person who did not ask for none."""
    return not no_color and not os.environ.get("NO_COLOR") and interactive(stream)


class Output(NamedTuple):
    """Standard output in the format that was asked for.

    :param no_color: never colour, not even on a terminal.
    :param to_stderr: standard error instead, where standard output is for the result alone.
    """

    format: Format = "text"
    no_color: bool = False
    to_stderr: bool = False

    @property
    def json(self) -> bool:
        """Whether the reader is a program."""
        return self.format == "json"

    @property
    def live(self) -> bool:
        """Whether lines may be redrawn: a terminal, text."""
        return not self.json and not self.to_stderr and interactive(sys.stdout)

    def line(self, text: str = "", style: str | None = None) -> None:
        """Print one line (or several, as they are)."""
        click.echo(self.styled(secrets.hidden(text), style), err=self.to_stderr, color=self._color)

    def lines(self, lines: Iterable[tuple[str, str | None]]) -> None:
        """Print lines, each in its style, at once: thousands of them take a tenth of the time."""
        if text := "\n".join(self.styled(secrets.hidden(line), style) for line, style in lines):
            click.echo(text, err=self.to_stderr, color=self._color)

    def styled(self, text: str, style: str | None) -> str:
        """The text in a style of ``STYLES``, where colours are wanted."""
        return click.style(text, **STYLES[style]) if style and self._color else text

    def object(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on several lines."""
        click.echo(secrets.hidden(json.dumps(value, indent=2, default=_plain, ensure_ascii=False)))

    def event(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on a line of its own, at once."""
        click.echo(secrets.hidden(json.dumps(value, default=_plain, ensure_ascii=False)))
        sys.stdout.flush()

    @property
    def _color(self) -> bool:
        return coloured(sys.stderr if self.to_stderr else sys.stdout, no_color=self.no_color)


def _plain(value: object) -> str:
    """What JSON has no form for: times in ISO 8601, anything else as its text."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def columns(
    rows: Iterable[Sequence[str]], *, indent: str = "", gap: str = "  ", right: Sequence[int] = ()
) -> list[str]:
    """Rows of cells as aligned lines.

    :param right: numbers of the columns that are aligned to the right.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(len(row[i]) for row in cells if i < len(row)) for i in range(max(map(len, cells)))]
    lines = []
    for row in cells:
        padded = [cell.rjust(widths[i]) if i in right else cell.ljust(widths[i]) for i, cell in enumerate(row)]
        lines.append((indent + gap.join(padded)).rstrip())
    return lines
