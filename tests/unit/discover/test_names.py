"""What names suggest, and what they do not."""

from __future__ import annotations

import pytest

from lockgate.discover import names


@pytest.mark.parametrize(
    ("table", "one"),
    [("customers", "customer"), ("categories", "category"), ("addresses", "address"), ("orderItems", "order_item"),
     ("people", "person"), ("status", "status"), ("boxes", "box"), ("bus", "bus"), ("ORDERS", "order")],
)  # fmt: skip
def test_a_table_in_the_singular(table: str, one: str) -> None:
    assert names.one_of(table) == one


@pytest.mark.parametrize(
    ("column", "stem"),
    [("customer_id", "customer"), ("userId", "user"), ("billing_address_id", "billing_address"), ("id", None),
     ("paid", None), ("order_uuid", "order"), ("grid", None)],
)  # fmt: skip
def test_what_a_column_refers_to(column: str, stem: str | None) -> None:
    assert names.referred(column) == stem


@pytest.mark.parametrize(
    ("column", "table"),
    [("email", "users"), ("cpf", "patients"), ("sku", "products"), ("order_number", "orders"), ("code", "coupons"),
     ("product_code", "products"), ("address_hash", "addresses"), ("document_number", "people"), ("slug", "posts")],
)  # fmt: skip
def test_names_of_keys(column: str, table: str) -> None:
    assert names.is_key(column, table)


@pytest.mark.parametrize(
    ("column", "table"),
    [("password_hash", "users"), ("country_code", "users"), ("currency_code", "orders"), ("coupon_code", "orders"),
     ("name", "users"), ("description", "products"), ("notes", "users"), ("first_name", "people"), ("status", "orders"),
     ("zip_code", "addresses"), ("contact_email", "orders"), ("commit_hash", "builds"), ("amount", "payments"),
     ("phone", "users"), ("title", "posts"), ("error_code", "calls"), ("line_number", "order_lines")],
)  # fmt: skip
def test_names_of_what_is_no_key(column: str, table: str) -> None:
    assert not names.is_key(column, table)


@pytest.mark.parametrize("column", ["deleted_at", "cancelled_at", "revoked_by", "merged_into", "archived_on"])
def test_what_need_never_happen(column: str) -> None:
    assert names.comes_later(column)


@pytest.mark.parametrize("column", ["phone_e164", "created_at", "external_id", "updated_by"])
def test_what_should_have_happened(column: str) -> None:
    assert not names.comes_later(column)


def test_whose_part_a_table_is() -> None:
    assert names.belongs_to("entity_phones", ["phone", "entity"]) == "entity"
    assert names.belongs_to("orders", ["customer"]) is None
