"""Pictures: small, well-formed, true to the numbers, and made without a display."""

import base64
from xml.etree import ElementTree

import pytest
from fields import LEVELS
from hypothesis import given
from hypothesis import strategies as some

from lastmile.learning import plots

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = some.lists(some.floats(0, 1), max_size=30)


def boxes(svg, colour):
    """Width and height of the boxes of a colour."""
    found = [box for box in ElementTree.fromstring(svg).iter(f"{SVG}rect") if box.get("fill") == colour]
    return [(float(box.attrib["width"]), float(box.attrib["height"])) for box in found]


def texts(svg):
    return [text.text for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_bar_is_cut_into_the_shares_of_its_parts():
    colours = plots.level_colours(3)
    svg = plots.shares("Fields", {"a": [1, 2, 1], "b": [0, 0, 0]}, LEVELS, colours, "fields")
    ((one, _),), ((two, _),) = boxes(svg, colours[0])[1:], boxes(svg, colours[1])[1:]  # the first is the legend's
    assert two == pytest.approx(2 * one, abs=0.2)
    assert {"Fields", "a", "b", "4", "0", *LEVELS} <= {*texts(svg)}


def test_a_trend_has_a_bar_for_each_value_and_a_line_for_what_is_usual():
    svg = plots.trend("bad rows", [0.1, 0.2, 0.0], 0.1, "drops")
    first, second, none = (height for _, height in boxes(svg, plots.ACCENT))
    assert second == pytest.approx(2 * first, abs=0.2)
    assert none == 0
    assert svg.count(b'stroke-dasharray="5 4"') == 1
    assert plots.trend("bad rows", [], None, "drops").count(b'stroke-dasharray="5 4"') == 0


def test_the_confusion_of_levels_shows_counts_and_shares():
    shown = texts(plots.confusion(LEVELS, [[3, 1, 0], [2, 3, 1], [0, 0, 0]]))
    assert {"75%", "3", "25%", "50%", "0%"} <= {*shown}


def test_the_most_important_inputs_come_first_and_others_are_left_out():
    shown = texts(plots.importance({f"feature_{number}": number / 100 - 0.05 for number in range(40)}))
    names = [text for text in shown if text.startswith("feature")]
    assert names == [f"feature {number}" for number in range(39, 24, -1)]


def test_a_bar_beyond_its_limit_is_red_and_a_limit_that_is_not_known_has_no_mark():
    svg = plots.against_limits("Drift", {"rain": (0.4, 0.2), "soil": (0.1, 0.2), "noise": (0.3, float("inf"))}, "PSI")
    ((red, _),), ((soil, _), (noise, _)) = boxes(svg, plots.LEVEL_COLOURS[-1]), boxes(svg, plots.ACCENT)
    assert (red, noise) == (pytest.approx(4 * soil, abs=0.5), pytest.approx(3 * soil, abs=0.5))
    assert len(boxes(svg, plots.INK)) == 2


def test_then_and_now_has_two_bars_for_each_bin_and_their_shares():
    svg = plots.then_and_now("rain", ["dry", "wet"], [0.25, 0.75], [0.5, 0.5])
    (_, (dry, _), (wet, _)) = boxes(svg, plots.GREY)  # the first is the legend's
    assert wet == pytest.approx(3 * dry, abs=0.5)
    assert len(boxes(svg, plots.ACCENT)) == 3
    assert {"dry", "wet", "25.0%", "75.0%", "50.0%"} <= {*texts(svg)}


def test_words_from_the_data_are_no_markup():
    assert "<script> & co" in texts(plots.trend("<script> & co", [0.1], None, "drops"))


@given(NUMBERS, some.none() | some.floats(0, 1))
def test_whatever_the_numbers_a_picture_is_well_formed_and_small(values, usual):
    for svg in (
        plots.trend("t", values, usual, "drops"),
        plots.importance({str(place): value - 0.5 for place, value in enumerate(values)}),
        plots.against_limits("d", {str(place): (value, usual or 0) for place, value in enumerate(values)}, "PSI"),
        plots.then_and_now("d", [*map(str, values)], values, values),
        plots.shares("s", {"all": values}, [*map(str, values)], plots.level_colours(len(values)), "rows"),
    ):
        assert ElementTree.fromstring(svg).tag == f"{SVG}svg"
        assert all(min(size) >= 0 for colour in {plots.ACCENT} for size in boxes(svg, colour))
        assert len(svg) < 20_000


def test_a_picture_is_put_inline():
    markdown = plots.as_markdown(b"svg", "a title")
    assert markdown == f"![a title](data:image/svg+xml;base64,{base64.b64encode(b'svg').decode()})"


def test_every_level_has_a_colour_of_its_own_however_many_there_are():
    assert plots.level_colours(2) == plots.LEVEL_COLOURS[:2]
    assert len(set(plots.level_colours(9))) == 9


def test_a_band_has_a_point_for_each_value_and_an_edge_for_each_bound():
    values, bounds = [(100, 0.2), (200, 0.1)], [(-0.1, 0.5), (0.05, 0.15)]
    drawn = ElementTree.fromstring(plots.band("Difference", values, bounds, ("rows", "score")))
    ((line,), (edge,)) = (list(drawn.iter(f"{SVG}{kind}")) for kind in ("polyline", "polygon"))
    places = [[float(end) for end in point.split(",")] for point in line.attrib["points"].split()]
    assert places[0][0] < places[1][0]
    assert places[0][1] < places[1][1]  # the larger value is higher up
    assert len(edge.attrib["points"].split()) == 4


def test_bounds_that_know_no_end_are_cut_off():
    svg = plots.band("Difference", [(1, 0.0), (2, 0.1)], [(-float("inf"), float("inf"))] * 2, ("rows", "score"))
    assert b"inf" not in svg
    assert b"nan" not in svg
