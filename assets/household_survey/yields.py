"""What a hectare can give of each crop in a year, and so what a household can have harvested.

Bounds, not expectations: about the record of good farms, in fresh weight as farmers count it (cobs, pods and cane, not
dry grain), rounded up. Sources: the highest national yields in FAOSTAT (Crops and livestock products, 2010-2022), times
two, since a farm can have twice its country's mean and several harvests a year; more where records of single farms are
known to be higher. Right to within a factor of two: they are to tell a typing error from a heavy crop, not to judge.
"""

from collections.abc import Mapping

import polars as pl

#: Cane and grass cut several times a year are the heaviest there are; a crop that is not listed may be as heavy.
HEAVIEST_KG_PER_HA = 250_000
#: Areas below are not believed: they are shares of guesses, and half of the rows with a high yield have a tiny one.
SMALLEST_BELIEVED_HA = 1.0
#: Where no area is known, as on a large family farm.
TYPICAL_LARGE_HA = 5.0

_CROPS_BY_KG_PER_HA: Mapping[int, str] = {
    HEAVIEST_KG_PER_HA: "sugarcane sugar_cane fodder napier_grass alfalfa brachiaria sugar_beet trees_timber",
    150_000: "tomato cucumber",
    100_000: "cabbage banana plantain eggplant lettuce carrot zucchini pineapple papaya strawberry",
    80_000: "cassava manioc yuca sweet_potato potato irish_potato yam taro cocoyam enset beetroot turnip radish onion"
    " leek watermelon melon pumpkin squash cauliflower broccoli celery paprika pepper agave",
    60_000: "oil_palm palm_oil orange lemon lime mandarin grapefruit pomelo citrus apple pear peach mango guava avocado"
    " passion_fruit jackfruit grape spinach amaranth kale okra chili_pepper chilli garlic ginger turmeric",
    30_000: "maize corn rice paddy olive coconut coconuts tea coffee green_beans green_peas",
    20_000: "wheat barley sorghum guinea_corn oat oats rye triticale buckwheat cotton groundnut peanut rapeseed"
    " sunflower",
    15_000: "millet finger_millet pearl_millet fonio teff quinoa beans bush_beans climbing_beans common_bean cowpea"
    " pigeon_pea chickpea lentil pea field_pea fava_beans faba_bean soya_bean soybean green_gram mung_bean black_gram"
    " bambara_nut horse_gram lablab cluster_bean linseed mustard_seed tobacco cacao cocoa rubber cashew macadamia",
    8_000: "sesame simsim niger_seed cloves pepper_black cardamom vanilla safflower",
}
HIGHEST_KG_PER_HA: Mapping[str, int] = {
    crop: bound for bound, crops in _CROPS_BY_KG_PER_HA.items() for crop in crops.split()
}


#: What one hectare of any crop can give is no reason to ask which crop it is.
_LIGHTEST_KG = SMALLEST_BELIEVED_HA * min(HIGHEST_KG_PER_HA.values())


def highest_harvest_kg(crop: pl.Expr, area_ha: pl.Expr, harvest_kg: pl.Expr) -> pl.Expr:
    """The heaviest harvest (kg) of a crop, as the survey names it, from an area (ha) that may be unknown.

    Names are compared only of harvests (kg) that are too heavy for some crop, which few are.
    """
    named = pl.when(harvest_kg > _LIGHTEST_KG).then(crop)
    name = named.str.to_lowercase().str.replace_all(r"[^\p{Alphabetic}\p{N}]+", "_").str.strip_chars("_")
    bound = name.replace_strict(HIGHEST_KG_PER_HA, default=HEAVIEST_KG_PER_HA, return_dtype=pl.Float64)
    return bound * area_ha.fill_null(TYPICAL_LARGE_HA).clip(lower_bound=SMALLEST_BELIEVED_HA)
