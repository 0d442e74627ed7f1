"""What forked processes have imported before they begin."""

# ruff: noqa: F401
import pytest

import lockgate.backup.make
import lockgate.backup.prove
import lockgate.checks
import lockgate.cli.commands.apply
import lockgate.cli.commands.rollback
import lockgate.cli.commands.sync
import lockgate.cli.commands.work
import lockgate.cli.main
import lockgate.engine.applying
import lockgate.engine.runner
import lockgate.engine.workers
import lockgate.gates
import lockgate.plan.load
import lockgate.report
import lockgate.steps
import tests.killing
