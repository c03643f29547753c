"""Following the changes of a table of a real Postgres."""

from followed import Shop


def test_all_rows_are_read_first_and_then_what_changes(shop: Shop) -> None:
    first = shop.follow()
    assert (first.state, first.records, shop.shows()) == ("landed", 10, shop.has())
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1", "DELETE FROM stock WHERE article = 2")
    shop.does("INSERT INTO stock VALUES (11, 'new', 1, 2.5, NULL)")
    second = shop.follow()
    assert (second.records, second.requests, shop.shows()) == (3, 2, shop.has())
    assert shop.history() == [("u", "[\"1\"]", "10", "7"), ("d", "[\"2\"]", "20", None), ("c", "[\"11\"]", None, "1")]
