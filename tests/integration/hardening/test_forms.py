"""The form of a state and of a zip code, as the plan's own functions have it."""

from __future__ import annotations

from typing import Any

import psycopg

from lockgate.systems import system_folder

FUNCTIONS = system_folder("hardening") / "plan" / "sql" / "functions.sql"


def _forms(conn: psycopg.Connection[Any], function: str, values: list[str | None]) -> dict[str | None, str | None]:
    conn.execute("CREATE SCHEMA core")
    conn.execute(FUNCTIONS.read_bytes())
    query = f"SELECT written, core.{function}(written) FROM unnest(%s::text[]) AS written"
    return dict(conn.execute(query.encode(), [values]).fetchall())


def test_a_state_is_two_capitals_or_nothing(conn: psycopg.Connection[Any]) -> None:
    forms = {
        "SP": "SP",
        "sp": "SP",
        " Sp  ": "SP",
        "S.P.": "SP",
        "São Paulo": "SP",
        "SÃO PAULO": "SP",
        "sao paulo": "SP",
        "Pará": "PA",
        "Paraná": "PR",
        "Rio Grande do Norte": "RN",
        "Distrito Federal": "DF",
        "ZZ": "ZZ",  # two capitals, whatever they mean: nothing is guessed
        "zz": None,
        "n/d": None,
        "--": None,
        "": None,
        "Brasil": None,
        "35": None,
        None: None,
    }
    assert _forms(conn, "state_form", list(forms)) == forms


def test_a_zip_code_is_eight_digits_or_nothing(conn: psycopg.Connection[Any]) -> None:
    forms = {
        "01310100": "01310100",
        "01310-100": "01310100",
        "01.310-100": "01310100",
        " 01310 100": "01310100",
        "1310100": None,  # the zero may be missing in front or at the end
        "013101000": None,
        "0131O100": None,
        "sem CEP": None,
        "": None,
        None: None,
    }
    assert _forms(conn, "zip_code_form", list(forms)) == forms
