"""Pictures: small, readable as PNG, and made without a display."""

import base64

from fields import LEVELS

from lastmile.learning import plots


def assert_small_png(png: bytes) -> None:
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000


def test_pictures_are_small_pngs() -> None:
    assert_small_png(plots.confusion(LEVELS, [[5, 1, 0], [2, 3, 1], [0, 0, 0]]))
    assert_small_png(plots.importance({f"feature_{number}": number / 100 - 0.05 for number in range(40)}))
    assert_small_png(plots.shares("Fields", {"a": [1, 2, 3], "b": [0, 0, 0]}, LEVELS, plots.level_colours(3), "fields"))


def test_a_picture_is_put_inline() -> None:
    markdown = plots.as_markdown(b"png", "a title")
    assert markdown == f"![a title](data:image/png;base64,{base64.b64encode(b'png').decode()})"


def test_every_level_has_a_colour_of_its_own_however_many_there_are() -> None:
    assert plots.level_colours(2) == plots.LEVEL_COLOURS[:2]
    assert len(set(plots.level_colours(9))) == 9
