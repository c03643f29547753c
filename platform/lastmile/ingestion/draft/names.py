"""What the header of a column says about it: a name that SQL and Python take, a unit, a range, whether it is personal.

Only words of the header are looked at, in the languages of field forms (English, French, Spanish, Portuguese). What is
found is a proposal: the person who reads the draft knows better.
"""

import keyword
import re
import unicodedata
from collections.abc import Callable

import pandera.polars as pa

from lastmile.contracts.names import COLUMN_NAME

#: Characters of a name in Postgres.
LONGEST_NAME = 63
#: Names that a column would hide from the lines below it: attributes of a pandera model, types, `field`; and one that
#: looks like a digit.
_RESERVED = {
    *keyword.kwlist,
    *keyword.softkwlist,
    *(name.lower() for name in dir(pa.DataFrameModel)),
    "config",
    "l",
    "dt",
}
_RESERVED |= {"str", "int", "float", "bool", "list", "field"}

#: Signs of a header in the name of its column.
SIGNS = {
    "%": "pct",
    "<": "under",
    ">": "over",
    "≤": "up to",
    "≥": "from",
    "=": "is",
    "+": "plus",
    "&": "and",
    "€": "euro",
    "$": "dollar",
    "£": "pound",
}
_PERCENT = {"pct", "percent", "percentage", "perc"}
UNITS = {
    **{word: word for word in ("kg", "km", "cm", "mm", "ha", "kcal", "lcu", "usd", "eur", "kwh", "mg")},
    "litres": "l",
    "liters": "l",
    "hectares": "ha",
    "acres": "acres",
    "celsius": "°C",
    "days": "days",
    "hours": "hours",
    "minutes": "minutes",
    "months": "months",
    "years": "years",
}


def _set(text: str) -> set[str]:
    return set(text.split())


_PARTS_OF_TIME = {"day", "year", "month", "week"}
#: Ranges that hold for whatever goes by the name.
RANGES: dict[str, tuple[int, int]] = {
    **dict.fromkeys(_PERCENT, (0, 100)),
    **dict.fromkeys(("lat", "latitude"), (-90, 90)),
    **dict.fromkeys(("lon", "lng", "long", "longitude"), (-180, 180)),
    "month": (1, 12),
    "hour": (0, 23),
}
#: Of these, those that mean something else behind other words (`diet_last_month`).
_ALONE = {"month", "hour"}
#: Words for what is counted or weighed, and so never negative.
_AMOUNTS = _set(
    "age amount area bought consumed count distance duration harvest height length members n nb number num "
    "persons pieces population produced production rain rainfall salary size sold weight "
    "width yield"
)
_UNITS_OF_AMOUNTS = {"kg", "km", "cm", "mm", "ha", "kcal", "kwh", "mg", "l", "acres"}
_TIMES = {"days", "hours", "minutes", "months", "years"}

_PERSONAL = _set(
    "address adresse birth birthdate birthday cellphone correo direccion dob email endereco firstname fullname gps "
    "latitude longitude lat lon lng lastname mail mobile nombre nom passport phone phonenumber postcode prenom "
    "respondent signature ssn surname tel telefon telefone telefono telephone username whatsapp zip zipcode apellido "
    "contact iban nin"
)
#: Whose numbers and names are personal.
_PERSONS = _set(
    "applicant beneficiary caregiver case child client customer employee enumerator family farmer head hh hhh "
    "household interviewer member national parent participant patient person respondent student subject supervisor "
    "tax user voter worker"
)
_NUMBERS = {"id", "ids", "no", "nr", "number", "num", "code", "key", "uuid", "name", "names", "ref"}
#: Words for what names a thing by digits: no quantity, so it stays text.
_IDENTIFIERS = {"id", "ids", "code", "key", "uuid", "ref", "phone", "tel", "mobile", "zip", "zipcode", "postcode"}
_YES_OR_NO = {"is", "has", "had", "was", "yn", "yesno", "flag", "consent", "any", "owns", "bool"}


def words(header: str) -> list[str]:
    """The words of a header in lower-case ASCII, those of `unitPrice` too."""
    plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return re.findall(r"[a-z]+|[0-9]+", parted.lower())


def column_name(header: str) -> str:
    """A name for a column that SQL needs no quotes for and that may stand in a pandera model."""
    plain = unicodedata.normalize("NFKD", _spelled(header)).encode("ascii", "ignore").decode()
    parted = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]+$)", "_", plain)
    name = re.sub(r"[^a-z0-9]+", "_", parted.lower()).strip("_")
    name = name if name[:1].isalpha() else f"column_{name}".rstrip("_")
    name = name[:LONGEST_NAME].rstrip("_")
    if name in _RESERVED or not COLUMN_NAME.fullmatch(name):
        return f"{name[: LONGEST_NAME - 6]}_value"
    return name


def _spelled(header: str) -> str:
    """With signs that tell columns apart as words, so that `harvest %` is not called as `harvest` would be."""
    return "".join(f" {SIGNS[sign]} " if sign in SIGNS else sign for sign in header)


def distinct_name(header: str, is_free: Callable[[str], bool]) -> str:
    """As `column_name`, with a number behind it where that is not free."""
    name = column_name(header)
    numbered = (f"{name[: LONGEST_NAME - 4]}_{number}" for number in range(2, 10_000))
    return name if is_free(name) else next(filter(is_free, numbered))


def unit(header: str) -> str | None:
    """The unit a header ends with (`harvest_kg`, `income_lcu_per_year`)."""
    found = words(header)
    if len(found) > 2 and found[-2] in ("per", "a") and found[-1] in _PARTS_OF_TIME and found[-3] in UNITS:
        return f"{UNITS[found[-3]]}/{found[-1]}"
    if len(found) < 2 or found[-2] == "per":
        return None
    return "%" if _PERCENT & set(found) else UNITS.get(found[-1])


def value_range(header: str) -> tuple[int | None, int | None]:
    """The bounds that any value under this header keeps, as far as its words say so."""
    found = words(header)
    if found[-1:] and found[-1] in RANGES and (len(found) == 1 or found[-1] not in _ALONE):
        return RANGES[found[-1]]
    is_amount = bool(_AMOUNTS & set(found)) or unit(header) in _UNITS_OF_AMOUNTS | _TIMES
    return (0 if is_amount else None), None


def is_identifier(header: str) -> bool:
    """Whether it names things, so that its digits are no quantity."""
    found = words(header)
    return bool(_IDENTIFIERS & set(found)) or "".join(found) in ("hhid", "barcode", "msisdn", "imei", "iban", "ssn")


def is_personal(header: str) -> bool:
    """Whether it names a person or household, or how to find one."""
    found = words(header)
    named, joined = set(found), "".join(found)
    of_person = bool(_PERSONS & named) and bool(_NUMBERS & named)
    of_birth = "birth" in named or joined in ("dob", "datenaissance")
    return of_person or of_birth or bool(_PERSONAL & named) or joined in ("hhid", "farmerid", "customerid", "patientid")


def is_yes_or_no(header: str) -> bool:
    """Whether it asks what is answered by yes or no, so that its 0 and 1 are no counts."""
    found = words(header)
    return bool(found) and (found[0] in _YES_OR_NO or found[-1] in _YES_OR_NO)
