"""How far a plan is and what it waits for, read without changing anything."""

from lockgate.status.collect import collect
from lockgate.status.model import Status

__all__ = ["Status", "collect"]
