"""Telling a webhook how the standing checks stand: when an alert is raised or is over, or each time.

``urllib`` is enough for one POST without an answer, so that no HTTP client has to be installed on every host with a
crontab. What it lacks is here: no redirect is followed (it would turn the POST into a GET, and hand what the address
holds to another host), and the whole exchange has one time limit, the look-up of the name included.
"""

from __future__ import annotations

import base64
import http.client
import json
import math
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from lockgate import __version__
from lockgate.ledger.standing import Trend
from lockgate.plan.models import Webhook, format_duration


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of telling somebody.

    :param to: whom, without whatever may be secret of the address.
    :param news: number of a check of which there was news -> whether it is an alert.
    :param failed: why it was not taken, in words; None if it was.
    """

    to: str
    news: Mapping[int, bool]
    failed: str | None


def news(trends: Sequence[Trend]) -> list[Trend]:
    """The checks whose alert was raised, or is over, since the webhook last took anything."""
    return [trend for trend in trends if (trend.check.alert_since is not None) is not trend.check.told]


def deliver(
    webhook: Webhook, env: Mapping[str, str], plan: str, database: str, trends: Sequence[Trend], at: datetime
) -> Delivery | None:
    """Tell what is news, or how all checks stand; None if there is nothing to be told.

    Never raises: what fails here must not hide what the checks found.

    :param env: the environment, which holds the address.
    """
    fresh = news(trends)
    if not fresh and not webhook.each_run:
        return None
    alerts = {trend.check.id: trend.check.alert_since is not None for trend in fresh}
    address = env.get(webhook.to, "").strip()
    if not address:
        return Delivery(webhook.to, alerts, f"the environment variable {webhook.to} is not set")
    try:
        parts = urlsplit(address)
        request = _request(parts, message(plan, database, trends, fresh, at))
    except ValueError:  # not shown: it may quote the address
        return Delivery(webhook.to, alerts, f"the address in {webhook.to} cannot be read; write https://host/path")
    return Delivery(_shown(parts), alerts, _post(request, webhook.within))


def message(plan: str, database: str, trends: Sequence[Trend], fresh: Sequence[Trend], at: datetime) -> dict[str, Any]:
    """The body: names, states, times and measured numbers; no query, and no value of a row.

    ``text`` says the same in words, which is what chats show.
    """
    changed = {trend.check.id for trend in fresh}
    words = [f"{trend.check.name} {'ALERT' if trend.check.alert_since else 'is well again'}" for trend in fresh]
    alerts = sum(trend.check.alert_since is not None for trend in trends)
    summary = "; ".join(words) if words else f"{alerts} of {len(trends)} standing checks are alerts"
    return {
        "text": f"Lockgate: plan {plan}, database {database}: {summary}",
        "plan": plan,
        "database": database,
        "at": at.isoformat(),
        "alerts": alerts,
        "checks": [_check(trend, changed=trend.check.id in changed) for trend in trends],
    }


def _check(trend: Trend, *, changed: bool) -> dict[str, Any]:
    check, last = trend.check, trend.last
    value = last.value if last else None
    return {
        "id": check.name,
        "alert": check.alert_since is not None,
        "changed": changed,
        "state": last.outcome if last and check.applies else "idle",
        "value": value if value is None or math.isfinite(value) else str(value),
        "at": last.at.isoformat() if last else None,
        "failing_since": check.failing_since.isoformat() if check.failing_since else None,
        "alert_since": check.alert_since.isoformat() if check.alert_since else None,
    }


def _request(parts: SplitResult, body: Mapping[str, Any]) -> urllib.request.Request:
    """:raises ValueError: for what is no address of the web."""
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[^\x21-\x7e]", parts.geturl()):
        raise ValueError("not an address of the web")
    place = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
    bare = parts._replace(netloc=place + (f":{parts.port}" if parts.port else ""), fragment="")
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"lockgate/{__version__}"}
    if parts.username is not None:
        words = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(words).decode()}"
    data = json.dumps(body, ensure_ascii=False).encode()
    return urllib.request.Request(bare.geturl(), data=data, headers=headers, method="POST")


def _shown(parts: SplitResult) -> str:
    """Only where it goes: path, query and user may be secrets."""
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **more: Any) -> None:
        """Follow none: the answer is told as it is."""


def _post(request: urllib.request.Request, within: timedelta) -> str | None:
    """Why it was not taken; None if it was.

    In a thread, because the limit of a socket is one for each of its waits: who answers a byte at a time is never late.
    """
    said: list[str | None] = []
    limit = within.total_seconds()
    thread = threading.Thread(target=lambda: said.append(_exchange(request, limit)), daemon=True)
    thread.start()
    thread.join(limit)
    return said[0] if said else f"no answer within {format_duration(within)}"


def _exchange(request: urllib.request.Request, seconds: float) -> str | None:
    """One POST; why it was not taken."""
    try:
        with urllib.request.build_opener(_NoRedirects()).open(request, timeout=seconds):
            return None
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _words(error, seconds)


def _words(error: Exception, seconds: float) -> str:
    """Of an error only what cannot hold a part of the address."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"it answered {error.code}"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, TimeoutError):
        return f"no answer within {seconds:g} s"
    if isinstance(reason, http.client.HTTPException | ValueError) and not isinstance(reason, OSError):
        return "its answer is not HTTP"
    return (reason.strerror if isinstance(reason, OSError) else None) or "it cannot be reached"
