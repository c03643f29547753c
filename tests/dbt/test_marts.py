"""The marts end to end: what was loaded, made by dbt, against the same worked out by hand."""

import pytest

LEVELS = ("On Track", "At Risk", "Struggling", "Severely Struggling")
UNUSABLE = """
SELECT survey_id FROM marts.dim_survey WHERE conversion_check IN ('inconsistent', 'undecided', 'implausible') ORDER BY 1
"""
PARTS = """
SELECT hhid, id_form, total_income_lcu_per_year, value_farm_products_consumed_lcu_per_hh_per_year,
    currency_conversion_lcu_to_ppp, hh_size_members
FROM raw.hhinfo
"""
MADE = """
SELECT hhid, value_ppp_per_person_per_day, vulnerability_level, is_vulnerable, not_computable_reason
FROM marts.fct_household_year
"""
COUNTS = """
SELECT sum(households), sum(computable), sum(on_track), sum(at_risk), sum(struggling), sum(severely_struggling)
FROM marts.summary_country_year
"""


def verdicts(warehouse):
    return dict(warehouse.select("SELECT survey_id, conversion_check FROM marts.dim_survey"))


def test_every_formula_passes_its_unit_tests(built):
    results = built.run("test", "--select", "test_type:unit")
    tested = {test["model"] for test in built.manifest()["unit_tests"].values()}
    nodes = built.manifest()["nodes"].values()
    marts = {node["name"] for node in nodes if node["fqn"][1] == "marts" and node["resource_type"] == "model"}
    assert len(results) == len(built.manifest()["unit_tests"])
    assert marts <= tested


def test_the_metrics_are_what_the_summary_shows(warehouse):
    """Worked out from their declarations, by country and year."""
    for number, income in enumerate((20_000.0, 90_000.0, 100_000.0, 400_000.0, None)):
        warehouse.put_household(2017, f"ml_one_2017_{number}", total_income_lcu_per_year=income)
    warehouse.put_household(2018, "ml_one_2018_1")
    warehouse.run("run")
    (model,) = warehouse.manifest()["semantic_models"].values()
    measures = {measure["name"]: in_sql(measure) for measure in model["measures"]}
    metrics = {metric["name"]: worked_out(metric, measures) for metric in warehouse.manifest()["metrics"].values()}
    columns = ", ".join(f"{sql} AS {name}" for name, sql in metrics.items() if name != "vulnerable")
    found = warehouse.select(f"SELECT {columns} FROM marts.fct_household_year GROUP BY country, survey_year ORDER BY 1")
    names = ", ".join(name for name in metrics if name != "vulnerable")
    assert found == warehouse.select(f"SELECT {names} FROM marts.summary_country_year ORDER BY 1")
    assert len(found) == 2


def in_sql(measure):
    if measure["agg"] == "median":
        return f"percentile_cont(0.5) WITHIN GROUP (ORDER BY {measure['expr']})"
    return f"{measure['agg']}({measure['expr']})"


def worked_out(metric, measures):
    parts = metric["type_params"]
    if metric["type"] == "ratio":
        return " / ".join(f"{measures[parts[part]['name']]}::float8" for part in ("numerator", "denominator"))
    return measures[parts["measure"]["name"]]


def test_a_survey_that_arrives_later_settles_which_of_two_was_right(warehouse):
    """Of a country for which nothing is published."""
    for survey, factor in (("at_clp_2018", 621.38), ("at_snv_2018", 0.6157)):
        warehouse.put_household(
            2018,
            f"{survey}_1",
            id_form=survey,
            country="atlantis",
            currency_conversion_lcu_to_ppp=factor,
            total_income_lcu_per_year=365 * factor,
            value_farm_products_consumed_lcu_per_hh_per_year=0,
        )
    warehouse.run("build", "--exclude-resource-type", "unit_test")
    assert verdicts(warehouse) == {"at_clp_2018": "undecided", "at_snv_2018": "undecided"}
    warehouse.put_household(
        2019, "at_new_2019_1", id_form="at_new_2019", country="atlantis", currency_conversion_lcu_to_ppp=650
    )
    warehouse.run("build", "--exclude-resource-type", "unit_test")
    assert verdicts(warehouse) == {
        "at_clp_2018": "consistent",
        "at_snv_2018": "inconsistent",
        "at_new_2019": "consistent",
    }
    values = (
        "SELECT survey_id, vulnerability_level IS NULL, not_computable_reason IS NULL FROM marts.fct_household_year"
    )
    assert sorted(warehouse.select(values)) == [
        ("at_clp_2018", False, True),
        ("at_new_2019", False, True),
        ("at_snv_2018", True, False),
    ]


def put_survey(warehouse, survey, country, factor, income, households=6):
    """Households of a survey that earn this in a year and eat nothing of their own."""
    for number in range(households):
        warehouse.put_household(
            int(survey[-4:]),
            f"{survey}_{number}",
            id_form=survey,
            country=country,
            currency_conversion_lcu_to_ppp=factor,
            total_income_lcu_per_year=income,
            value_farm_products_consumed_lcu_per_hh_per_year=0,
        )


