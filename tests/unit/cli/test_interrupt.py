"""A first signal asks for a clean stop, a second one stops at once."""

from __future__ import annotations

import os
import signal

import pytest

from lockgate.cli.interrupt import stop_on_signal


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops(number: signal.Signals, capfd: pytest.CaptureFixture[str]) -> None:
    with stop_on_signal("the present chunk") as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(60)
        assert f"{number.name}: stopping after the present chunk" in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)


def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signal("x"):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
