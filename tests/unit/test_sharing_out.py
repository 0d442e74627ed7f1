"""Slow tests are shared out between the servers: each runs on one of them, whatever its name."""

from __future__ import annotations

import pytest

from tests.conftest import shared_out_to

SERVERS = ("embedded", "second")


@pytest.mark.parametrize("name", ["test_a", "test_a_second_run", "test_an_embedded_server", "test_second_embedded"])
def test_a_test_runs_on_one_server(name: str) -> None:
    assert len({shared_out_to(f"tests/x.py::{name}[{server}-1]", SERVERS) for server in SERVERS}) == 1


def test_both_servers_have_their_share() -> None:
    assert {shared_out_to(f"tests/x.py::test_{number}[second]", SERVERS) for number in range(20)} == set(SERVERS)
