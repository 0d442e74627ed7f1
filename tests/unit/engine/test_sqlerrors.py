from __future__ import annotations

import pytest
from psycopg import errors

from lockgate.engine import sqlerrors
from lockgate.errors import PrivilegeMissing


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (errors.InvalidTextRepresentation('invalid input syntax for type integer: "ana@x"'), "ana@x"),
        (errors.NumericValueOutOfRange('value "99999999999" is out of range for type integer'), "99999999999"),
        (errors.DatetimeFieldOverflow('date/time field value out of range: "2020-13-01"'), "2020-13-01"),
        (errors.RaiseException("customer 4711 has mail 'ana@x'"), "ana@x"),
        (errors.RaiseException("customer 4711 has mail 'ana@x'"), "4711"),
    ],
)
def test_shows_no_value_of_a_row(error: errors.Error, shown: str) -> None:
    assert shown in str(error)
    assert shown not in str(sqlerrors.explain(error, "plan.yaml:1:1"))


@pytest.mark.parametrize(
    ("message", "help_"),
    [
        ("permission denied for table orders", "GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE orders TO"),
        ("permission denied for schema core", "GRANT USAGE, CREATE ON SCHEMA core TO"),
        ("must be owner of table orders", "owner of table orders"),
        ("keine Berechtigung", "lockgate grants"),
    ],
)
def test_names_the_grant_that_helps(message: str, help_: str) -> None:
    error = sqlerrors.explain(errors.InsufficientPrivilege(message), "plan.yaml:1:1")
    assert isinstance(error, PrivilegeMissing)
    assert error.hint is not None
    assert help_ in error.hint
