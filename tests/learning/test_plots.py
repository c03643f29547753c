"""Pictures: small, readable as PNG, and made without a display."""

import base64

from fields import FIELDS

from lastmile.learning import plots


def assert_small_png(png: bytes) -> None:
    assert png.startswith(b"\x89PNG")
    assert len(png) < 100_000


def test_pictures_are_small_pngs() -> None:
    assert_small_png(plots.confusion(FIELDS.levels, [[5, 1, 0], [2, 3, 1], [0, 0, 0]]))
    assert_small_png(plots.importance({f"feature_{number}": number / 100 - 0.05 for number in range(40)}))
    assert_small_png(
        plots.shares("Fields", {"a": [1, 2, 3], "b": [0, 0, 0]}, FIELDS.levels, plots.LEVEL_COLOURS[:3], "fields")
    )


def test_a_picture_is_put_inline() -> None:
    markdown = plots.as_markdown(b"png", "a title")
    assert markdown == f"![a title](data:image/png;base64,{base64.b64encode(b'png').decode()})"
