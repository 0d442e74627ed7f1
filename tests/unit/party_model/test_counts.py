from __future__ import annotations

import pytest

from systems.party_model.counts import MINIMUM_SCALE, counts, expected

SCALES = (MINIMUM_SCALE, 0.0123, 0.01, 0.02, 0.05, 0.37, 1.0)


def test_the_figures_of_the_real_database_come_out_at_scale_one() -> None:
    legacy, result = counts(1.0), expected(1.0)
    assert (legacy.entities, legacy.emails, legacy.phones) == (1_536_763, 872_939, 1_724_852)
    assert (result.parties, result.people, result.companies, result.born) == (1_536_789, 1_124_261, 412_528, 26)
    assert (result.contact_sources, result.contacts) == (2_597_791, 2_595_235)
    assert (result.merged, result.rejected) == (1_906, 650)
    assert (result.addresses, result.primary_addresses) == (11_530, 1_054)
    assert (result.enrichments, result.financials) == (695_310, 250)


@pytest.mark.parametrize("scale", SCALES)
def test_the_figures_add_up_at_every_scale(scale: float) -> None:
    result = expected(scale)
    assert result.parties == result.people + result.companies == counts(scale).entities + result.born
    assert result.contact_sources == result.contacts + result.merged + result.rejected
    assert result.merged == sum(result.merged_by_mapping.values())
    assert result.rejected == sum(sum(reasons.values()) for reasons in result.rejected_by_reason.values())


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_fixed_stays_and_fits(scale: float) -> None:
    legacy = counts(scale)
    assert (legacy.entity_addresses, legacy.primary_addresses, legacy.financials) == (11_530, 1_054, 250)
    assert legacy.primary_addresses <= min(legacy.entities, legacy.addresses)
    assert legacy.financials <= legacy.profiled_entities


def test_profiled_entities_follow_the_groups_of_ten() -> None:
    assert counts(0.001).profiled_entities == 419  # 69 groups of six, and five of the next
    assert counts(0.01).profiled_entities == 4_173


def test_too_small_a_scale_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0\.0005 is too small.*at least 0\.001"):
        counts(0.0005)
