"""Small pictures for places where a person looks: an asset's metadata, the report.

Each function gives an SVG; `as_markdown` and `as_source` put one inline, so that no picture is a file to be kept. They
are written as text here: a run draws some fifteen, and a plotting library needs 0.1 CPU-s for each.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from math import ceil, floor, isfinite, log10
from xml.sax.saxutils import escape

INK, QUIET, ACCENT, GRID, GREY = "#1f2933", "#7b8794", "#2b6cb0", "#e4e7eb", "#b0b7c0"
#: From well off to worst off; distinct in grey and by the colour-blind.
LEVEL_COLOURS = ("#2a9d8f", "#e9c46a", "#f4a261", "#c8553d")
#: From dark blue to yellow, as distinct in grey (viridis, of which these are five points).
_SHADES = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
_WHITE, _BLUE = (255, 255, 255), (8, 48, 107)

Point = tuple[float, float]
Colour = tuple[int, int, int]

#: In pixels: width of a picture, and of a letter of its labels.
_WIDTH, _LETTER, _MARGIN = 640, 6, 8
_TOP, _ROW = 34, 24
_LONGEST_LABEL = 34


def level_colours(count: int) -> tuple[str, ...]:
    """A colour for each of so many levels, best first; from five on they come from a colour map."""
    if count <= len(LEVEL_COLOURS):
        return LEVEL_COLOURS[:count]
    places = (number * (len(_SHADES) - 1) / (count - 1) for number in range(count))
    return tuple(_between(_SHADES[floor(place)], _SHADES[ceil(place)], place % 1) for place in places)


def confusion(levels: Sequence[str], counts: Sequence[Sequence[int]]) -> bytes:
    """Rows by true level (down) and predicted level (across): the share of the true level is the shade."""
    left, top, width, height = _label_width(levels), _TOP + 2 * _ROW, 120, 40
    parts = [_text((left, _TOP + 8), "true level (down), predicted level (across)", QUIET)]
    for row, (level, of_level) in enumerate(zip(levels, counts, strict=True)):
        middle = top + (row + 0.5) * height
        parts.append(_text((left - _MARGIN, middle + 4), _short(level), anchor="end"))
        parts.append(
            _text((left + (row + 0.5) * width, top - _MARGIN), _short(level, width // _LETTER), anchor="middle")
        )
        for column, count in enumerate(of_level):
            share = count / max(sum(of_level), 1)
            x, colour = left + column * width, "white" if share > 0.55 else INK
            parts.append(_box((x, top + row * height), width - 1, height - 1, _between(_WHITE, _BLUE, share)))
            parts.append(_text((x + width / 2, middle - 2), f"{share:.0%}", colour, "middle"))
            parts.append(_text((x + width / 2, middle + 12), f"{count:,}", colour, "middle"))
    title = "Predicted against true level (share of the true level, rows)"
    return _svg(title, parts, top + height * len(levels) + _MARGIN, max(_WIDTH, left + width * len(levels) + _MARGIN))


def importance(losses: Mapping[str, float], most: int = 15) -> bytes:
    """Quality lost when an input is shuffled (balanced accuracy, or R² of a number), the most important ones on top."""
    shown = sorted(losses.items(), key=lambda item: -item[1])[:most]
    left, bottom = _label_width([name for name, _ in shown]), _TOP + _ROW * len(shown)
    ticks = _ticks(min([0.0, *(loss for _, loss in shown)]), max([1e-6, *(loss for _, loss in shown)]))
    across = _scale((ticks[0], ticks[-1]), (left, _WIDTH - 4 * _MARGIN))
    parts = [_line((across(tick), _TOP), (across(tick), bottom)) for tick in ticks]
    parts += [_text((across(tick), bottom + 14), f"{tick:g}", anchor="middle") for tick in ticks]
    for row, (name, loss) in enumerate(shown):
        y, start = _TOP + row * _ROW, min(across(0), across(loss))
        parts.append(_text((left - _MARGIN, y + 16), _short(name.replace("_", " ")), anchor="end"))
        parts.append(_box((start, y + 4), abs(across(loss) - across(0)), _ROW - 8, ACCENT))
    parts.append(_line((across(0), _TOP), (across(0), bottom), QUIET))
    parts.append(_text((left, bottom + 32), "quality lost when shuffled", QUIET))
    return _svg("What the model relies on", parts, bottom + 40)


def shares(
    title: str, rows: Mapping[str, Sequence[float]], parts: Sequence[str], colours: Sequence[str], unit: str
) -> bytes:
    """One bar per row, cut into its parts' shares; the row's total stands at its end."""
    left, top = _label_width(rows), _TOP + _ROW
    right, bottom = _WIDTH - 9 * _LETTER, top + _ROW * len(rows)
    across = _scale((0, 1), (left, right))
    drawn = [*_legend(parts, colours, left), *(_line((across(n / 5), top), (across(n / 5), bottom)) for n in range(6))]
    for row, (name, counts) in enumerate(rows.items()):
        y, total, start = top + row * _ROW, sum(counts), 0.0
        drawn.append(_text((left - _MARGIN, y + 16), _short(name), anchor="end"))
        drawn.append(_text((right + _MARGIN, y + 16), f"{int(total):,}", QUIET))
        for count, colour in zip(counts, colours, strict=True):
            share = count / max(total, 1)
            drawn.append(_box((across(start), y + 3), share * (right - left), _ROW - 6, colour) if count else "")
            start += share
    drawn += [_text((across(n / 5), bottom + 14), f"{n / 5:.0%}", anchor="middle") for n in range(6)]
    drawn.append(_text((left, bottom + 32), f"share of {unit} (number at the end of the bar)", QUIET))
    return _svg(title, drawn, bottom + 40)


def trend(title: str, values: Sequence[float], usual: float | None, unit: str) -> bytes:
    """One bar per value, the newest on the right; the line is what is usual."""
    ticks = _ticks(0, max([0.01, *values, usual or 0]), 3)
    left, right, bottom = 9 * _LETTER, _WIDTH - 2 * _MARGIN, _TOP + 4 * _ROW
    up = _scale((0, ticks[-1]), (bottom, _TOP))
    parts = [_line((left, up(tick)), (right, up(tick))) for tick in ticks]
    parts += [_text((left - _MARGIN, up(tick) + 4), f"{tick:.1%}", anchor="end") for tick in ticks]
    step = (right - left) / max(len(values), 1)
    for place, value in enumerate(values):
        parts.append(_box((left + (place + 0.1) * step, up(value)), 0.8 * step, bottom - up(value), ACCENT))
    if usual is not None:
        parts.append(_line((left, up(usual)), (right, up(usual)), QUIET, "5 4"))
    parts.append(_text((left, bottom + 18), unit, QUIET))
    return _svg(title, parts, bottom + 26)


def calibration(what: str, curve: Sequence[Sequence[float]]) -> bytes:
    """Share observed by mean probability predicted, of [predicted, observed, rows]; on the line both are the same."""
    left, size = 9 * _LETTER, 10 * _ROW
    right, bottom = left + size, _TOP + size
    across, up = _scale((0, 1), (left, right)), _scale((0, 1), (bottom, _TOP))
    parts = [_line((left, up(n / 4)), (right, up(n / 4))) for n in range(5)]
    parts += [_text((left - _MARGIN, up(n / 4) + 4), f"{n / 4:.0%}", anchor="end") for n in range(5)]
    parts += [_text((across(n / 4), bottom + 14), f"{n / 4:.0%}", anchor="middle") for n in range(5)]
    parts.append(_line((left, bottom), (right, _TOP), QUIET, "5 4"))
    places = [(across(predicted), up(observed)) for predicted, observed, _ in curve]
    parts += [_line(one, other, ACCENT) for one, other in pairwise(places)]
    parts += [_box((x - 3, y - 3), 6, 6, ACCENT) for x, y in places]
    parts.append(_text((left, bottom + 32), f"predicted probability of {what} (across), share observed (up)", QUIET))
    return _svg("Whether probabilities come true", parts, bottom + 40)


def band(title: str, values: Sequence[Point], bounds: Sequence[Point], unit: tuple[str, str]) -> bytes:
    """A line through the `values`, (across, up), within its `bounds`, (low, high) for each; those far out are cut off.

    `unit` names what goes across and up; the dashed line is 0.
    """
    shown = 3 * max([1e-9, *(abs(value) for _, value in values), *(abs(end) for end in bounds[-1] if isfinite(end))])
    ups = [min(max(end, -shown), shown) for pair in bounds for end in pair]
    across_ticks, up_ticks = _ticks(0, max(x for x, _ in values)), _ticks(min([0, *ups]), max([1e-9, *ups]))
    left, right, top, bottom = 10 * _LETTER, _WIDTH - 4 * _MARGIN, _TOP + _ROW, _TOP + 10 * _ROW
    across = _scale((0, across_ticks[-1]), (left, right))
    up = _scale((up_ticks[0], up_ticks[-1]), (bottom, top))
    edge = [*zip(values, ups[1::2], strict=True), *reversed([*zip(values, ups[::2], strict=True)])]
    corners = " ".join(f"{across(x):.1f},{up(end):.1f}" for (x, _), end in edge)
    line = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in values)
    parts = [_line((left, up(tick)), (right, up(tick))) for tick in up_ticks]
    parts += [_text((left - _MARGIN, up(tick) + 4), f"{tick:.4g}", anchor="end") for tick in up_ticks]
    parts += [_text((across(tick), bottom + 14), f"{tick:,.0f}", anchor="middle") for tick in across_ticks]
    parts.append(f'<polygon points="{corners}" fill="{ACCENT}" fill-opacity="0.15"/>')
    parts.append(f'<polyline points="{line}" fill="none" stroke="{ACCENT}" stroke-width="2"/>')
    parts += [_box((across(x) - 2, up(y) - 2), 4, 4, ACCENT) for x, y in values]
    parts.append(_line((left, up(0)), (right, up(0)), INK, "5 4"))
    parts += [_text((left, bottom + 32), unit[0], QUIET), _text((left, top - _MARGIN), unit[1], QUIET)]
    return _svg(title, parts, bottom + 40)


def against_limits(title: str, rows: Mapping[str, tuple[float, float]], described: str) -> bytes:
    """One bar per row, in the order given, with a mark at its limit; the bar is red where it is longer. A limit that is
    not finite has no mark."""
    left, bottom = _label_width(rows), _TOP + _ROW * len(rows)
    finite = [number for pair in rows.values() for number in pair if isfinite(number)]
    ticks = _ticks(min([0.0, *finite]), max([1e-6, *finite]))
    across = _scale((ticks[0], ticks[-1]), (left, _WIDTH - 4 * _MARGIN))
    parts = [_line((across(tick), _TOP), (across(tick), bottom)) for tick in ticks]
    parts += [_text((across(tick), bottom + 14), f"{tick:g}", anchor="middle") for tick in ticks]
    for row, (name, (value, limit)) in enumerate(rows.items()):
        y, colour = _TOP + row * _ROW, LEVEL_COLOURS[-1] if value > limit else ACCENT
        parts.append(_text((left - _MARGIN, y + 16), _short(name.replace("_", " ")), anchor="end"))
        parts.append(_box((min(across(0), across(value)), y + 4), abs(across(value) - across(0)), _ROW - 8, colour))
        parts.append(_box((across(limit) - 1, y + 1), 2, _ROW - 2, INK) if isfinite(limit) else "")
    parts.append(_text((left, bottom + 32), described, QUIET))
    return _svg(title, parts, bottom + 40)


def then_and_now(title: str, bins: Sequence[str], then: Sequence[float], now: Sequence[float]) -> bytes:
    """Two bars per bin, with their shares: of the reference in grey, of the partition below it in blue."""
    left, top = _label_width(bins), _TOP + _ROW
    bottom = top + _ROW * len(bins)
    across = _scale((0, max([1e-6, *then, *now])), (left, _WIDTH - 9 * _LETTER))
    drawn = _legend(("reference", "this partition"), (GREY, ACCENT), left)
    for row, (name, *pair) in enumerate(zip(bins, then, now, strict=True)):
        drawn.append(_text((left - _MARGIN, top + row * _ROW + 14), _short(name), anchor="end"))
        for place, (share, colour) in enumerate(zip(pair, (GREY, ACCENT), strict=True)):
            y = top + row * _ROW + 2 + 9 * place
            drawn.append(_box((left, y), across(share) - left, 9, colour))
            drawn.append(_text((across(share) + 4, y + 9), f"{share:.1%}", QUIET))
    return _svg(title, drawn, bottom + _MARGIN)


def as_source(svg: bytes) -> str:
    """The `src` of an HTML image."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


