"""Runs the project's commands from its folder: ``python systems/salon generate --scale 0.01``."""

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    # Started by path, so the folder is no package yet; its name is taken from where it lies.
    folder = Path(__file__).resolve().parent
    sys.path[0] = str(folder.parent)
    sys.exit(import_module(f"{folder.name}.cli").main())
