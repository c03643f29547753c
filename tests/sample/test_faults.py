"""Samples with faults: each is placed as often as stated, for its one reason, and nothing else is wrong."""

from collections import Counter
from dataclasses import asdict, replace

import pytest
from contracts.judging import judge, read, reasons
from hypothesis import given
from hypothesis import strategies as st

from assets.household_survey.sample import generate
from assets.household_survey.sample.faults import FAULTS
from assets.household_survey.sample.households import tables
from assets.household_survey.sample.shape import TABLES
from assets.household_survey.sample.surveys import plan_surveys
from lastmile.contracts import load_contracts
from lastmile.sampling import Dirt
from lastmile.sampling.dirt import BAD, CELL_FAULTS

CONTRACTS = load_contracts("assets")
#: What the intake calls the faults.
KINDS = {
    "wrong_type": {"type"},
    "out_of_range": {"at_least", "at_most", "within_yield"},
    "missing_required": {"required"},
    "broken_rule": {
        *("whole_position", "adults_within_members", "crops_sold_within_harvest", "used_within_harvest"),
        *("plausible_herd", "sold_within_harvest"),
    },
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Folder and truth of a sample with bad and repeated rows, in plain files with whole records."""
    folder = tmp_path_factory.mktemp("plain")
    dirt = replace(Dirt.heavy(), other_formats=0, ragged=0, repeated_drops=0)
    return folder, generate(folder, households=4000, seed=2, dirt=dirt)


def test_each_bad_row_is_bad_for_exactly_the_fault_placed(plain):
    folder, truth = plain
    for drop in truth.drops:
        found = reasons(judge(CONTRACTS[drop.dataset], read(folder / drop.key)))
        assert all(len(row) == 1 for row in found)
        rules = Counter(rule.split()[-1] for row in found for rule in row)
        by_kind = {kind: sum(rules[rule] for rule in names) for kind, names in KINDS.items()}
        assert by_kind == {kind: drop.dirt.get(kind, 0) for kind in KINDS}
        assert sum(by_kind.values()) == drop.quarantined == sum(rules.values())


def test_repeated_rows_are_those_counted_and_come_after_the_first(plain):
    folder, truth = plain
    for drop in truth.drops:
        contract = CONTRACTS[drop.dataset]
        valid = judge(contract, read(folder / drop.key)).valid
        repeated = 0 if contract.policy.duplicates == "keep" else valid.height - valid.unique(contract.key).height
        assert repeated == drop.duplicate == drop.dirt.get("repeated_rows", 0)


def test_every_fault_that_can_be_placed_is_placed(dirty):
    placed = dirty[1].as_json()["dirt"]
    for kind in asdict(Dirt()).keys() - {"wrong_factor"}:
        possible = [table for table in TABLES if kind not in CELL_FAULTS or FAULTS[table][kind]]
        assert sum(placed[table].get(kind, 0) for table in possible) > 0, kind


def test_the_counts_of_a_drop_add_up(dirty):
    for drop in dirty[1].drops:
        assert drop.read == drop.loaded + drop.quarantined + drop.duplicate
        assert drop.quarantined == sum(drop.dirt.get(kind, 0) for kind in BAD)


def test_no_drop_has_so_many_bad_rows_that_it_would_be_refused(dirty):
    assert all(drop.quarantined <= CONTRACTS[drop.dataset].policy.max_bad_share * drop.read for drop in dirty[1].drops)


def test_a_drop_sent_twice_has_the_same_bytes_under_another_name(dirty):
    folder, truth = dirty
    copies = [drop for drop in truth.drops if drop.state == "duplicate"]
    assert copies
    for copy in copies:
        first = next(drop for drop in truth.drops if drop.key == copy.key.replace("resent_", ""))
        assert (folder / copy.key).read_bytes() == (folder / first.key).read_bytes()


def test_a_wrong_factor_is_off_by_a_thousand_and_two_other_surveys_of_the_country_are_right(dirty):
    planned = plan_surveys(2000, 5, range(2019, 2024), wrong_factor=Dirt.heavy().wrong_factor)
    wrong = [survey for survey in planned if survey.factor != survey.true_factor]
    assert [survey.id_form for survey in wrong] == dirty[1].wrong_factor != []
    for survey in wrong:
        ratio = survey.factor / survey.true_factor
        assert max(ratio, 1 / ratio) == pytest.approx(1000, rel=1e-6)
        assert tables(survey, 0)["hhinfo"]["currency_conversion_lcu_to_ppp"].unique().to_list() == [survey.factor]
        assert sum(other.country == survey.country for other in planned if other not in wrong) >= 2


def test_no_dirt_means_no_fault_of_any_kind(clean):
    truth = clean[1]
    assert truth.wrong_factor == []
    assert all(drop.dirt == {} and drop.loaded == drop.read for drop in truth.drops)


@given(st.floats(0, 0.15))
def test_a_share_of_bad_rows_is_split_over_all_kinds(share):
    dirt = Dirt.of(share)
    assert sum(getattr(dirt, kind) for kind in BAD) == pytest.approx(share)


@pytest.mark.parametrize("wrong", [{"ragged": -0.1}, {"wrong_factor": 1.5}, {"wrong_type": 0.1, "ragged": 0.1}])
def test_shares_that_make_no_sense_are_reported(wrong):
    with pytest.raises(ValueError, match=r"shares from 0|at most 15%"):
        Dirt(**wrong)