def as_markdown(svg: bytes, title: str) -> str:
    return f"![{title}]({as_source(svg)})"


def _legend(parts: Sequence[str], colours: Sequence[str], left: float) -> list[str]:
    drawn = []
    for part, colour in zip(parts, colours, strict=True):
        drawn += [_box((left, _TOP + 2), 12, 12, colour), _text((left + 18, _TOP + 12), part)]
        left += 18 + _LETTER * (len(part) + 3)
    return drawn


def _label_width(labels: Iterable[str]) -> int:
    return 2 * _MARGIN + _LETTER * max((min(len(label), _LONGEST_LABEL) for label in labels), default=0) + _LETTER


def _short(label: str, most: int = _LONGEST_LABEL) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


def _ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers, the first at most `low` and the last at least `high`."""
    rough = (high - low) / most
    magnitude = 10.0 ** floor(log10(rough))
    step = next(size * magnitude for size in (1, 2, 5, 10) if size * magnitude >= rough * 0.999)
    return [number * step for number in range(floor(low / step + 1e-9), ceil(high / step - 1e-9) + 1)]


def _scale(values: Point, pixels: Point) -> Callable[[float], float]:
    (low, high), (first, last) = values, pixels
    return lambda value: first + (value - low) / (high - low) * (last - first)


def _between(one: Colour, other: Colour, share: float) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(round(a + (b - a) * share) for a, b in zip(one, other, strict=True)))


def _box(corner: Point, width: float, height: float, colour: str) -> str:
    x, y = corner
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _line(start: Point, end: Point, colour: str = GRID, dashes: str = "none") -> str:
    (x1, y1), (x2, y2) = start, end
    place = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {place} stroke="{colour}" stroke-dasharray="{dashes}"/>'


def _text(place: Point, words: str, colour: str = INK, anchor: str = "start") -> str:
    x, y = place
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(str(words))}</text>'


def _svg(title: str, parts: Iterable[str], height: float, width: float = _WIDTH) -> bytes:
    head = f'<text x="{_MARGIN}" y="20" font-size="14" font-weight="bold" fill="{INK}">{escape(title)}</text>'
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    font = 'font-family="system-ui, sans-serif" font-size="11"'
    ground = '<rect width="100%" height="100%" fill="white"/>'
    drawn = "".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>', ground, head, *parts, "</svg>"])
    return drawn.encode()
