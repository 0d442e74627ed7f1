"""What forked processes have imported before they begin."""

import tests.killing  # noqa: F401
