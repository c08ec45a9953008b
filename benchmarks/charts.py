"""Draw charts as SVG: bars, stacked bars and lines, readable on light and dark pages."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.summary import Chart

WIDTH, BAR, GAP, LEFT = 760, 24, 12, 260
PLOT_HEIGHT = 340
COLORS = ("#2f6db3", "#d9822b", "#3a9b6b", "#b1465a", "#7a5fb0", "#8a7a3c", "#4aa3b5", "#c06aa8", "#777777", "#a3562a")
_STYLE = "text{font:13px sans-serif;fill:#222}.title{font-size:15px;font-weight:bold}.grid{stroke:#ddd}"


def draw(chart: Chart) -> str:
    """Return the chart as the text of an SVG file."""
    kinds = {"bars": _bars, "parts": _parts, "lines": _lines}
    height, body = kinds[chart.kind](chart)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">'
    background = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    title = _text(16, 26, chart.title, kind="title")
    return "\n".join([head, f"<style>{_STYLE}</style>", background, title, *body, "</svg>", ""])


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'


def _rectangle(x: float, y: float, width: float, height: float, color: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" height="{height}" fill="{color}"/>'


def _bars(chart: Chart) -> tuple[int, list[str]]:
    most = max(value for _, value in chart.bars)
    scale = (WIDTH - LEFT - 100) / most
    body, y = [], 46
    for number, (name, value) in enumerate(chart.bars):
        body.append(_text(LEFT - 10, y + 17, name, "end"))
        body.append(_rectangle(LEFT, y, value * scale, BAR, COLORS[0] if number == 0 else "#9db4cc"))
        body.append(_text(LEFT + value * scale + 8, y + 17, f"{value:.2f} {chart.unit}"))
        y += BAR + GAP
    return y + 8, body


def _parts(chart: Chart) -> tuple[int, list[str]]:
    names = list(dict.fromkeys(part for parts in chart.parts.values() for part, _ in parts))
    color = {name: COLORS[number % len(COLORS)] for number, name in enumerate(names)}
    body, y = [], 46
    for bar, parts in chart.parts.items():
        total = sum(value for _, value in parts)
        scale, x = (WIDTH - 240) / total, 100.0
        body.append(_text(90, y + 17, bar, "end"))
        for part, value in parts:
            body.append(_rectangle(x, y, value * scale, BAR, color[part]))
            x += value * scale
        body.append(_text(x + 8, y + 17, f"{total:.0f} {chart.unit}"))
        y += BAR + GAP
    for number, name in enumerate(names):
        x, row = 100 + 330 * (number % 2), y + 14 + 20 * (number // 2)
        body += [_rectangle(x, row - 10, 12, 12, color[name]), _text(x + 18, row + 1, name)]
    return y + 30 + 20 * ((len(names) + 1) // 2), body


def _lines(chart: Chart) -> tuple[int, list[str]]:
    points = [point for series in chart.series.values() for point in series]
    right = _ceiling(max(x for x, _ in points))
    top = _ceiling(max(y for _, y in points))
    left, bottom, width, height = 70, 50 + PLOT_HEIGHT, WIDTH - 110, PLOT_HEIGHT

    def place(point: tuple[float, float]) -> tuple[float, float]:
        return left + point[0] / right * width, bottom - point[1] / top * height

    body = list(_grid(left, bottom, width, height, right, top))
    for number, (name, series) in enumerate(chart.series.items()):
        color = COLORS[number]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, series))
        body.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}"/>' for x, y in map(place, series)]
        body += [_rectangle(left + 14, 56 + 20 * number, 12, 12, color), _text(left + 32, 67 + 20 * number, name)]
    body.append(_text(left + width, bottom + 40, chart.across, "end"))
    body.append(_text(left - 8, 42, chart.unit, "end"))
    return bottom + 56, body


def _grid(left: int, bottom: int, width: int, height: int, right: float, top: float) -> Iterator[str]:
    for step in range(6):
        x, y = left + width * step / 5, bottom - height * step / 5
        yield f'<line x1="{left}" x2="{left + width}" y1="{y:.1f}" y2="{y:.1f}" class="grid"/>'
        yield _text(left - 8, y + 4, f"{top * step / 5:g}", "end")
        yield _text(x, bottom + 20, f"{right * step / 5:g}", "middle")


def _ceiling(value: float) -> float:
    """Return a round number that is not less, to end an axis with."""
    power: float = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    steps: Sequence[float] = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return next(step * power for step in steps if step * power >= value * 0.999)
