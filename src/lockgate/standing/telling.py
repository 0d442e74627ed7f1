"""Telling the webhook after a run, and noting in the ledger what it has taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg

from lockgate.errors import LockgateError
from lockgate.ledger import standing
from lockgate.plan.models import Webhook
from lockgate.standing.webhook import Delivery, deliver

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.standing.running import Run


def tell(webhook: Webhook, env: Mapping[str, str], plan: str, sessions: Sessions, run: Run) -> Delivery | None:
    """Tell what is news; what was not taken is news again in the next run. None if there is nothing to be told.

    Never raises: what fails here must not hide what the checks found.
    """
    delivery = deliver(webhook, env, plan, run.database, run.trends, run.at)
    if delivery is None or delivery.failed is not None or not delivery.news:
        return delivery
    try:
        with sessions.open("standing-ledger") as conn:
            standing.told(conn, delivery.news)
    except (psycopg.Error, LockgateError):
        return replace(delivery, failed="it was, but the ledger could not be told so")
    return delivery
