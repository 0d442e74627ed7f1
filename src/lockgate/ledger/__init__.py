"""The ledger: schema ``lockgate`` of the target database, a module for each kind of row.

Every function takes an open connection and works in its transaction, so that an effect and its row in the
ledger commit together; where none is open, each call is a transaction of its own.
"""

from lockgate.ledger.home import copied
from lockgate.ledger.privileges import grants
from lockgate.ledger.store import install, require, require_home, size, uninstall, version

__all__ = ["copied", "grants", "install", "require", "require_home", "size", "uninstall", "version"]
