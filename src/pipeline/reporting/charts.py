"""Charts as inline SVG with real text; their colours are classes of page.css."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 250
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 26, 40
Point = tuple[float, float]
Range = tuple[float, float]
Scale = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """A line of a chart; `style` (a, b or muted) is its colour and dash, `dots` marks its points."""

    points: Sequence[Point]
    style: str = "a"
    name: str = ""
    dots: bool = False


def line_chart(
    alt: str,
    axes: tuple[str, str],
    lines: Sequence[Line],
    x: Range = (0, 1),
    y: Range = (0, 1),
    bands: Sequence[tuple[float, float, float]] = (),
    mark: float | None = None,
) -> Markup:
    """Draw lines; `bands` are vertical error bars (x, low, high), `mark` is an x with a vertical line."""
    across, up = _scale(x, LEFT, WIDTH - RIGHT), _scale(y, HEIGHT - BOTTOM, TOP)
    body = [_grid(across, up, x, y), _labels(*axes)]
    if mark is not None:
        body.append(_line(across(mark), TOP, across(mark), HEIGHT - BOTTOM, "mark"))
    body += [_line(across(at), up(low), across(at), up(high), "band") for at, low, high in bands]
    for line in lines:
        points = " ".join(f"{across(px):.1f},{up(py):.1f}" for px, py in line.points)
        body.append(f'<polyline class="line {line.style}" points="{points}"/>')
        if line.dots:
            body += [
                f'<circle class="dot {line.style}" cx="{across(px):.1f}" cy="{up(py):.1f}" r="3"/>'
                for px, py in line.points
            ]
    return _svg(alt, [*body, _legend([(line.name, line.style) for line in lines])])


def paired_columns(
    alt: str,
    axes: tuple[str, str],
    pairs: Sequence[tuple[float, float]],
    names: tuple[str, str],
    x: Range,
    mark: float | None = None,
) -> Markup:
    """Draw two histograms over the same equal intervals of `x`, side by side."""
    top = max((max(pair) for pair in pairs), default=0) or 1.0
    across, up = _scale(x, LEFT, WIDTH - RIGHT), _scale((0, top), HEIGHT - BOTTOM, TOP)
    body = [_grid(across, up, x, (0, top)), _labels(*axes)]
    body += _pairs(pairs, up, LEFT, (WIDTH - RIGHT - LEFT) / max(len(pairs), 1))
    if mark is not None:
        body.append(_line(across(mark), TOP, across(mark), HEIGHT - BOTTOM, "mark"))
    return _svg(alt, [*body, _legend([(names[0], "a"), (names[1], "b")])])


def bar_chart(
    alt: str, label: str, bars: Sequence[tuple[str, float, float]], top: float | None = None
) -> Markup:
    """Draw horizontal bars (name, value, spread) up to `top` (None: the largest).

    The name is above its bar, and a line shows the spread.
    """
    row, left = 24, 8
    height = row * len(bars) + BOTTOM
    most = top or max((value + spread for _, value, spread in bars), default=0)
    most = most if most > 0 else 1.0
    across = _scale((0, most), left, WIDTH - RIGHT)
    body = []
    for number, (name, value, spread) in enumerate(bars):
        top = number * row
        body.append(_text(left, top + 11, name, "name"))
        body.append(_box(left, top + 14, max(across(value) - left, 0.5), 7, "a"))
        ends = [across(min(max(end, 0), most)) for end in (value - spread, value + spread)]
        body.append(_line(ends[0], top + 17.5, ends[1], top + 17.5, "spread"))
    bottom = height - BOTTOM + 4
    body.append(_line(left, bottom, WIDTH - RIGHT, bottom, "axis"))
    body += [_text(across(tick), bottom + 14, f"{tick:g}", "tick middle") for tick in _ticks((0, most))]
    body.append(_text(WIDTH / 2, height - 6, label, "label middle"))
    return _svg(alt, body, height)


def mini_columns(alt: str, pairs: Sequence[tuple[float, float]]) -> Markup:
    """Draw a small histogram of two series side by side, without axes."""
    width, height = 160, 48
    top = max((max(pair) for pair in pairs), default=0) or 1.0
    body = _pairs(pairs, _scale((0, top), height - 1, 2), 0, width / max(len(pairs), 1))
    return _svg(alt, [*body, _line(0, height - 1, width, height - 1, "axis")], height, width)


def _pairs(pairs: Sequence[tuple[float, float]], up: Scale, left: float, step: float) -> Iterator[str]:
    for number, pair in enumerate(pairs):
        for side, (value, style) in enumerate(zip(pair, "ab", strict=True)):
            start = left + number * step + side * step / 2
            yield _box(start, up(value), step / 2 - 0.5, up(0) - up(value), style)


def _scale(values: Range, start: float, end: float) -> Scale:
    """Return the function that maps a range to the coordinates from `start` to `end`."""
    factor = (end - start) / ((values[1] - values[0]) or 1.0)
    return lambda value: start + (value - values[0]) * factor


def _ticks(values: Range) -> list[float]:
    """Return about five round values within a range."""
    low, high = values
    wanted = (high - low) / 4 or 1.0
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= wanted * 0.999)
    first = int(-(-low // step))
    return [round(number * step, 10) for number in range(first, int((high + step * 1e-9) // step) + 1)]


def _grid(across: Scale, up: Scale, x: Range, y: Range) -> str:
    body = []
    for tick in _ticks(y):
        body.append(_line(LEFT, up(tick), WIDTH - RIGHT, up(tick), "grid"))
        body.append(_text(LEFT - 5, up(tick) + 4, f"{tick:g}", "tick end"))
    body += [_text(across(tick), HEIGHT - BOTTOM + 14, f"{tick:g}", "tick middle") for tick in _ticks(x)]
    return "".join([*body, _line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis")])


def _labels(x: str, y: str) -> str:
    place = (LEFT + WIDTH - RIGHT) / 2
    return _text(place, HEIGHT - 8, x, "label middle") + _text(4, 12, y, "label")


def _legend(names: Iterable[tuple[str, str]]) -> str:
    body, right = [], WIDTH - RIGHT
    for name, style in reversed([pair for pair in names if pair[0]]):
        body.append(_text(right, 12, name, "label end"))
        right -= int(len(name) * 6.2) + 8
        body.append(f'<line class="line {style}" x1="{right - 16}" y1="8" x2="{right}" y2="8"/>')
        right -= 24
    return "".join(body)


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _box(x: float, y: float, width: float, height: float, style: str) -> str:
    return f'<rect class="bar {style}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(alt: str, body: Iterable[str], height: float = HEIGHT, width: float = WIDTH) -> Markup:
    # All texts are escaped above; the rest is numbers.
    size = f'viewBox="0 0 {width} {height}"'
    opening = f'<svg role="img" aria-label="{escape(alt)}" {size}>'
    return Markup(f"{opening}{''.join(body)}</svg>")  # noqa: S704
