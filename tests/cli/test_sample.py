"""`lastmile sample`: drops land where they belong, their truth next to them, and a mistake is reported in one line."""

import json

import pytest

from lastmile.cli.sample import fill_empty_landing, sample
from lastmile.errors import UserError
from lastmile.settings import Settings

USUAL = {"name": "household_survey", "size": 200, "seed": 1, "partitions": "2020-2021", "dirt": "usual", "to": None}
USUAL |= {"available": False}


def keys(store):
    return [listed.key for listed in store.list("landing/")]


def test_drops_land_by_dataset_year_and_survey_and_their_truth_next_to_them(store, home):
    sample(**USUAL)
    stated = json.loads((home / "sample" / "household_survey.json").read_text(encoding="utf-8"))
    assert sorted(keys(store)) == sorted(f"landing/{drop['key']}" for drop in stated["drops"])
    assert {key.split("/")[2] for key in keys(store)} == {"2020", "2021"}
    assert not any(key.endswith(".json") for key in keys(store))


def test_each_domain_declares_a_sample_of_its_own(store, home):
    sample(**{**USUAL, "name": "retail", "size": 2, "partitions": "2024-03-01:2024-03-04"})
    stated = json.loads((home / "sample" / "retail.json").read_text(encoding="utf-8"))
    assert [drop["partition"] for drop in stated["drops"]] == ["2024-03-01", "2024-03-03", "2024-03-04"]
    assert len(keys(store)) == 3


def test_the_samples_there_are_can_be_listed(store, home, capsys):
    sample(**{**USUAL, "name": None, "available": True})
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == ["household_survey", "retail"]
    assert keys(store) == []


def test_a_folder_can_be_filled_instead(store, home, tmp_path):
    sample(**{**USUAL, "to": tmp_path / "new"})
    assert keys(store) == []
    stated = json.loads((tmp_path / "new-truth.json").read_text(encoding="utf-8"))
    assert all((tmp_path / "new" / drop["key"]).is_file() for drop in stated["drops"])


def test_the_share_of_bad_rows_can_be_chosen(store, home):
    sample(**{**USUAL, "size": 1000, "dirt": "0.05"})
    rows = json.loads((home / "sample" / "household_survey.json").read_text(encoding="utf-8"))["rows"]
    assert 0.04 < rows["quarantined"] / rows["read"] < 0.06


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "at least 1 household"),
        ({"size": -1}, "at least 1 household"),
        ({"name": "hospital"}, "no sample 'hospital'; there are: household_survey, retail"),
        ({"seed": -1}, "a seed is a whole number from 0"),
        ({"partitions": "2021-2019"}, "partitions '2021-2019': expected one year"),
        ({"partitions": "lately"}, "partitions 'lately': expected one year"),
        ({"partitions": "1990"}, "'1990' is outside 2010 to"),
        ({"partitions": "2020-2999"}, "'2999' is outside"),
        ({"dirt": "much"}, "dirt 'much': expected usual, none, heavy, or a share"),
        ({"dirt": "0.5"}, "at most 15% in all"),
    ],
)
def test_a_mistake_is_reported_in_one_line_and_nothing_lands(store, home, arguments, message):
    with pytest.raises(UserError) as error:
        sample(**{**USUAL, **arguments})
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert keys(store) == []
    assert not (home / "sample").exists()


def test_a_folder_with_files_in_it_is_left_alone(home, tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="not an empty folder"):
        sample(**{**USUAL, "to": tmp_path})
    with pytest.raises(UserError, match="not an empty folder"):
        sample(**{**USUAL, "to": tmp_path / "mine.txt"})


def test_contracts_of_other_datasets_get_no_household_surveys(store, home, tmp_path, monkeypatch):
    (tmp_path / "other_assets").mkdir()
    (tmp_path / "other_assets" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("LASTMILE_ASSETS", "other_assets")
    with pytest.raises(UserError, match="no sample 'household_survey'; no domain declares one"):
        sample(**USUAL)
    fill_empty_landing(Settings.from_environment(), store)
    assert keys(store) == []


def test_a_dataset_without_a_contract_lands_nothing(store, home, monkeypatch):
    from lastmile.contracts import loading

    without = {name: found for name, found in loading.load_contracts().items() if name != "crop"}
    monkeypatch.setattr(loading, "load_contracts", lambda assets: without)
    with pytest.raises(UserError, match="no contract of dataset crop; use --to FOLDER"):
        sample(**USUAL)
    assert keys(store) == []


def test_an_empty_landing_area_is_filled_once(store, home):
    settings = Settings.from_environment()
    fill_empty_landing(settings, store)
    first = {listed.key: listed.version for listed in store.list("landing/")}
    assert len({key.split("/")[3] for key in first}) >= 12
    fill_empty_landing(settings, store)
    assert {listed.key: listed.version for listed in store.list("landing/")} == first


def test_a_landing_area_with_a_drop_of_ones_own_is_left_alone(store, home):
    store.put("landing/hhinfo/2020/mine.csv", b"hhid\n")
    fill_empty_landing(Settings.from_environment(), store)
    assert keys(store) == ["landing/hhinfo/2020/mine.csv"]
