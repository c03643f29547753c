"""The contracts of the RHoMIS tables, held against 77 real surveys and against rows made wrong on purpose."""

import pandera.errors
import polars as pl
import pytest
from contracts.judging import judge, read, reasons

from assets.household_survey.sample.generating import generate
from lastmile.contracts import load_contracts
from lastmile.contracts.names import normal_name
from lastmile.sampling.dirt import Dirt

CONTRACTS = load_contracts("assets")
TABLES = ("crop", "hhinfo", "lstk", "lstk_prod")
WRONG_FACTOR = ("bi_snv_2019", "cd_clp_2017", "kh_sil_2018", "ps_fao_2018", "sn_ftf_2018", "tz_glv_2017")


@pytest.fixture(scope="module")
def surveys(shared_data):
    """The real files by table, each as text."""
    folder = shared_data / "household_rhomis"
    return {table: {file: read(file) for file in sorted(folder.glob(f"*/*/{table}.csv"))} for table in TABLES}


@pytest.fixture(scope="module")
def judged(surveys):
    return {
        table: {file: judge(CONTRACTS[table], frame) for file, frame in files.items()}
        for table, files in surveys.items()
    }


@pytest.fixture(scope="module")
def household(tmp_path_factory):
    """A good row of `hhinfo`, from a sample without faults, in which nothing is missing."""
    folder = tmp_path_factory.mktemp("sample")
    truth = generate(folder, households=1500, dirt=Dirt.none())
    rows = pl.concat([read(folder / drop.key) for drop in truth.drops if drop.dataset == "hhinfo"])
    complete = rows.drop_nulls(["foodshortage_months", "fies_score", "total_income_lcu_per_year", "land_owned_ha"])
    return complete.head(1)


@pytest.mark.parametrize("table", TABLES)
def test_the_columns_of_every_real_file_are_declared_in_their_order(surveys, table):
    for frame in surveys[table].values():
        assert [normal_name(name) for name in frame.columns] == list(CONTRACTS[table].columns)


@pytest.mark.parametrize(
    ("table", "rows", "bad"), [("crop", 18422, 20), ("hhinfo", 2815, 14), ("lstk", 5306, 0), ("lstk_prod", 3728, 4)]
)
def test_all_real_rows_are_good_but_a_handful_that_are_impossible(judged, table, rows, bad):
    valid = sum(one.valid.height for one in judged[table].values())
    assert (valid, sum(one.bad.height for one in judged[table].values())) == (rows - bad, bad)


@pytest.mark.parametrize("table", TABLES)
def test_no_real_drop_comes_near_being_refused_as_a_whole(judged, table):
    contract = CONTRACTS[table]
    shares = [one.bad.height / max(1, one.bad.height + one.valid.height) for one in judged[table].values()]
    assert max(shares) < contract.policy.max_bad_share / 2


@pytest.mark.parametrize(
    ("table", "hhid", "rule"),
    [
        ("crop", "bf_cw2_2015_16_1", "within_yield"),  # 31 million tonnes of groundnuts
        ("crop", "vn_nt1_2019_78_1", "within_yield"),  # 81 t of rice on 0.1 ha
        ("crop", "rw_oaf_2018_1312_1", "within_yield"),  # 80 t of beans on 0.3 ha
        ("crop", "tz_glv_2017_580_1", "within_yield"),  # 467 t of cotton on 0.8 ha
        ("crop", "cd_lgs_2019_67_1", "land_area_ha at_most"),  # 1,200 ha that gave 400 kg of cassava
        ("hhinfo", "bf_cw2_2015_16_1", "harvest_of_its_land"),
        ("hhinfo", "bf_ta4_2018_227_1", "hh_size_members at_most"),  # 96 members
        ("hhinfo", "mw_cfg_2015_45_1", "plausible_diet"),  # 140,000 kcal per member and day
        ("lstk_prod", "bf_sil_2016_97_1", "harvest_kg at_most"),  # 562 t of sheep
    ],
)
def test_what_no_one_believes_is_set_aside_with_its_reason(judged, table, hhid, rule):
    found = {
        raw: why
        for one in judged[table].values()
        for raw, why in zip(one.bad["raw"], reasons(one), strict=True)
        if raw == hhid
    }
    assert rule in found[hhid]


