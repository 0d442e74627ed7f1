"""``python -m lockgate`` is the command line."""

from lockgate.cli.main import main

main()
