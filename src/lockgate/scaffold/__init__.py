"""``lockgate init``: a plan folder to start from, which loads and runs as it is."""

from lockgate.scaffold.write import Scaffold, scaffold

__all__ = ["Scaffold", "scaffold"]