@pytest.mark.parametrize(
    ("table", "hhid"),
    [
        ("hhinfo", "ml_ta3_2017_189_1"),  # a compound of 76 people
        ("hhinfo", "bi_clp_2018_288_1"),  # a farm of 375 ha
        ("crop", "ke_cm2_2016_130_1"),  # 100 t of sugar cane
        ("crop", "ug_nt1_2019_133_1"),  # 150 t of sugar cane on 5 ha
        ("crop", "cr_ind_2017_100_1"),  # 750 t of cassava on 21 ha
        ("hhinfo", "cr_ind_2017_100_1"),
        ("crop", "sl_ifd_2018_20_1"),  # 280 t of oil palm fruit on 19 ha
        ("lstk", "in_gef_2019_159_1"),  # a pond of 30,000 fish
        ("lstk", "tz_glv_2017_697_1"),  # a herd of 615 cattle
    ],
)
def test_what_is_rare_but_real_is_kept(judged, table, hhid):
    assert all(hhid not in one.bad["raw"] for one in judged[table].values())
    assert any(hhid in one.valid["hhid"] for one in judged[table].values())


@pytest.mark.parametrize(
    ("crop", "area", "harvest", "good"),
    [
        ("sugarcane", "3", "360000", True),  # 120 t/ha
        ("Sugar cane", "0.5", "60000", True),
        ("sugarcane", "3", "900000", False),
        ("cassava", "4", "160000", True),  # 40 t/ha
        ("cassava", "0.2", "110000", False),
        ("CASSAVA ", None, "300000", True),
        ("cassava", None, "600000", False),
        ("maize", "1", "29000", True),
        ("maize", "1", "42000", False),
        ("maize", "0", "29000", True),
        ("maize", "200", "900000", True),
        ("sesame", "1", "9000", False),
        ("an unheard-of tuber", "1", "200000", True),
        ("an unheard-of tuber", "1", "300000", False),
        ("maize", None, None, True),
    ],
)
@pytest.mark.parametrize("column", ["harvest_kg", "sold_kg"])
def test_how_heavy_a_harvest_may_be_depends_on_the_crop_and_its_area(crop, area, harvest, good, column):
    names = list(CONTRACTS["crop"].columns)
    row = dict.fromkeys(names) | {"hhid": "a_2019_1", "name": crop, "land_area_ha": area, column: harvest}
    found = reasons(judge(CONTRACTS["crop"], pl.DataFrame([row], schema=dict.fromkeys(names, pl.String))))
    assert found == ([] if good else [{"within_yield"}])


@pytest.mark.parametrize(
    ("land", "harvest", "good"),
    [
        ("5", "500000", True),
        ("1", "290000", True),
        (None, "290000", True),
        ("3", "400000", False),
        (None, "9e5", False),
    ],
)
def test_how_heavy_all_crops_may_be_depends_on_the_land(household, land, harvest, good):
    cells = {"land_cultivated_ha": land, "crop_harvest_kg": harvest, "farm_harvest_kg": harvest}
    changed = household.with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in cells.items())
    assert reasons(judge(CONTRACTS["hhinfo"], changed)) == ([] if good else [{"harvest_of_its_land"}])


@pytest.mark.parametrize("survey", WRONG_FACTOR)
def test_a_survey_with_a_wrong_conversion_factor_is_loaded_all_the_same(judged, survey):
    (one,) = [one for file, one in judged["hhinfo"].items() if file.parent.name == survey]
    assert one.valid.height >= 0.95 * (one.valid.height + one.bad.height)


@pytest.mark.parametrize("table", TABLES)
def test_pandera_agrees_with_the_intake_on_the_real_rows(judged, table):
    contract = CONTRACTS[table]
    valid = pl.concat(one.valid for one in judged[table].values()).select(*contract.columns)
    assert contract.schema.validate(valid).height == valid.height


def test_repeated_crops_belong_to_the_totals_of_their_household(surveys):
    crops = pl.concat(surveys["crop"].values())
    repeated = crops.filter(pl.struct("hhid", "name").is_duplicated())["hhid"].unique()
    kilograms = pl.col("harvest_kg").cast(pl.Float64)
    summed = crops.group_by("hhid").agg(kilograms.sum())
    stated = pl.concat(surveys["hhinfo"].values()).select("hhid", pl.col("crop_harvest_kg").cast(pl.Float64))
    both = summed.join(stated, on="hhid").filter(pl.col("hhid").is_in(repeated.implode()))
    assert len(repeated) == 135
    assert both.filter((pl.col("harvest_kg") - pl.col("crop_harvest_kg")).abs() > 0.01).is_empty()


