from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from systems.hardening.counts import LEAST_PLANTED, MINIMUM_SCALE, counts, planted
from systems.hardening.defects import defects

SCALES = (MINIMUM_SCALE, 0.0123, 0.02, 0.37, 1.0)


def test_the_figures_that_the_team_found_come_out_at_scale_one() -> None:
    found = defects(1.0)
    assert found.rows == {
        "core.entities": 1_536_771,
        "core.entity_phones": 1_726_374,
        "core.entity_emails": 872_939,
        "core.entity_addresses": 11_529,
        "core.entity_profiles": 1_375_986,
        "core.addresses": 1_416_411,
        "core.properties": 1_447_983,
    }
    assert (found.enriched, found.with_confidence, found.planted.surplus_phones) == (695_288, 3, 1_522)
    assert found.bloated["core.entities"].bytes == 946 * 1024 * 1024
    assert found.missing_tables == ("ref.property_types", "ref.street_type_catalog")
    assert len(found.stale_statistics) == 6


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_planted_never_vanishes_and_fits(scale: float) -> None:
    wrong, rows = planted(scale), counts(scale)
    assert min(asdict(wrong).values()) >= LEAST_PLANTED
    assert 2 * wrong.surplus_phones < rows.phones
    assert wrong.states < rows.addresses
    assert wrong.zip_codes < rows.addresses
    assert rows.primary_addresses <= rows.entity_addresses <= rows.addresses
    assert rows.profiled_entities <= rows.profiles <= 2 * rows.profiled_entities
    assert rows.profiled_entities * rows.profile_stride <= rows.entities
    assert rows.financials <= rows.profiled_entities


def test_the_figures_can_be_read_by_another_program() -> None:
    assert json.loads(json.dumps(asdict(defects(0.02))))["planted"]["surplus_phones"] == 30


def test_too_small_a_scale_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.0005 is too small.*at least 0\.001"):
        defects(0.0005)
