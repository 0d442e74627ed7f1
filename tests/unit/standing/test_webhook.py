"""Telling a webhook, over real HTTP."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest

from lockgate.plan.models import Webhook
from lockgate.standing.webhook import Delivery, deliver
from tests.unit.standing.trends import NOON, trend
from tests.webhooks import Hook, listening

SECRET = "s3cr3t-t0ken"
RAISED = trend("dup", 3, "fails", alert=True, number=7)
OVER = trend("formats", 0, told=True, number=8)
STEADY = trend("storage", number=9)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening(Hook()) as it:
        yield it


def send(address: str | None, *trends: object, each_run: bool = False, seconds: float = 10) -> Delivery | None:
    webhook = Webhook(to="HOOK", each_run=each_run, within=timedelta(seconds=seconds))
    env = {} if address is None else {"HOOK": address}
    return deliver(webhook, env, "shop", "db", trends, NOON)  # type: ignore[arg-type]


def failed(address: str | None, seconds: float = 10) -> str:
    found = send(address, RAISED, seconds=seconds)
    assert found is not None
    assert found.failed is not None
    assert SECRET not in repr(found)
    return found.failed


def test_what_is_news_is_told_with_names_states_and_numbers_only(hook: Hook) -> None:
    found = send(hook.address(f"/{SECRET}?t={SECRET}"), RAISED, OVER, STEADY)
    assert found == Delivery(f"http://127.0.0.1:{hook.port}", {7: True, 8: False}, None)
    [body] = hook.taken
    assert body["text"] == "Lockgate: plan shop, database db: dup ALERT; formats is well again"
    assert (body["plan"], body["database"], body["alerts"]) == ("shop", "db", 1)
    assert body["at"] == NOON.isoformat()
    assert body["checks"][0] == {
        "id": "dup",
        "alert": True,
        "changed": True,
        "state": "fails",
        "value": 3,
        "at": NOON.isoformat(),
        "failing_since": "2026-01-01T11:00:00+00:00",
        "alert_since": "2026-01-01T11:30:00+00:00",
    }
    assert [(one["id"], one["changed"]) for one in body["checks"]] == [
        ("dup", True),
        ("formats", True),
        ("storage", False),
    ]
    assert "secret_column" not in json.dumps(body)
    assert "what was found" not in json.dumps(body)
    assert hook.paths == [f"/{SECRET}?t={SECRET}"]
    assert hook.headers[0]["Content-Type"] == "application/json; charset=utf-8"


def test_without_news_nothing_is_told_unless_each_run_is(hook: Hook) -> None:
    standing = trend("dup", 3, "fails", alert=True, told=True)
    assert send(hook.address(), standing, STEADY) is None
    assert hook.taken == []
    assert send(hook.address(), standing, STEADY, each_run=True) == Delivery(f"http://127.0.0.1:{hook.port}", {}, None)
    assert hook.taken[0]["text"].endswith("1 of 2 standing checks are alerts")


def test_a_number_that_json_cannot_hold_is_a_text(hook: Hook) -> None:
    send(hook.address(), trend(value=float("nan"), alert=True))
    assert hook.taken[0]["checks"][0]["value"] == "nan"


def test_a_user_in_the_address_is_told_as_http_does(hook: Hook) -> None:
    found = send(hook.address(user=f"me:{SECRET}%21@"), RAISED)
    assert found is not None
    assert (found.to, found.failed) == (f"http://127.0.0.1:{hook.port}", None)
    scheme, _, words = hook.headers[0]["Authorization"].partition(" ")
    assert (scheme, base64.b64decode(words).decode()) == ("Basic", f"me:{SECRET}!")


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_answer_that_is_no_yes_is_told(hook: Hook, status: int) -> None:
    hook.status = status
    assert failed(hook.address(f"/{SECRET}")) == f"it answered {status}"


@pytest.mark.parametrize("status", [301, 302, 307])
def test_no_redirect_is_followed(hook: Hook, status: int) -> None:
    hook.status, hook.location = status, hook.address("/elsewhere")
    assert failed(hook.address(f"/{SECRET}")) == f"it answered {status}"
    assert hook.paths == [f"/{SECRET}"]


def test_one_that_hangs_is_left(hook: Hook) -> None:
    hook.silent = True
    assert failed(hook.address(f"/{SECRET}"), seconds=0.3).startswith("no answer within ")
    assert len(hook.taken) == 1


def test_one_that_answers_a_byte_at_a_time_is_left(hook: Hook) -> None:
    hook.dripping = True
    assert failed(hook.address(f"/{SECRET}"), seconds=0.3) == "no answer within 300ms"


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    assert failed(f"http://127.0.0.1:{port}/{SECRET}") == "Connection refused"


def test_what_is_no_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        import threading

        def talk() -> None:
            taken, _ = server.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        assert failed(f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}") == "its answer is not HTTP"
        thread.join()


@pytest.mark.parametrize(
    "address",
    [
        f"file:///etc/{SECRET}",
        f"ftp://host/{SECRET}",
        SECRET,
        f"http://{SECRET} x/",
        f"http://host:{SECRET}/",
        f"http:///{SECRET}",
        f"http://[{SECRET}/",
        f"http://host/{SECRET}\r\nX: y",
        f"http://host/{SECRET}é",
    ],
)
def test_what_is_no_address_of_the_web_is_refused_without_being_shown(address: str) -> None:
    assert failed(address) == "the address in HOOK cannot be read; write https://host/path"


def test_an_address_that_is_not_set_is_told() -> None:
    assert failed(None) == failed("  ") == "the environment variable HOOK is not set"
