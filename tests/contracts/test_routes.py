"""Where alerts go is declared in one file of the assets, which costs itself alone where it cannot be used."""

import sys
from datetime import timedelta

import pytest

from lastmile.contracts import Route
from lastmile.contracts.loading import load_routes


@pytest.fixture
def assets(tmp_path, monkeypatch):
    """Writes a package of assets with such a file; its name."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(name, text=None):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
        if text is not None:
            (tmp_path / name / "alerting.py").write_text(f"from lastmile.contracts import Route\n{text}\n")
        return name

    yield write
    for name in [name for name in sys.modules if name.startswith("routes_")]:
        del sys.modules[name]


def test_routes_come_in_declared_order(assets):
    routes, broken = load_routes(assets("routes_two", 'routes = (Route(owner="a"), Route(channels=("b",)))'))
    assert routes == (Route(owner="a"), Route(channels=("b",)))
    assert broken == []


def test_without_the_file_there_are_none(assets):
    assert load_routes(assets("routes_none")) == ((), [])


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("routes_raise", "1 / 0", "line 2: ZeroDivisionError"),
        ("routes_text", 'routes = ("mail",)', "a tuple of Route"),
        ("routes_word", 'routes = (Route(channels="mail"),)', "tuples of names"),
        ("routes_half", 'routes = (Route(escalate_to=("phone",)),)', "declared together"),
        ("routes_severe", 'routes = (Route(severity="fatal"),)', "expected one of info, warning, critical"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(assets, name, text, why):
    routes, (broken,) = load_routes(assets(name, text))
    assert routes == ()
    assert broken.file == f"{name}/alerting.py"
    assert why in broken.why


def test_those_of_the_project_cover_every_owner():
    routes, broken = load_routes("assets")
    assert broken == []
    assert routes[-1].owner == "*"
    assert any(one.escalate_after == timedelta(minutes=30) for one in routes)
