"""Writes the map of what statements do to a server: the locks that they take, what they write anew and scan.

Run it for a server of another major, or after a change of tests/integration/effects/shapes.sql:
``.venv/bin/python -m scripts.write_lock_map [DSN]``. Without an address it starts the embedded server. It works in a
database of its own; the role must be a superuser.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack

from lockgate.embedded import EmbeddedServer
from tests.copies import another_database
from tests.folders import server_folder
from tests.integration.effects import mapping
from tests.integration.effects.observe import prepare

if __name__ == "__main__":
    with ExitStack() as stack:
        if len(sys.argv) > 1:
            address = sys.argv[1]
        else:
            address = stack.enter_context(EmbeddedServer(stack.enter_context(server_folder()))).dsn()
        dsn = stack.enter_context(another_database(address))
        prepare(dsn)
        major, observed = mapping.observe(dsn)
        file = mapping.write(major, mapping.as_map(observed))
        sys.stdout.write(f"{len(observed)} statements: {file}\n")
