"""The countries of the sample: rough figures of real ones, near those in published RHoMIS surveys."""

from dataclasses import dataclass

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True)
class Crop:
    """Typical yield (kg/ha), price at purchasing power (USD PPP/kg), energy (kcal/kg), share of it usually sold."""

    yield_kg_per_ha: float
    price_usd_per_kg: float
    kcal_per_kg: float
    sold: float


CROPS = {
    "amaranth": Crop(1500, 0.6, 230, 0.3),
    "banana": Crop(3500, 0.3, 890, 0.3),
    "beans": Crop(500, 1.1, 3330, 0.25),
    "cabbage": Crop(6000, 0.35, 250, 0.6),
    "cassava": Crop(4000, 0.25, 1600, 0.2),
    "coffee": Crop(400, 2.2, 0, 0.95),
    "cotton": Crop(700, 0.9, 0, 1.0),
    "cowpea": Crop(350, 1.0, 3430, 0.25),
    "groundnut": Crop(600, 1.1, 5670, 0.4),
    "maize": Crop(1100, 0.45, 3650, 0.2),
    "mango": Crop(2500, 0.4, 600, 0.4),
    "millet": Crop(650, 0.5, 3780, 0.1),
    "okra": Crop(1200, 0.7, 330, 0.4),
    "onion": Crop(5000, 0.6, 400, 0.7),
    "pigeon_pea": Crop(450, 1.0, 3430, 0.3),
    "potato": Crop(5000, 0.4, 770, 0.4),
    "rice": Crop(1800, 0.7, 3600, 0.25),
    "sesame": Crop(350, 1.8, 5730, 0.8),
    "sorghum": Crop(750, 0.5, 3390, 0.1),
    "sugarcane": Crop(20_000, 0.03, 0, 0.9),
    "sweet_potato": Crop(3500, 0.3, 860, 0.2),
    "teff": Crop(900, 1.0, 3670, 0.3),
    "tomato": Crop(5000, 0.5, 180, 0.7),
    "vegetables": Crop(2500, 0.5, 300, 0.4),
    "wheat": Crop(1400, 0.6, 3390, 0.3),
}


@dataclass(frozen=True)
class Country:
    """`factor` is the price of one USD PPP in local currency in 2019, `inflation` how it grows in a year; `wealth`
    shifts the logarithm of what households earn; the most grown crops come first."""

    code: str
    name: str
    large_region: str
    factor: float
    inflation: float
    members: float
    wealth: float
    latitude: tuple[float, float]
    longitude: tuple[float, float]
    farming_system: str
    koeppen: str
    regions: tuple[str, ...]
    crops: tuple[str, ...]


SAHEL = (
    "sorghum",
    "millet",
    "maize",
    "cowpea",
    "groundnut",
    "sesame",
    "rice",
    "cotton",
    "okra",
    "onion",
    "mango",
    "vegetables",
)
EAST = (
    "maize",
    "beans",
    "cassava",
    "sweet_potato",
    "banana",
    "sorghum",
    "groundnut",
    "coffee",
    "tomato",
    "cabbage",
    "amaranth",
    "sugarcane",
)
HIGHLAND = (
    "wheat",
    "teff",
    "maize",
    "potato",
    "beans",
    "sorghum",
    "onion",
    "cabbage",
    "coffee",
    "tomato",
    "vegetables",
)
SOUTH = (
    "maize",
    "groundnut",
    "cassava",
    "sweet_potato",
    "beans",
    "pigeon_pea",
    "cotton",
    "sorghum",
    "tomato",
    "okra",
    "mango",
)
GULF = ("maize", "cassava", "rice", "groundnut", "cowpea", "sorghum", "millet", "okra", "tomato", "onion", "mango")
ASIA = ("rice", "wheat", "maize", "potato", "pigeon_pea", "onion", "tomato", "sesame", "okra", "mango", "vegetables")
ANDES = ("maize", "potato", "beans", "coffee", "wheat", "banana", "cassava", "onion", "tomato", "cabbage", "vegetables")

