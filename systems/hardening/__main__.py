"""Runs the project's commands from its folder: ``python systems/hardening generate --scale 0.01``."""

import sys

from lockgate.systems import import_system

if __name__ == "__main__":
    # It shares its tables and its service with the party model, so it is a part of the systems' package.
    sys.exit(import_system("hardening", "cli").main())
