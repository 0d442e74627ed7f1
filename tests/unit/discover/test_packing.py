"""How many pages rows need."""

from __future__ import annotations

from lockgate.discover.bloat import packed


def test_small_rows_fill_a_page() -> None:
    # 8168 bytes of a page for rows of 96 bytes with pointers of 4: 81 of them
    assert 1.0 < packed([92] * 82) < 1.1
    assert packed([92] * 81) > 0.98


def test_a_row_that_leaves_no_room_for_another_needs_a_page() -> None:
    assert packed([4236] * 10) > 9
    assert 4.9 < packed([3900] * 10) <= 5


def test_the_room_that_fillfactor_keeps_is_needed() -> None:
    assert packed([92] * 810, fillfactor=50) > 1.9 * packed([92] * 810)


def test_rows_are_rounded_up() -> None:
    assert packed([89] * 1000) == packed([96] * 1000)


def test_no_rows_need_nothing() -> None:
    assert packed([]) == 0
