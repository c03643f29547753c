"""Cells that make a row of a survey table bad for one known reason each."""

from collections.abc import Mapping

from lastmile.sampling.dirt import Faults

#: Tables in which a key comes once, so that a repeated row is a duplicate; a crop may have several plots.
UNIQUE = ("hhinfo", "lstk")

FAULTS: Mapping[str, Faults] = {
    "hhinfo": {
        "wrong_type": (
            {"hh_size_members": "six"},
            {"land_cultivated_ha": "1,5"},
            {"livestock_tlu": "3 cows"},
        ),
        "out_of_range": (
            {"hh_size_members": "960.0"},
            {"gps_lat": "123.4"},
            {"land_cultivated_ha": "22000.0"},
        ),
        "missing_required": (
            {"hhid": None},
            {"country": None},
        ),
        "broken_rule": (
            {"gps_lon": None},
            {"hh_size_mae": "79.0"},
            {"crop_harvest_kg": "10.0", "crop_sold_kg": "500.0"},
        ),
        "coded_missing": (
            {"land_owned_ha": "NA"},
            {"ppi_likelihood": "no_answer"},
            {"travel_time_cities": "-"},
        ),
    },
    "crop": {
        "wrong_type": (
            {"harvest_kg": "4 bags"},
            {"land_area_ha": "half a hectare"},
        ),
        "out_of_range": (
            {"harvest_kg": "31000000000.0"},
            {"land_area_ha": "22000.0"},
            {"income_lcu": "-500.0"},
        ),
        "missing_required": (
            {"hhid": None},
            {"name": None},
        ),
        "broken_rule": ({"harvest_kg": "100.0", "consumed_kg": "90.0", "sold_kg": "60.0"},),
        "coded_missing": (
            {"control_income_female": "NA"},
            {"prop_land_area": "no_answer"},
        ),
    },
    "lstk": {
        "wrong_type": (
            {"n": "many"},
            {"n": "2-3"},
        ),
        "out_of_range": ({"n": "-3"},),
        "missing_required": (
            {"hhid": None},
            {"n": None},
        ),
        "broken_rule": ({"name": "cattle", "n": "50000"},),
        "coded_missing": (),
    },
    "lstk_prod": {
        "wrong_type": (
            {"harvest_kg": "2 litres a day"},
            {"income_lcu": "5000 francs"},
        ),
        "out_of_range": (
            {"harvest_kg": "5000000000.0"},
            {"income_lcu": "-1.0"},
        ),
        "missing_required": (
            {"name": None},
            {"prod": None},
        ),
        "broken_rule": ({"harvest_kg": "10.0", "consumed_kg": "0.0", "sold_kg": "25.0"},),
        "coded_missing": (
            {"control_consumed_female": "NA"},
            {"control_income_female": "no_answer"},
        ),
    },
}
