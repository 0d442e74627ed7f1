"""The lead service: an HTTP application that enriches the people of a lead and stores them."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import uvicorn
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import cpf as cpfs
from .provider import enrich
from .store import InvalidCpfError, Model, erase_person, store_enriched_person_with_lead

_log = logging.getLogger(__name__)
Pool = AsyncConnectionPool[psycopg.AsyncConnection[TupleRow]]

POOL_SECONDS = 10
"""How long a request waits for a connection of the pool before it fails. Nothing is tried twice."""


def create_app(dsn: str, model: Model = Model.IN_USE, connections: int = 8) -> Starlette:
    """The application.

    :param model: what is written, until ``PUT /admin/model`` changes it; the header ``X-Model`` overrules both.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with AsyncConnectionPool(
            dsn,
            min_size=connections,
            max_size=connections,
            timeout=POOL_SECONDS,
            open=False,
            kwargs={"autocommit": True, "application_name": "party-service"},
        ) as pool:
            await pool.wait()
            app.state.pool = pool
            yield

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/health", health),
            Route("/admin/model", set_model, methods=["PUT"]),
            Route("/api/v1/c2s/enrich/{lead_id}", enrich_lead, methods=["POST"]),
            Route("/api/v1/leads/process", process_lead),
            Route("/api/v1/people/{cpf}", erase, methods=["DELETE"]),
        ],
    )
    app.state.model = model
    return app


async def health(request: Request) -> JSONResponse:
    """``GET /health``: 200 while the database answers."""
    try:
        async with request.app.state.pool.connection(timeout=2) as conn:
            await conn.execute("SELECT 1")
    except (psycopg.Error, PoolTimeout) as error:
        return JSONResponse({"status": "unwell", "why": type(error).__name__}, 503)
    return JSONResponse({"status": "ok", "model": request.app.state.model})


async def set_model(request: Request) -> JSONResponse:
    """``PUT /admin/model`` with ``{"model": "in use" | "old" | "new" | "both" | "none"}``: what is written next."""
    try:
        request.app.state.model = Model((await request.json())["model"])
    except (ValueError, KeyError, TypeError):
        return _refused("model must be `in use`, old, new, both or none")
    return JSONResponse({"model": request.app.state.model})


async def enrich_lead(request: Request) -> JSONResponse:
    """``POST /api/v1/c2s/enrich/{lead_id}`` with ``{"people": [{"cpf": ..., "emails": ..., "phones": ...}]}``.

    E-mails (``[{"address", "primary"}]``) and phones (``[{"number", "whatsapp"}]``) may be left out.
    """
    try:
        people = {str(person["cpf"]): person for person in (await request.json())["people"]}
    except (ValueError, KeyError, TypeError):
        return _refused("a lead needs people, each with a cpf")
    return await _store_lead(request, request.path_params["lead_id"], people)


async def process_lead(request: Request) -> JSONResponse:
    """``GET /api/v1/leads/process?id=``: the lead's people come from its id, ``<number>.<cpf>.<cpf>...``."""
    lead_id = request.query_params.get("id", "")
    _, *people = lead_id.split(".")
    if not people:
        return _refused("no such lead")
    return await _store_lead(request, lead_id, {cpf: {} for cpf in people})


async def erase(request: Request) -> JSONResponse:
    """``DELETE /api/v1/people/{cpf}``: the person asked to be forgotten."""
    try:
        model = _model(request)
        async with _pool(request).connection() as conn:
            found, written = await erase_person(conn, request.path_params["cpf"], model)
    except ValueError as error:
        return _refused(str(error))
    except (psycopg.Error, PoolTimeout) as error:
        return JSONResponse({"success": False, "why": _failed(request, error)}, 500)
    return JSONResponse({"success": True, "found": found}, headers={"X-Model": written})


async def _store_lead(request: Request, lead_id: str, people: Mapping[str, Mapping[str, Any]]) -> JSONResponse:
    """Store each person in a transaction of its own: one that fails does not stop the others.

    Answers 500 if the database failed for anybody; a number that is no CPF is the lead's fault and is only named. While
    storing is switched off the lead is enriched and its message sent all the same, and `stored_in_db` is 0.
    """
    try:
        model = _model(request)
    except ValueError as error:
        return _refused(str(error))
    stored: dict[str, str] = {}
    models: set[Model] = set()
    failed: dict[str, str] = {}
    status = 200
    for cpf, given in people.items():
        try:
            if not cpfs.is_valid(cpf):
                raise InvalidCpfError("not a CPF")
            payload = enrich(cpf, lead_id, given)
            async with _pool(request).connection() as conn:
                person, written = await store_enriched_person_with_lead(conn, cpf, payload, lead_id, model)
                models.add(written)
                if person is None:
                    model = Model.NONE  # of all the lead, even if storing is switched on in its midst
                else:
                    stored[cpf] = str(person)
        except (KeyError, TypeError, ValueError) as error:
            failed[cpf] = str(error) if isinstance(error, InvalidCpfError) else "not to be read"
        except (psycopg.Error, PoolTimeout) as error:
            status = 500
            failed[cpf] = _failed(request, error)
    answer = {
        "success": bool(models),
        "message_sent": bool(models),
        "stored_in_db": len(stored),
        "entity_ids": list(stored.values()),
        "failed": failed,
    }
    return JSONResponse(answer, status, headers={"X-Model": _said(models, model)})


def _said(written: set[Model], asked: Model) -> Model:
    """The model that the people of a lead were written to; the new one if it came into use in their midst."""
    return next((model for model in (Model.NEW, Model.BOTH, Model.OLD, Model.NONE) if model in written), asked)


def _failed(request: Request, error: Exception) -> str:
    """Write to the log what the database said; the caller learns its kind only."""
    _log.error("%s %s: %s: %s", request.method, request.url.path, type(error).__name__, str(error).strip())
    return type(error).__name__


def _refused(why: str) -> JSONResponse:
    return JSONResponse({"success": False, "why": why}, 400)


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


def _model(request: Request) -> Model:
    chosen: Model = request.app.state.model
    header = request.headers.get("x-model")
    return Model(header) if header else chosen


def serve(dsn: str, model: Model, announce: Callable[[str], None], *, port: int = 0, connections: int = 8) -> None:
    """Serve on 127.0.0.1 until SIGTERM or SIGINT.

    :param port: 0 for a free one.
    :param announce: told ``{"url": ...}`` as JSON, once connections are accepted (requests wait for the pool).
    """
    # asyncio turns Nagle's algorithm off only for sockets that name their protocol; with it, and the client's
    # delayed acknowledgements, an answer takes 40 ms longer.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(1024)
        config = uvicorn.Config(
            create_app(dsn, model, connections), log_level="warning", access_log=False, lifespan="on"
        )
        announce(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}))
        uvicorn.Server(config).run(sockets=[listener])
