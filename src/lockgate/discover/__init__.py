"""What is wrong with a database that nobody fully knows: one read-only pass, within a time, with figures."""

from lockgate.discover.finding import KINDS, Finding, Kind
from lockgate.discover.run import Outcome, Wishes, discover

__all__ = ["KINDS", "Finding", "Kind", "Outcome", "Wishes", "discover"]
