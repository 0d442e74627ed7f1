"""What a demo can be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """How to run the demo.

    :param scale: size of the database; the system's entry in the registry says what 1.0 is.
    :param seed: another one gives other rows and another load.
    :param database: address of a server of one's own, as a role that may create databases and roles: the demo
        makes a database there and touches no other. None: a server is started for the demo.
    :param keep: leave the data where they are; the result says where.
    :param folder: where the report, the journal and the logs go; None for ``demo-<time>`` in the current folder.
    :param rate: requests a second that the service gets.
    :param baseline_seconds: how long the service runs before the plan begins, to know its idle latency.
    :param after_seconds: how long it goes on afterwards, writing the new model.
    :param messages: how many messages the old service of the salon has; None: by the scale.
    :param to_end: retire the old model, too, while days are let pass.
    """

    scale: float = 0.02
    seed: int = 1
    database: str | None = None
    keep: bool = False
    folder: Path | None = None
    rate: float = 50.0
    baseline_seconds: float = 8.0
    after_seconds: float = 3.0
    to_end: bool = False
    messages: int | None = None
