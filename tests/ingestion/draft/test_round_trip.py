"""Whatever a draft is made from loads with it: random tables, generated drops, and real files."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from drafts import drafted, is_clean, loaded, of_sources, text_of
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from assets.household_survey.sample import generate
from assets.retail.sample import generate_shop
from lastmile.contracts.casts import NumberFormat
from lastmile.errors import UserError
from lastmile.ingestion.draft import draft, of_frames
from lastmile.ingestion.draft.check import contract_of
from lastmile.ingestion.draft.render import literal
from lastmile.ingestion.validation import Plan
from lastmile.sampling import Dirt

WORDS = st.sampled_from(
    ["", "NA", "-99", "n/a", "yes", "no", "1", "0", "maize", "maize beans", "KE", "None", "-", "1,5", "{}"]
)
CELLS = st.one_of(
    WORDS,
    st.text(max_size=12),
    st.integers(-(10**18), 10**18).map(str),
    st.floats(allow_nan=False).map(str),
    st.dates().map(str),
    st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
    st.datetimes().map(str),
    st.times().map(str),
)
KINDS = st.sampled_from(
    [
        WORDS,
        CELLS,
        st.integers(-20, 20).map(str),
        st.floats(-1e6, 1e6).map(lambda value: f"{value:.2f}"),
        st.floats(-1e6, 1e6).map(lambda value: f"{value:,.2f}"),
        st.dates().map(lambda day: day.strftime("%d/%m/%Y")),
        st.datetimes().map(lambda moment: moment.isoformat()),
    ]
)
HEADERS = st.text(min_size=1, max_size=20)


#: Without shrinking: a table that fails is small as it is, and shrinking it takes minutes.
TRIED = {
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": [Phase.explicit, Phase.generate],
}


@st.composite
def tables(drawn) -> pl.DataFrame:
    headers = drawn(st.lists(HEADERS, min_size=1, max_size=6, unique=True))
    height = drawn(st.integers(1, 30))
    columns = {}
    for header in headers:
        cells = drawn(KINDS)
        columns[header] = drawn(st.lists(st.one_of(cells, st.none()), min_size=height, max_size=height))
    return pl.DataFrame(columns, schema=dict.fromkeys(headers, pl.String))


@settings(max_examples=25, **TRIED)
@given(tables())
def test_a_random_table_loads_with_its_draft_or_is_refused(table):
    source = of_frames("a table", table.columns, lambda: [table])
    try:
        contract = of_sources([source])
    except UserError as error:
        assert "NUL" in str(error) or "columns with names" in str(error)  # noqa: PT017  (both ends are right)
        return
    for batch in source.open(contract).batches():
        assert Plan(contract, table.columns, NumberFormat()).validate(batch).bad.is_empty()


def test_a_cell_with_a_nul_character_is_refused_with_its_column():
    table = pl.DataFrame({"id": ["a", "b"], "Remark": ["fine", "\0"]})
    with pytest.raises(UserError, match="cells of 'Remark' hold NUL characters"):
        of_sources([of_frames("a table", table.columns, lambda: [table])])


def test_a_header_with_a_nul_character_is_refused():
    table = pl.DataFrame({"id": ["a", "b"], "Re\0mark": ["fine", "good"]})
    with pytest.raises(UserError, match="NUL characters"):
        of_sources([of_frames("a table", table.columns, lambda: [table])])


def test_no_character_that_a_draft_writes_as_it_is_looks_like_another_to_ruff():
    characters = (chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF)
    text = "".join(f"    {literal(one)},\n" for one in characters if literal(one) == f'"{one}"')
    command = [Path(sys.executable).with_name("ruff"), "check", "--isolated", "--select", "RUF001,PLE25", "-"]
    done = subprocess.run(command, input=f"ALL = [\n{text}]\n", text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "é" in text
    assert "\ua75a" not in text


@settings(max_examples=15, **TRIED)
@given(tables())
def test_a_draft_is_written_as_ruff_would(table):
    try:
        text = draft([of_frames("a table", table.columns, lambda: [table])], "visits")
    except UserError:
        return
    assert is_clean(text)


def test_generated_surveys_load_with_their_drafts(tmp_path):
    generate(tmp_path, households=300, seed=3, years=range(2021, 2023), dirt=Dirt.none(), surveys=3)
    for table in ("hhinfo", "crop", "lstk", "lstk_prod"):
        files = sorted(tmp_path.rglob(f"{table}.*"))
        text = text_of(*files, name=table)
        contract = contract_of(text)
        good, bad, broken = loaded(contract, *files)
        assert good
        assert (bad, broken) == (0, 0)
        assert is_clean(text)


def test_generated_shop_days_load_with_their_draft(tmp_path):
    from datetime import date

    generate_shop(tmp_path, days=[date(2024, 3, 1), date(2024, 3, 2)], invoices=20, seed=3, dirt=Dirt.none())
    files = sorted(file for file in tmp_path.rglob("*") if file.is_file())
    contract = drafted(*files)
    assert contract.partition.unit == "day"
    assert loaded(contract, *files)[1:] == (0, 0)


@pytest.mark.parametrize(
    "pattern",
    [
        "household_rhomis/year=2015/*/crop.csv",
        "household_rhomis/year=2018/*/lstk_prod.csv",
        "events_online_retail/2010-12-0[1-3].csv",
    ],
)
def test_real_drops_load_with_their_draft(shared_data, pattern):
    files = sorted(shared_data.glob(pattern))
    text = text_of(*files)
    good, bad, broken = loaded(contract_of(text), *files)
    assert good
    assert (bad, broken) == (0, 0)
    assert is_clean(text)


#: Corpora of files made to be misread; the share that must be drafted from, and that every n-th file is tried.
CORPORA = {
    "cases_field": (0.8, 1),
    "nasty_csv_testdata/csv": (0.6, 1),
    "nasty_csv_duckdb": (0.6, 4),
    "nasty_csv_pollock_survey/csv": (0.7, 4),
}


@pytest.mark.parametrize("corpus", CORPORA)
def test_files_made_to_be_misread_load_with_their_draft_or_are_refused(shared_data, corpus):
    share, every = CORPORA[corpus]
    found_files = sorted(file for file in (shared_data / corpus).rglob("*") if file.is_file())
    files = [file for file in found_files if file.suffix not in (".md", "")][::every]
    found = 0
    for file in files:
        try:
            contract = drafted(file)
        except UserError as error:
            assert str(file) in str(error)  # noqa: PT017  (both ends are right)
            continue
        assert loaded(contract, file)[1] == 0, file
        found += 1
    assert found >= share * len(files)
