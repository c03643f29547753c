"""The engine's macros reach a bare `dbt` by a link, which follows the engine and leaves a person's own folder alone."""

import pytest
from checkout import DBT_PROJECT

from lastmile.errors import UserError
from lastmile.warehouse.dbt.engine_macros import INCLUDED, MACROS, link_macros


def test_a_project_without_them_gets_a_link_and_keeps_it(tmp_path):
    link_macros(tmp_path)
    made = (tmp_path / INCLUDED).lstat().st_mtime_ns
    link_macros(tmp_path)
    assert (tmp_path / INCLUDED).resolve() == MACROS.resolve()
    assert (tmp_path / INCLUDED).lstat().st_mtime_ns == made


def test_a_link_to_an_engine_that_is_gone_follows_to_this_one(tmp_path):
    (tmp_path / INCLUDED).symlink_to(tmp_path / "python3.11" / "macros")
    link_macros(tmp_path)
    assert (tmp_path / INCLUDED / "window.sql").is_file()


def test_a_folder_of_one_s_own_is_left_as_it_is(tmp_path):
    (tmp_path / INCLUDED).mkdir()
    link_macros(tmp_path)
    assert list((tmp_path / INCLUDED).iterdir()) == []


def test_a_place_that_cannot_hold_the_link_is_named(tmp_path):
    with pytest.raises(UserError, match=r"cannot make .*/nowhere/lastmile: No such file or directory"):
        link_macros(tmp_path / "nowhere")


def test_the_link_in_this_repository_leads_to_them():
    assert (DBT_PROJECT / INCLUDED).is_symlink()
    assert (DBT_PROJECT / INCLUDED).resolve() == MACROS.resolve()
