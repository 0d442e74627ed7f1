"""An application that goes on writing whatever is killed, and remembers all that the database acknowledged."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.conninfo import make_conninfo

ROLE = "shop_app"
MARK = 1
_PAUSE = 0.004
_NOT_YET = (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName)
_STATUSES = ("NEW", "Paid", "shipped", "Returned")

Row = tuple[Any, ...]
Tables = dict[str, dict[Any, Row]]
"""Table -> key -> the other columns."""

_READ = {
    "customers": "SELECT id, name, email, vip FROM old.customers",
    "suppliers": "SELECT id, name, email FROM old.suppliers",
    "orders": "SELECT id, customer_id, cents, status FROM old.orders",
    "born": "SELECT email, name FROM new.people WHERE email ~ '^born-'",
}


def read_tables(conn: psycopg.Connection[Any]) -> Tables:
    """What the tables hold now."""
    found: Tables = {}
    for table, query in _READ.items():
        try:
            found[table] = {row[0]: tuple(row[1:]) for row in conn.execute(query.encode())}
        except _NOT_YET:
            found[table] = {}
    return found


class Writer:
    """Writes transactions of several statements to every table of the old model, and rows of its own to the new one.

    Its role has no right on schema ``lockgate``. As a context manager it writes until the end of the block.

    :param crashes: whether the server may go away under it; then it comes back, and looks whether its last
        transaction was committed. Otherwise every error is one that it would not have had without Lockgate.
    :param new_model: whether it writes there as well.
    """

    def __init__(self, dsn: str, seed: int, *, crashes: bool = False, new_model: bool = True) -> None:
        self.errors: list[str] = []
        self.committed = 0
        self._dsn = make_conninfo(dsn, options=f"-c role={ROLE}", application_name="shop", connect_timeout=5)
        self._random = random.Random(seed)
        self._crashes = crashes
        self._new_model = new_model
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._next = (seed + 1) * 100_000  # no number is given twice in one shop
        with psycopg.connect(dsn, autocommit=True) as conn:
            self.tables = read_tables(conn)
            conn.execute("INSERT INTO old.marks VALUES (%s, 0) ON CONFLICT (writer) DO UPDATE SET last = 0", (MARK,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def differences(self, there: Tables) -> list[tuple[str, Any, Row | None, Row | None]]:
        """Table, key, what was acknowledged, and what is there."""
        return [
            (table, key, self.tables[table].get(key), there[table].get(key))
            for table in self.tables
            for key in {*self.tables[table], *there[table]}
            if self.tables[table].get(key) != there[table].get(key)
        ]

    # --- the loop -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as conn:
                    while not self._stop.wait(_PAUSE):
                        self._write(conn)
            except psycopg.OperationalError as error:
                if not self._crashes:
                    self.errors.append(f"{type(error).__name__}: {error}")
                self._stop.wait(_PAUSE)
            except Exception as error:  # a thread's own errors are reported by whoever ends it
                self.errors.append(f"{type(error).__name__}: {error}")
                return

    def _write(self, conn: psycopg.Connection[Any]) -> None:
        """One transaction; known to be committed or not when this returns."""
        number = self.committed + 1
        after: Tables = {table: dict(rows) for table, rows in self.tables.items()}
        work = _Transaction(conn, after, self._random, self._id)
        kinds = [*work.old_model(), *(work.new_model() if self._new_model else [])]
        try:
            with conn.transaction():
                for _ in range(self._random.randint(1, 3)):
                    self._random.choice(kinds)()
                conn.execute("UPDATE old.marks SET last = %s WHERE writer = %s", (number, MARK))
        except _NOT_YET:
            return
        except psycopg.OperationalError:
            if not self._crashes or not self._was_committed(number):
                raise
        self.tables = after
        self.committed = number

    def _was_committed(self, number: int) -> bool:
        while not self._stop.wait(0.05):
            try:
                with psycopg.connect(self._dsn, autocommit=True) as conn:
                    row = conn.execute("SELECT last FROM old.marks WHERE writer = %s", (MARK,)).fetchone()
                    return row is not None and row[0] == number
            except psycopg.OperationalError:
                continue
        raise AssertionError("the writer was stopped while the server was away")

    def _id(self) -> int:
        self._next += 1
        return self._next


class _Transaction:
    """What one transaction does, to the database and to what is known of it."""

    def __init__(
        self, conn: psycopg.Connection[Any], tables: Tables, chance: random.Random, new_id: Callable[[], int]
    ) -> None:
        self.conn, self.tables, self.random, self.new_id = conn, tables, chance, new_id

    def old_model(self) -> list[Callable[[], None]]:
        return [
            self.add_customer,
            self.change_address,
            self.change_customer,
            self.remove_customer,
            self.change_supplier,
            self.add_order,
            self.change_order,
            self.renumber_order,
            self.remove_order,
        ]

    def new_model(self) -> list[Callable[[], None]]:
        return [self.add_person, self.rename_person, self.remove_person, self.disturb_person]

    # --- the old model --------------------------------------------------------------------------------------

    def add_customer(self) -> None:
        self._put("customers", self.new_id(), ("New", self._address(), self.random.random() < 0.3))

    def change_address(self) -> None:
        key = self._any("customers")
        name, _, vip = self.tables["customers"][key]
        self._set("customers", key, (name, self._address(), vip))

    def change_customer(self) -> None:
        key = self._any("customers")
        _, email, vip = self.tables["customers"][key]
        self._set("customers", key, (f"Renamed {self.random.random()}", email, not vip))

    def remove_customer(self) -> None:
        key = self._any("customers")
        for order in [number for number, row in self.tables["orders"].items() if row[0] == key]:
            self._remove("orders", order)
        self._remove("customers", key)

    def change_supplier(self) -> None:
        key = self._any("suppliers")
        self._set("suppliers", key, (f"Renamed {self.random.random()}", self._address()))

    def add_order(self) -> None:
        self._put("orders", self.new_id(), (self._any("customers"), self.random.randint(1, 999), "NEW"))

    def change_order(self) -> None:
        key = self._any("orders")
        customer = self._any("customers")
        self._set("orders", key, (customer, self.random.randint(1, 999), self.random.choice(_STATUSES)))

    def renumber_order(self) -> None:
        key, number = self._any("orders"), self.new_id()
        self.conn.execute("UPDATE old.orders SET id = %s WHERE id = %s", (number, key))
        self.tables["orders"][number] = self.tables["orders"].pop(key)

    def remove_order(self) -> None:
        if len(self.tables["orders"]) > 100:
            self._remove("orders", self._any("orders"))

    # --- the new model --------------------------------------------------------------------------------------

    def add_person(self) -> None:
        email = f"born-{self.new_id()}@new.example"
        self.conn.execute("INSERT INTO new.people (email, name) VALUES (%s, %s)", (email, "Born"))
        self.tables["born"][email] = ("Born",)

    def rename_person(self) -> None:
        if self.tables["born"]:
            email = self._any("born")
            name = f"Renamed {self.random.random()}"
            self.conn.execute("UPDATE new.people SET name = %s WHERE email = %s", (name, email))
            self.tables["born"][email] = (name,)

    def remove_person(self) -> None:
        if self.tables["born"]:
            email = self._any("born")
            self.conn.execute("DELETE FROM new.people WHERE email = %s", (email,))
            del self.tables["born"][email]

    def disturb_person(self) -> None:
        """The old model has the say: what is written over a row that it yields does not stay."""
        email = f"person{self.random.randint(1, 700)}@example.com"
        if self.random.random() < 0.5:
            self.conn.execute("UPDATE new.people SET name = 'Disturbed' WHERE email = %s", (email,))
        else:
            self.conn.execute("DELETE FROM new.people WHERE email = %s", (email,))

    # --- small things ---------------------------------------------------------------------------------------

    def _address(self) -> str | None:
        kind = self.random.random()
        if kind < 0.1:
            return None
        if kind < 0.2:
            return "unknown"
        return self.random.choice(("person{}@example.com", " Person{}@Example.com")).format(self.random.randint(1, 900))

    def _any(self, table: str) -> Any:
        return self.random.choice(list(self.tables[table]))

    def _put(self, table: str, key: int, row: Row) -> None:
        holes = ", ".join(["%s"] * (len(row) + 1))
        columns = {"customers": "id, name, email, vip", "orders": "id, customer_id, cents, status"}[table]
        self.conn.execute(f"INSERT INTO old.{table} ({columns}) VALUES ({holes})".encode(), (key, *row))
        self.tables[table][key] = row

    def _set(self, table: str, key: int, row: Row) -> None:
        columns = {
            "customers": "name = %s, email = %s, vip = %s",
            "suppliers": "name = %s, email = %s",
            "orders": "customer_id = %s, cents = %s, status = %s",
        }[table]
        self.conn.execute(f"UPDATE old.{table} SET {columns} WHERE id = %s".encode(), (*row, key))
        self.tables[table][key] = row

    def _remove(self, table: str, key: int) -> None:
        self.conn.execute(f"DELETE FROM old.{table} WHERE id = %s".encode(), (key,))
        del self.tables[table][key]
