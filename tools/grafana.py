"""A dashboard of Grafana (JSON of its schema version 39) from a few words about each panel."""

import json
from typing import Any

from msgspec import Struct

SOURCE = {"type": "prometheus", "uid": "prometheus"}
GREEN, RED = {"color": "green", "value": None}, {"color": "red", "value": 1}
COLUMNS = 24
FIGURE = (4, 4)  # width and height, in Grafana's grid
CHART = (8, 8)


class Figure(Struct, frozen=True):
    """One number. `bad` colours it red from there on; `words` are shown in place of 0 and 1."""

    title: str
    about: str
    expr: str
    unit: str = "short"
    bad: float | None = None
    words: tuple[str, str] | None = None


class Chart(Struct, frozen=True):
    """Lines over time: expressions by their legends."""

    title: str
    about: str
    lines: dict[str, str]
    unit: str = "short"
    stacked: bool = False


class Dashboard(Struct, frozen=True):
    uid: str
    title: str
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]


def _target(number: int, expr: str, legend: str) -> dict[str, Any]:
    ref = chr(ord("A") + number)
    return {"refId": ref, "expr": expr, "legendFormat": legend, "datasource": SOURCE}


def _figure(figure: Figure) -> dict[str, Any]:
    steps = [GREEN] if figure.bad is None else [GREEN, {**RED, "value": figure.bad}]
    colours = ("red", "green") if figure.bad is None else ("green", "red")
    said = [
        {str(value): {"text": word, "color": colour}}
        for value, (word, colour) in enumerate(zip(figure.words or (), colours, strict=False))
    ]
    return {
        "type": "stat",
        "title": figure.title,
        "description": figure.about,
        "datasource": SOURCE,
        "targets": [_target(0, figure.expr, "")],
        "fieldConfig": {
            "defaults": {
                "unit": figure.unit,
                "decimals": 0,
                "mappings": [{"type": "value", "options": each} for each in said],
                "thresholds": {"mode": "absolute", "steps": steps},
            },
            "overrides": [],
        },
        "options": {
            "reduceOptions": {"calcs": ["lastNotNull"]},
            "colorMode": "value",
            "graphMode": "none" if figure.words else "area",
        },
    }


def _chart(chart: Chart) -> dict[str, Any]:
    targets = [_target(n, expr, legend) for n, (legend, expr) in enumerate(chart.lines.items())]
    return {
        "type": "timeseries",
        "title": chart.title,
        "description": chart.about,
        "datasource": SOURCE,
        "targets": targets,
        "fieldConfig": {
            "defaults": {
                "unit": chart.unit,
                "min": 0,
                "custom": {
                    "lineWidth": 1,
                    "fillOpacity": 30 if chart.stacked else 10,
                    "showPoints": "never",
                    "stacking": {"mode": "normal" if chart.stacked else "none"},
                },
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom"},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }


def text(board: Dashboard) -> str:
    """The dashboard as Grafana reads it."""
    panels: list[dict[str, Any]] = []
    x = y = 0
    for made, (width, height) in (
        ([_figure(figure) for figure in board.figures], FIGURE),
        ([_chart(chart) for chart in board.charts], CHART),
    ):
        for panel in made:
            place = {"x": x, "y": y, "w": width, "h": height}
            panels.append({"id": len(panels) + 1, **panel, "gridPos": place})
            x = (x + width) % COLUMNS
            y += 0 if x else height
    made_of = {
        "uid": board.uid,
        "title": board.title,
        "tags": ["mailwarden"],
        "timezone": "browser",
        "editable": False,
        "refresh": "10s",
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "links": [{"type": "dashboards", "title": "Mailwarden", "tags": ["mailwarden"]}],
        "panels": panels,
    }
    return json.dumps(made_of, indent=1) + "\n"
