"""Alert rules and dashboard: that Prometheus takes them, and that they speak of metrics that the server has."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.telemetry.families import FAMILIES
from tests.app.conftest import FakeClassifier, serve
from tests.packaging.dockerfile import ROOT

FOLDER = ROOT / "deploy" / "observability"
PROMETHEUS = FOLDER / "prometheus"
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
DASHBOARDS = {path: json.loads(path.read_text("utf-8")) for path in (FOLDER / "grafana").rglob("dashboards/*.json")}
PANELS: list[dict[str, Any]] = [panel for dashboard in DASHBOARDS.values() for panel in dashboard["panels"]]

ALERTS = {rule["alert"] for rule in RULES}

OF_PROMETHEUS = {"job", "instance"}
"""Labels that whoever scrapes adds."""


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel.get("targets", []):
            # What Grafana puts in their place.
            expr = target["expr"].replace("$__rate_interval", "1m").replace("$instance", "a").replace("$model", "m")
            assert "$" not in expr, panel["title"]
            yield panel["title"], expr


def labels_by_name() -> dict[str, set[str]]:
    """The labels of each series that a server shows, by the name that a query has for it."""
    labels: dict[str, set[str]] = {}
    for family in FAMILIES:
        of = set(family.labels) | OF_PROMETHEUS
        if family.kind == "histogram":
            labels |= {f"{family.name}_bucket": of | {"le"}, f"{family.name}_sum": of, f"{family.name}_count": of}
        else:
            labels[f"{family.name}_total" if family.kind == "counter" else family.name] = of
    return labels | {"up": OF_PROMETHEUS}


@pytest.mark.parametrize(("name", "expr"), list(expressions()), ids=lambda value: value[:30])
def test_each_expression_is_one_and_speaks_of_metrics_and_labels_that_there_are(name: str, expr: str) -> None:
    promql = pytest.importorskip("promql_parser", reason="promql-parser is not installed")
    known = labels_by_name()

    def selectors(expression: Any) -> list[Any]:
        found: list[Any] = []

        def visit(node: Any) -> None:
            if isinstance(node, promql.VectorSelector):
                found.append(node)

        promql.walk(expression, visit)
        return found

    def check_grouping(node: Any) -> None:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            for selector in selectors(node.expr):
                assert set(node.modifier.labels) <= known[selector.name], f"{name}: {selector.name}"

    parsed = promql.parse(expr)
    assert selectors(parsed)
    for selector in selectors(parsed):
        assert selector.name in known, name
        matchers = {matcher.name for matcher in selector.matchers.matchers}
        assert matchers <= known[selector.name], name
        # A second job that scrapes the same server would double a sum, and make a comparison of instances fail.
        assert "job" in matchers or name not in ALERTS, f"{name}: {selector.name}"
    promql.walk(parsed, check_grouping)


@pytest.mark.anyio
async def test_a_server_shows_each_metric_that_is_asked_for() -> None:
    async with serve(FakeClassifier()) as client:
        shown = (await client.get("/metrics")).text
    families = set(re.findall(r"^# TYPE (\S+)", shown, re.MULTILINE))
    asked = {found for _, expr in expressions() for found in re.findall(r"\b(?:sluice|process)_[a-z_]+", expr)}
    assert len(asked) > 30
    assert not {name for name in asked if not {name, re.sub(r"_(bucket|sum|count)$", "", name)} & families}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "action"}
    tests = yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text("utf-8"))["tests"]
    rung = {
        word for test in tests for asked in test["promql_expr_test"] for word in re.findall(r"Sluice\w+", str(asked))
    }
    assert rule["alert"] in rung, "there is no test in which it rings"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian: package prometheus)")
@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]])
def test_prometheus_takes_the_rules_and_they_ring_when_they_should(command: list[str]) -> None:
    done = subprocess.run(["promtool", *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_is_whole(path: Path) -> None:
    dashboard = DASHBOARDS[path]
    assert dashboard["uid"]
    assert dashboard["title"]
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    (source,) = yaml.safe_load((FOLDER / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    used = {
        json.dumps(part["datasource"])
        for panel in panels
        for part in [*panel.get("targets", []), panel]
        if "datasource" in part
    }
    assert used == {json.dumps({"type": source["type"], "uid": source["uid"]})}
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, f"{panel['title']} lies over another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["type"] == "row" or (panel["description"] and panel["targets"])


def test_the_compose_file_puts_everything_where_it_is_looked_for() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    mounts = dict(volume.split(":")[:2] for name in ("prometheus", "grafana") for volume in services[name]["volumes"])
    assert mounts["./deploy/observability/prometheus"] == "/etc/prometheus"
    (provider,) = yaml.safe_load((FOLDER / "grafana/provisioning/dashboards/sluice.yml").read_text())["providers"]
    assert mounts["./deploy/observability/grafana/dashboards"] == provider["options"]["path"]
    home = Path(services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (FOLDER / "grafana/dashboards" / home.name) in DASHBOARDS
    (job,) = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
    assert set(job["dns_sd_configs"][0]["names"]) == {name for name, service in services.items() if "build" in service}
