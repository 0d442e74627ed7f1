"""A text that is linted, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lockgate.safety.subject import Direction


class Text(NamedTuple):
    """SQL that runs as one.

    :param file: as people name it.
    :param at: ``file:line:column`` of a character.
    :param wrapped: whether whoever runs it puts a transaction around it.
    :param patient: whether whoever runs it sees to lock_timeout.
    :param up: of a migration's way down: its way up.
    """

    file: str
    text: str
    at: Callable[[int], str]
    wrapped: bool = False
    direction: Direction = "up"
    patient: bool = False
    up: Text | None = None

    def taking_back(self, up: Text) -> Text:
        """The same as the way down of a migration."""
        return self._replace(direction="down", up=up)


class Batch(NamedTuple):
    """Texts that run one after the other, so that what one makes is known in the next."""

    texts: list[Text]