def found(warehouse):
    """Of each survey its levels, and what is said where there is none."""
    warehouse.run("build", "--exclude-resource-type", "unit_test")
    query = (
        "SELECT survey_id, vulnerability_level, not_computable_reason FROM marts.fct_household_year GROUP BY 1, 2, 3"
    )
    return {survey: (level, reason) for survey, level, reason in warehouse.select(query)}


def test_the_only_survey_of_a_country_is_held_to_the_published_factor(warehouse):
    """In the currency of its year, under any usual name; Vietnamese surveys may state money in thousands of dong."""
    right = {
        "ke_one_2019": ("Kenya", 41.9),
        "cd_one_2017": ("Democratic Republic of the Congo", 645.4),
        "ci_one_2018": ("Côte d'Ivoire", 249.4),
        "zm_one_2012": ("Zambia", 2500.0),
        "mz_one_2019": ("mozambique", 23.4),
        "vn_one_2019": ("Viet Nam", 7531.0),
        "la_one_2019": ("Lao PDR", 2900.0),
        "ve_one_2012": ("venezuela", 3.0),
        "ps_one_2018": ("Palestine", 2.1),
    }
    wrong = {
        "ke_two_2018": ("Tanzania", 4.19),
        "cd_two_2017": ("congo drc", 0.6454),
        "zm_two_2019": ("zambia", 2500.0),
        "zm_two_2012": ("Zambia", 2.5),
        "sl_two_2018": ("sierra leone", 2.5),
        "kh_two_2018": ("Cambodia", 1.0),
        "bi_two_2019": ("bi", 61.5),
        "et_two_2016": ("ethiopia", 80.6),
    }
    for survey, (country, factor) in {**right, **wrong}.items():
        put_survey(warehouse, survey, country, factor, factor * 365 * 2.36)
    surveys = found(warehouse)
    assert {survey: surveys[survey] for survey in right} == dict.fromkeys(right, ("On Track", None))
    assert {level for level, _ in map(surveys.get, wrong)} == {None}
    assert all("published for" in surveys[survey][1] for survey in wrong)


def test_a_survey_whose_households_would_all_be_rich_is_not_believed_where_nothing_else_can_tell(warehouse):
    put_survey(warehouse, "at_one_2018", "atlantis", 0.42, 0.42 * 365 * 236, households=2)
    put_survey(warehouse, "mu_one_2018", "mu", 42, 42 * 365 * 2.36)
    put_survey(warehouse, "ke_one_2018", "kenya", 42, 42 * 365 * 236)
    put_survey(warehouse, "ml_one_2018", "mali", 206, 206 * 365 * 0.001)
    surveys = found(warehouse)
    assert surveys["mu_one_2018"] == ("On Track", None)
    unbelieved = {survey: reason for survey, (level, reason) in surveys.items() if level is None}
    assert set(unbelieved) == {"at_one_2018", "ke_one_2018", "ml_one_2018"}
    assert all("is not possible" in reason for reason in unbelieved.values())
    (check,) = warehouse.select("SELECT count(*) FROM failures.dim_survey_conversion_factor_is_right")
    assert check == (3,)


def test_a_household_with_ten_times_the_factor_of_its_survey_has_no_level(warehouse):
    put_survey(warehouse, "ke_one_2018", "kenya", 42, 42 * 1500)
    warehouse.put_household(
        2018, "ke_one_2018_9", id_form="ke_one_2018", country="kenya", currency_conversion_lcu_to_ppp=420
    )
    assert found(warehouse)["ke_one_2018"]
    query = "SELECT not_computable_reason FROM marts.fct_household_year WHERE hhid = 'ke_one_2018_9'"
    assert warehouse.select(query) == [("conversion factor is not that of the survey's other households",)]


def test_the_real_surveys_with_a_wrong_factor_are_named_and_their_households_held_back(real):
    wrong = ["bi_snv_2019", "cd_clp_2017", "kh_sil_2018", "ps_fao_2018", "sn_ftf_2018", "tz_glv_2017"]
    assert [survey for (survey,) in real.select(UNUSABLE)] == wrong
    loaded, made = real.select(PARTS), {hhid: rest for hhid, *rest in real.select(MADE)}
    assert len(made) == len(loaded) > 2_500
    for hhid, survey, *parts in loaded:
        expected = None if survey in wrong else value_by_hand(*parts)
        value, level, vulnerable, reason = made[hhid]
        assert value == pytest.approx(expected)
        assert (level, vulnerable) == (level_by_hand(expected), vulnerable_by_hand(expected))
        assert ("conversion factor" in (reason or "")) == (survey in wrong)
    by_hand = [sum(level == wanted for _, level, *_ in made.values()) for wanted in LEVELS]
    assert [int(count) for count in real.select(COUNTS)[0]] == [len(made), sum(by_hand), *by_hand]


def value_by_hand(income, consumed, factor, members):
    """PPP$ per person and day; None where a part is missing."""
    if None in (income, consumed, factor, members):
        return None
    return (income + consumed) / factor / 365 / members


def level_by_hand(value):
    if value is None:
        return None
    return "On Track" if value >= 2.15 else "At Risk" if value >= 1.77 else "Struggling" if value >= 1.25 else LEVELS[3]


def vulnerable_by_hand(value):
    return None if value is None else value < 1.77