SAVANNA, STEPPE = "Aw Tropical, savannah", "BSh Arid, steppe, hot"
MONSOON, UPLAND = "Cwa Temperate, dry winter, hot summer", "Cwb Temperate, dry winter, warm summer"
WEST, EASTERN, ASIAN, LATIN = "Western Africa", "Eastern Africa", "South+East Asia", "Latin America"
AGRO, MIXED, CEREAL = "11. Agro-pastoral", "9. Maize mixed", "8. Cereal-root crop mixed"
PERENNIAL, HIGH = "5. Highland perennial", "6. Highland mixed"

# fmt: off
COUNTRIES = (
    Country("bf", "burkina_faso", WEST, 208.0, 0.01, 9.0, -0.45, (9.8, 14.2), (-5.0, 1.5), AGRO, STEPPE,
            ("hauts bassins", "nord", "centre_ouest", "est"), SAHEL),
    Country("tz", "tanzania", EASTERN, 893.0, 0.04, 6.0, 0.0, (-10.5, -2.5), (31.0, 39.0), MIXED, SAVANNA,
            ("arusha", "morogoro", "iringa", "mbeya"), EAST),
    Country("rw", "rwanda", EASTERN, 318.0, 0.03, 4.8, -0.35, (-2.7, -1.2), (29.0, 30.8), PERENNIAL, UPLAND,
            ("eastern _province", "southern_ province", "western_ province"), EAST),
    Country("et", "ethiopia", EASTERN, 10.4, 0.11, 6.2, 0.15, (5.5, 13.5), (36.0, 41.0), HIGH, UPLAND,
            ("oromia", "amhara", "tigray", "snnpr"), HIGHLAND),
    Country("in", "india", ASIAN, 21.1, 0.03, 5.8, 0.1, (18.0, 28.0), (73.0, 87.0), "", MONSOON,
            ("rajasthan", "bihar", "madhya_pradesh", "assam"), ASIA),
    Country("ke", "kenya", EASTERN, 41.9, 0.02, 5.6, 0.1, (-4.0, 1.5), (34.0, 40.0), MIXED, SAVANNA,
            ("kisumu", "makueni", "vihiga"), EAST),
    Country("gh", "ghana", WEST, 2.03, 0.07, 6.5, 0.0, (5.5, 11.0), (-3.0, 0.5), CEREAL, SAVANNA,
            ("savannah", "upper_west", "ashanti"), GULF),
    Country("ml", "mali", WEST, 215.0, 0.01, 12.0, 0.1, (11.0, 15.0), (-8.0, -3.0), AGRO, STEPPE,
            ("sikasso", "segou", "mopti"), SAHEL),
    Country("zm", "zambia", EASTERN, 4.65, 0.05, 6.5, -0.2, (-17.0, -10.0), (24.0, 32.5), MIXED, MONSOON,
            ("eastern", "southern", "northern"), SOUTH),
    Country("ne", "niger", WEST, 256.0, 0.01, 8.5, -0.6, (12.0, 15.0), (0.5, 9.0), AGRO, STEPPE,
            ("dosso", "maradi", "tillaberi"), SAHEL),
    Country("mw", "malawi", EASTERN, 275.0, 0.1, 5.0, -0.4, (-17.0, -10.0), (33.0, 35.5), MIXED, MONSOON,
            ("central", "southern", "northern"), SOUTH),
    Country("ng", "nigeria", WEST, 135.0, 0.08, 8.0, 0.45, (8.0, 13.0), (4.0, 13.0), CEREAL, SAVANNA,
            ("kaduna", "kano", "benue"), GULF),
    Country("ug", "uganda", EASTERN, 1311.0, 0.03, 6.2, 0.1, (-1.0, 3.5), (29.8, 34.5), PERENNIAL, SAVANNA,
            ("central", "western", "northern"), EAST),
    Country("vn", "vietnam", ASIAN, 7531.0, 0.02, 4.5, 0.7, (12.0, 22.0), (104.0, 108.5), "", MONSOON,
            ("son la", "dak lak", "quang tri"), ASIA),
    Country("pe", "peru", LATIN, 1.8, 0.02, 4.6, 0.2, (-15.0, -5.0), (-79.0, -70.0), "", UPLAND,
            ("cusco", "puno", "san_martin"), ANDES),
    Country("gt", "guatemala", LATIN, 3.9, 0.02, 5.5, -0.3, (14.0, 16.0), (-92.0, -89.0), "", UPLAND,
            ("chiquimula", "huehuetenango", "alta_verapaz"), ANDES),
)
# fmt: on
