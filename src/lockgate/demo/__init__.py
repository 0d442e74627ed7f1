"""The demos: a database changes its model while its application keeps writing to it.

A module per system, with its entry in ``registry.SYSTEMS``. Its ``run`` makes a database, runs the phases of the plan
in the system's folder below ``systems``, and checks every write that was acknowledged meanwhile.
"""

from lockgate.demo.options import DemoOptions
from lockgate.demo.registry import SYSTEMS
from lockgate.demo.result import DemoResult

__all__ = ["SYSTEMS", "DemoOptions", "DemoResult"]