@pytest.mark.parametrize(
    ("cells", "rule"),
    [
        ({"id_form": "xx_abc_2019", "year": "2019"}, "hhid_of_survey"),
        ({"year": "2011"}, "year_of_survey"),
        ({"gps_lat": None}, "whole_position"),
        ({"hh_size_members": "1", "hh_size_mae": "3.5"}, "adults_within_members"),
        ({"foodshortage_months": "jan feb mar", "foodshortage_count": "2"}, "months_counted"),
        ({"foodshortage_months": "jan no_answer", "foodshortage_count": "1"}, "months_counted"),
        ({"farm_products_consumed_calories_kcal_per_hh_per_year": "9e9"}, "plausible_diet"),
        ({"hdds_score": "10", "HDDS_G4_Milk": "0"}, "hdds_adds_up"),
        ({"fies_score": "8", "FIES_8_SkipDay": "0"}, "fies_adds_up"),
        ({"total_income_lcu_per_year": "1e11"}, "income_adds_up"),
        ({"value_farm_products_consumed_lcu_per_hh_per_year": "1e11"}, "consumption_adds_up"),
        ({"farmhdds_score": "0", "FARMHDDS_G1_Grains_Roots_Tubers": "1"}, "farmhdds_adds_up"),
        ({"crop_harvest_kg": "10", "crop_sold_kg": "11"}, "crops_sold_within_harvest"),
        ({"lstk_harvest_kg": "10", "lstk_sold_kg": "11"}, "products_sold_within_harvest"),
        ({"hfias_status": "hungry"}, "hfias_status allowed"),
        ({"currency_conversion_lcu_to_ppp": "0"}, "currency_conversion_lcu_to_ppp at_least"),
        ({"hh_size_members": "0", "hh_size_mae": "0"}, "hh_size_members at_least"),
        ({"HDDS_G4_Milk": "sometimes"}, "hdds_g4_milk type"),
    ],
)
def test_cells_that_contradict_each_other_are_told_by_the_name_of_the_rule(household, cells, rule):
    assert reasons(judge(CONTRACTS["hhinfo"], household)) == []
    changed = household.with_columns(pl.lit(value, dtype=pl.String).alias(name) for name, value in cells.items())
    (found,) = reasons(judge(CONTRACTS["hhinfo"], changed))
    assert rule in found


@pytest.mark.parametrize("missing", ["", "NA", "no_answer", None])
def test_texts_for_no_answer_are_missing_where_the_column_is_numeric(household, missing):
    changed = household.with_columns(land_owned_ha=pl.lit(missing, dtype=pl.String))
    judged = judge(CONTRACTS["hhinfo"], changed)
    assert judged.valid["land_owned_ha"].to_list() == [None]


def test_a_survey_that_asked_nearly_nothing_is_good(household):
    asked = household.select("hhid", "id_form", "year", "country", "hdds_score", "total_income_lcu_per_year")
    assert judge(CONTRACTS["hhinfo"], asked).valid.height == 1


def test_a_household_of_another_survey_is_also_wrong_to_pandera(household):
    typed = judge(CONTRACTS["hhinfo"], household).valid.select(*CONTRACTS["hhinfo"].columns)
    with pytest.raises(pandera.errors.SchemaError, match="hhid_of_survey"):
        CONTRACTS["hhinfo"].schema.validate(typed.with_columns(id_form=pl.lit("xx_abc_2019")))


@pytest.mark.parametrize("table", TABLES)
def test_whatever_holds_money_energy_or_sales_says_what_it_measures(table):
    contract = CONTRACTS[table]
    telling = ("_lcu", "_usd", "kcal", "calories", "sold", "consumed", "income", "value")
    exempt = {"currency_conversion_lcu_to_ppp"}
    for name in contract.columns.keys() - exempt:
        if any(word in name for word in telling):
            assert contract.metadata(name)["measures"] in ("income", "consumption"), name


def test_who_and_where_people_are_is_marked_personal():
    marked = {
        (table, name)
        for table in TABLES
        for name in CONTRACTS[table].columns
        if CONTRACTS[table].metadata(name)["personal"]
    }
    places = {("hhinfo", name) for name in ("sublocation", "gps_lat", "gps_lon")}
    assert marked == {(table, "hhid") for table in TABLES} | places


@pytest.mark.parametrize("table", TABLES)
def test_every_quantity_has_a_unit_and_every_column_a_description(table):
    contract = CONTRACTS[table]
    for name, spec in contract.columns.items():
        assert spec.description.endswith("."), name
        is_number = contract.types()[name] in (pl.Float64, pl.Int64)
        assert bool(contract.metadata(name)["unit"]) == is_number or name == "year", name
