"""Databases of different kinds with defects that were planted, and with much that only looks like one.

What is found is exactly what was planted, and no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.discover.looking import analyze, look, short

Conn = psycopg.Connection[Any]

SHOP = {
    "DB201 public.customers (email) 4",
    "DB202 public.customers (email) 2",
    "DB203 public.orders (order_number) 0",
    "DB302 public.products (sku)",
    "DB304 public.orders (customer_id)",
    "DB402 public.order_items (order_id) 9",
    "DB404 public.orders (total) 274",
    "DB501 public.customers (email) 7",
    "DB502 public.customers (phone_e164) 0",
    "DB601 public.carts (id)",
    "DB801 public.carts",
}
CLINIC = {
    "DB111 clinic.vitals",
    "DB201 clinic.appointments (doctor_id, starts_at) 2",
    "DB201 clinic.patient_phones (patient_id, phone) 6",
    "DB304 clinic.appointments (doctor_id)",
    "DB401 clinic.relatives (patient_id) 0",
    "DB401 clinic.relatives (relationship_type) 0",
    "DB405 clinic.relatives (property_type)",
    "DB501 clinic.patients (cpf) 3",
    "DB501 clinic.patients (state) 10",
    "DB501 clinic.patients (zip_code) 100",
    "DB502 clinic.patients (national_registry) 0",
    "DB504 clinic.patients (birth_date) 1500",
    "DB802 clinic.doctors",
    "DB803 clinic.appointments",
    "DB804 clinic.secret()",
}
SAAS = {
    "DB102 public.users",
    "DB201 public.team_members (team_id, user_id) 3",
    "DB201 public.users (workspace_id, email) 5",
    "DB203 public.invoices (invoice_number) 0",
    "DB203 public.workspaces (slug) 0",
    "DB304 public.comments (author_id)",
    "DB401 public.userSettings (userId) 0",
    "DB401 public.user_profiles (user_id) 0",
    "DB403 public.workspaces (plan_id)",
    "DB501 public.invoices (currency) 4",
    "DB502 public.users (external_id) 0",
    "DB504 public.invoices (ip_address) 1000",
    "DB601 public.invoices (id)",
}


@pytest.mark.parametrize(("name", "planted"), [("shop", SHOP), ("clinic", CLINIC), ("saas", SAAS)])
def test_what_was_planted_is_found_and_nothing_else(conn: Conn, dsn: str, name: str, planted: set[str]) -> None:
    before, _, after = Path(__file__).with_name(f"{name}.sql").read_text().partition("-- after ANALYZE")
    conn.execute(before.encode())
    analyze(conn)
    conn.execute(after.encode())
    outcome = look(dsn)
    found = short(outcome.findings)
    assert found - planted == set()
    assert planted - found == set()
    assert all(finding.exact for finding in outcome.findings if finding.code != "DB111")
