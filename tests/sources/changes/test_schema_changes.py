"""A table that gains, loses or changes columns while it is followed."""

import pytest
from followed import COLUMNS, Shop, contract

from lastmile.contracts.fields import column
from lastmile.errors import UserError
from lastmile.sources import runs


def said(shop: Shop) -> list[str]:
    return runs.times(shop.here, "stock", 1)[0]["events"]


def test_a_new_column_becomes_a_column_here_where_the_contract_says_to_add_it(shop: Shop) -> None:
    adding = contract(unknown_columns="add")
    shop.follow(under=adding)
    shop.does("UPDATE stock SET quantity = 1 WHERE article = 1", "ALTER TABLE stock ADD COLUMN shelf text")
    shop.does("UPDATE stock SET shelf = 'B 4' WHERE article = 2")
    shop.follow(under=adding)
    assert shop.shows() == shop.has()
    assert shop.shows("article, shelf")[:3] == [(1, None), (2, "B 4"), (3, None)]
    (sentence,) = said(shop)
    assert sentence == (
        "public.stock has a new column 'shelf': a column here as well; rows that were there before have no value in it"
        " until they change"
    )


def test_a_new_column_is_rescued_where_the_contract_does_not_know_it(shop: Shop) -> None:
    shop.follow()
    shop.does("ALTER TABLE stock ADD COLUMN shelf text DEFAULT 'A 1'")
    shop.does("UPDATE stock SET shelf = 'B 4' WHERE article = 2")
    shop.follow()
    assert shop.shows("article, _rescued")[:2] == [(1, None), (2, {"shelf": "B 4"})]
    assert "has a new column 'shelf': kept in _rescued of changes.stock" in said(shop)[0]


def test_a_new_column_stops_it_where_the_contract_refuses_it_and_nothing_is_lost(shop: Shop) -> None:
    shop.follow(under=contract(unknown_columns="refuse"))
    shop.does("ALTER TABLE stock ADD COLUMN shelf text")
    shop.does("UPDATE stock SET shelf = 'B 4' WHERE article = 2")
    with pytest.raises(UserError, match=r"unknown columns \['shelf'\], and the contract refuses them"):
        shop.follow(under=contract(unknown_columns="refuse"))
    declared = contract(columns={**COLUMNS, "shelf": column(str, "Where it lies.")}, unknown_columns="refuse")
    shop.follow(under=declared)
    assert shop.shows("article, shelf")[:2] == [(1, None), (2, "B 4")]


def test_columns_that_come_and_go_while_nobody_follows_are_read_as_they_were(shop: Shop) -> None:
    adding = contract(unknown_columns="add")
    shop.follow(under=adding)
    shop.does("UPDATE stock SET quantity = 1 WHERE article = 1", "ALTER TABLE stock ADD COLUMN shelf text")
    shop.does("UPDATE stock SET shelf = 'B 4' WHERE article IN (2, 3)")
    shop.does("ALTER TABLE stock DROP COLUMN checked_at", "UPDATE stock SET shelf = 'C 1' WHERE article = 3")
    shop.does("ALTER TABLE stock ADD COLUMN colour text", "ALTER TABLE stock DROP COLUMN shelf")
    shop.does("UPDATE stock SET colour = 'red' WHERE article = 4")
    shop.follow(under=adding)
    assert shop.history("after ->> 'article', after ->> 'shelf', after ->> 'colour'") == [
        ("1", None, None),
        ("2", "B 4", None),
        ("3", "B 4", None),
        ("3", "C 1", None),
        ("4", None, "red"),
    ]
    assert [row[0] is None for row in shop.shows("checked_at, article")] != []
    assert [sentence.split(":")[0] for sentence in said(shop)] == [
        "public.stock has a new column 'shelf'",
        "public.stock has no column 'checked_at' any more",
        "public.stock has a new column 'colour'",
        "public.stock has no column 'shelf' any more",
    ]


def test_a_column_that_is_required_and_gone_stops_it(shop: Shop) -> None:
    required = contract(columns={**COLUMNS, "name": column(str, "Its name.", required=True)})
    shop.follow(under=required)
    shop.does("ALTER TABLE stock RENAME COLUMN name TO title", "UPDATE stock SET title = 'x' WHERE article = 1")
    with pytest.raises(UserError, match=r"required columns \['name'\] are missing"):
        shop.follow(under=required)
    named = contract(columns={**COLUMNS, "name": column(str, "Its name.", required=True, aliases=("title",))})
    shop.follow(under=named)
    assert shop.shows("article, name")[0] == (1, "x")


def test_a_type_that_no_longer_fits_puts_rows_into_quarantine(shop: Shop) -> None:
    shop.follow()
    shop.does("ALTER TABLE stock ALTER quantity TYPE text", "UPDATE stock SET quantity = 'many' WHERE article = 1")
    shop.follow()
    ((key, _, message, *_),) = shop.quarantined()
    assert (key, message) == ('["1"]', "quantity: expected a whole number; found 'many'")


def test_a_column_declared_later_with_another_type_is_refused_with_what_to_do(shop: Shop) -> None:
    shop.follow()
    other = contract(columns={**COLUMNS, "quantity": column(str, "Pieces.")})
    with pytest.raises(UserError, match=r"column quantity of changes\.stock is bigint, and its contract now says text"):
        shop.follow(under=other)
