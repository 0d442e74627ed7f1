"""Telephone numbers into E.164: phonenumbers alone, ours in one process and in two, and the step with its writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from random import Random

import phonenumbers

from benchmarks.lab import Figure, Lab, apply_timed, interleaved, lab, ratio, spread
from lockgate.normalising.base import Unfit
from lockgate.normalising.phones import E164

_PLAN = """
plan: bench
settings: {{workers: {workers}, chunk_rows: 20000}}
phases:
  - id: tidy
    steps:
      - normalise: phones
        table: app.phones
        key: [id]
        columns: {{e164: {{from: phone, as: e164, region: BR}}}}
"""
# One in twenty has no area code, one in fifty is no number at all: the step lists them.
_PHONE = """
CASE WHEN g % 20 = 7 THEN '3' || 1000000 + g % 8999999 WHEN g % 50 = 3 THEN 'none'
     ELSE '(' || 11 + g % 9 || ') 9' || 6000 + g % 3999 || '-' || lpad((g * 7919 % 10000)::text, 4, '0') END
"""


def _numbers(count: int) -> list[str]:
    """The same mix, no two alike, half of them written in another way."""
    chance = Random(20_261_130)
    made = []
    for number in range(count):
        local = f"9{chance.randint(6000, 9999)}-{chance.randint(0, 9999):04d}"
        kinds = [f"(11) {local}", f"11{local.replace('-', '')}", f"+55 21 {local}", f"0{11 + number % 9} {local}"]
        made.append(local[1:] if number % 20 == 7 else "none" if number % 50 == 3 else kinds[number % 4])
    return made


def _library(values: list[str]) -> list[str | None]:
    found: list[str | None] = []
    for value in values:
        try:
            number = phonenumbers.parse(value, "BR")
        except phonenumbers.NumberParseException:
            found.append(None)
            continue
        valid = phonenumbers.is_valid_number(number)
        found.append(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None)
    return found


def _ours(values: list[str]) -> list[str | None]:
    normalise = E164("BR")
    made = [normalise(value) for value in values]
    return [None if isinstance(each, Unfit) else each for each in made]


def _timed(work: Callable[[], list[str | None]], wanted: list[str | None]) -> float:
    started = time.perf_counter()
    made = work()
    seconds = time.perf_counter() - started
    assert made == wanted
    return seconds


def _step(here: Lab, rows: int, workers: int) -> float:
    here.forget()
    here.run(
        "DROP SCHEMA IF EXISTS app CASCADE",
        "CREATE SCHEMA app",
        "CREATE TABLE app.phones (id bigint PRIMARY KEY, person bigint, phone text, e164 text)",
        f"INSERT INTO app.phones SELECT g, g / 2, {_PHONE} FROM generate_series(1, {rows}::bigint) g",
        "VACUUM ANALYZE app.phones",
        "CHECKPOINT",
    )
    seconds = apply_timed(here, here.plan(_PLAN.format(workers=workers)))["tidy/phones"]
    assert here.one("SELECT count(*) FROM app.phones WHERE e164 IS NOT NULL") > rows * 0.9
    return seconds


def _rate(count: int, seconds: list[float]) -> str:
    return f"{count / min(seconds):,.0f} a second at best, {spread(seconds)}"


def measure(numbers: int, rows: int, rounds: int) -> list[Figure]:
    """Numbers without a database, no two alike; then a table with its writes, one worker against two."""
    values = _numbers(numbers)
    wanted = _library(values)
    half = numbers // 2
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:

        def two(work: Callable[[list[str]], list[str | None]]) -> list[str | None]:
            first, second = pool.map(work, (values[:half], values[half:]))
            return first + second

        two(_ours)  # both processes have imported the library
        alone, one, both_alone, both = interleaved(
            rounds,
            lambda: _timed(lambda: _library(values), wanted),
            lambda: _timed(lambda: _ours(values), wanted),
            lambda: _timed(lambda: two(_library), wanted),
            lambda: _timed(lambda: two(_ours), wanted),
        )
    figures = [
        Figure(
            "numbers into E.164, two processes",
            "80,000 a second",
            "-",
            f"{numbers / sorted(both)[len(both) // 2]:,.0f}",
            f"{numbers:,} numbers, {rounds} rounds: {_rate(numbers, both)}; "
            f"phonenumbers alone in two {spread(both_alone)}",
        ),
        Figure(
            "numbers into E.164, against phonenumbers",
            "1.0 x",
            "-",
            f"{ratio(alone, one):.1f} x",
            f"one process: phonenumbers {spread(alone)}, Lockgate {spread(one)}; the same answers",
        ),
    ]
    with lab() as here:
        first, second = interleaved(rounds, lambda: _step(here, rows, 1), lambda: _step(here, rows, 2))
    figures.append(
        Figure(
            "normalise, rows a second with two workers",
            "80,000",
            "-",
            f"{rows / sorted(second)[len(second) // 2]:,.0f}",
            f"{rows:,} rows, 93 % of them written, with the pass that proves it, server and workers on the same cores: "
            f"one worker {spread(first)}, two {spread(second)}",
        )
    )
    return figures
