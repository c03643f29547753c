"""Files that cannot be used cost themselves alone, whatever is wrong with them, and are named with the line."""

from pathlib import Path

import pytest

from lastmile.contracts import load_contracts
from lastmile.contracts.broken import publish, published
from lastmile.contracts.lookup import contract_of
from lastmile.errors import UserError
from lastmile.ingestion.discovery.routing import place_problem

GOOD = """
from datetime import date
import pandera.polars as pa
from lastmile.contracts import Contract, Partition, column

contract = Contract(
    name="{name}", description="Rows.", owner="team:field-data", key={key},
    partition=Partition("year", start=date(2010, 1, 1)),
    schema=pa.DataFrameSchema({{"id": column(str, "Number.", required=True)}}),
)
"""
WRONG = {
    "syntax": ("x = 1\ndef half(:\n", "line 2: SyntaxError: invalid syntax"),
    "unclosed": ("x = (\n", "line 1: SyntaxError: '(' was never closed"),
    "indented": ("if True:\nx = 1\n", "line 2: IndentationError"),
    "absent_module": ("import nowhere_at_all\n", "line 1: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    "absent_name": ("from lastmile.contracts import Contrct\n", "line 1: ImportError: cannot import name 'Contrct'"),
    "raises": ("x = 1\n\nraise RuntimeError('on import')\n", "line 3: RuntimeError: on import"),
    "divides": ("def f():\n    return 1 / 0\n\nf()\n", "line 2: ZeroDivisionError: division by zero"),
    "leaves": ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
    "recursive": ("def f():\n    return f()\nf()\n", "RecursionError"),
    "wrong_name": ("contrct = 3\n", "expected a variable `contract` of type Contract; found None"),
    "wrong_type": (
        "contract = {'name': 'x'}\n",
        "expected a variable `contract` of type Contract; found {'name': 'x'}",
    ),
    "contradictory": (GOOD.format(name="contradictory", key='("nothing",)'), "Misdeclared: contract contradictory"),
    "invalid_name": (GOOD.format(name="no good", key="()"), "Misdeclared: contract no good: ['no good'] must be"),
    "no_arguments": ("from lastmile.contracts import Contract\ncontract = Contract()\n", "line 2: TypeError"),
    "empty": ("", "expected a variable `contract` of type Contract; found None"),
    "uses_another": ("from .syntax_of_another import x\n", "syntax_of_another.py, line 1: SyntaxError"),
}


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package of one domain with these files among its contracts, and its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def declare(package: str, files: "dict[str, str | bytes]") -> str:
        contracts = tmp_path / package / "field" / "contracts"
        contracts.mkdir(parents=True)
        for inside in (contracts, contracts.parent, contracts.parents[1]):
            (inside / "__init__.py").touch()
        for name, source in files.items():
            (contracts / f"{name}.py").write_bytes(source if isinstance(source, bytes) else source.encode())
        return package

    return declare


@pytest.mark.parametrize("wrong", WRONG)
def test_a_broken_contract_costs_itself_alone_and_is_named_with_the_line_and_the_sentence(declare, wrong) -> None:
    source, said = WRONG[wrong]
    files = {"good": GOOD.format(name="good", key="()"), wrong: source}
    if wrong == "uses_another":
        files["syntax_of_another"] = "x = = 1\n"
    contracts = load_contracts(declare(f"loading_{wrong}", files))
    assert list(contracts) == ["good"]
    (broken,) = [one for one in contracts.broken if wrong in one.names]
    assert broken.file == f"loading_{wrong}/field/contracts/{wrong}.py"
    assert said in broken.why
    assert str(broken) == f"contract {broken.file} is left out: {broken.why}"


def test_a_file_that_is_no_text_costs_itself_alone(declare) -> None:
    files = {"good": GOOD.format(name="good", key="()"), "bytes": b"\xff\xfe\x00bad"}
    contracts = load_contracts(declare("loading_bytes", files))
    assert (list(contracts), [one.names for one in contracts.broken]) == (["good"], [("bytes",)])


@pytest.mark.parametrize("where", ["field", "field/contracts"])
def test_a_folder_that_does_not_load_costs_its_own_files(declare, tmp_path: Path, where: str) -> None:
    package = declare(f"loading_in_{where.replace('/', '_')}", {"good": GOOD.format(name="good", key="()")})
    init = tmp_path / package / where / "__init__.py"
    init.write_text("raise ValueError('the folder')\n")
    contracts = load_contracts(package)
    assert contracts == {}
    (broken,) = contracts.broken
    assert broken.file == f"{package}/{where}/__init__.py"
    assert broken.why == "line 1: ValueError: the folder"


def test_of_two_files_that_declare_one_dataset_the_one_called_like_it_counts(declare) -> None:
    same = GOOD.format(name="visits", key="()")
    contracts = load_contracts(declare("loading_twice", {"a_copy": same, "visits": same, "z_copy": same}))
    assert contracts.files == {"visits": "loading_twice/field/contracts/visits.py"}
    assert [one.file.rsplit("/", 1)[-1] for one in contracts.broken] == ["a_copy.py", "z_copy.py"]
    said = "Contract 'visits' is declared in loading_twice/field/contracts/visits.py already"
    assert all(said in one.why for one in contracts.broken)


def test_of_two_files_called_otherwise_the_first_counts(declare) -> None:
    same = GOOD.format(name="visits", key="()")
    contracts = load_contracts(declare("loading_twice_otherwise", {"a": same, "b": same}))
    assert contracts.files == {"visits": "loading_twice_otherwise/field/contracts/a.py"}
    assert [one.file.rsplit("/", 1)[-1] for one in contracts.broken] == ["b.py"]


def test_a_package_that_is_not_there_is_an_error_of_its_own() -> None:
    with pytest.raises(ModuleNotFoundError):
        load_contracts("no_such_package")


def test_a_dataset_whose_contract_is_broken_is_told_from_one_that_nobody_declared(declare) -> None:
    files = {"good": GOOD.format(name="good", key="()"), "file": 'name="visits"\nraise ValueError("no")\n'}
    contracts = load_contracts(declare("loading_asked_for", files))
    with pytest.raises(UserError, match=r"file\.py is left out: line 2: ValueError: no; correct that file"):
        contract_of("visits", contracts)
    with pytest.raises(UserError, match="no dataset 'other'; there are: good"):
        contract_of("other", contracts)
    waits = place_problem("visits", "2020", contracts)
    assert waits is not None
    assert waits.startswith("it is ingested once its contract can be used: line 2: ValueError: no")


def test_what_was_found_is_left_in_the_home_for_commands(declare, tmp_path: Path) -> None:
    assert published(tmp_path / "home") == []
    contracts = load_contracts(declare("loading_published", {"bad": "import nowhere_at_all"}))
    publish(tmp_path / "home", contracts.broken)
    assert published(tmp_path / "home") == contracts.broken
    publish(tmp_path / "home", [])
    assert published(tmp_path / "home") == []
