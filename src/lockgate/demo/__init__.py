"""The demo: a live database changes its model while a service keeps writing to it.

``run_demo`` makes a database, drives the service of ``systems/party_model`` against it, runs all phases of that
project's plan, and checks every write that the service acknowledged.
"""

from lockgate.demo.options import DemoOptions
from lockgate.demo.result import DemoResult
from lockgate.demo.run import run_demo

__all__ = ["DemoOptions", "DemoResult", "run_demo"]
