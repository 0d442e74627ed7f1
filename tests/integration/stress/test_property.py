"""Whatever the mapping, the data and the order of events: in the end both sides agree, and never wrongly before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from tests.integration.stress.machine import Machine
from tests.integration.stress.scenario import Scenario
from tests.integration.stress.strategies import scenarios
from tests.integration.stress.values import quoted

# In CI some dozen examples, always the same ones; LOCKGATE_STRESS=n makes it n thousand others.
STRESS = int(os.environ.get("LOCKGATE_STRESS", "0"))
EXAMPLES = 1_000 * STRESS or 60


@pytest.fixture
def machine(dsn: str) -> Iterator[Machine]:
    app = f"app {secrets.token_hex(4)}"
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {quoted(app)}".encode())
        made = Machine(dsn, app)
        try:
            yield made
        finally:
            made.close()
            conn.execute(f"DROP OWNED BY {quoted(app)}".encode())
            conn.execute(f"DROP ROLE {quoted(app)}".encode())


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    derandomize=not STRESS,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(scenario=scenarios())
def test_mapping_and_table_agree(machine: Machine, scenario: Scenario) -> None:
    machine.run(scenario)
