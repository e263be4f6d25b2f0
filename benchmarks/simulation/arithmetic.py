"""Computes machines and costs for a billion texts an hour and for 100,000 requests a second.

    python -m benchmarks.simulation.arithmetic [--price-core-hour 0.04 --prices-of 2026-11-28] [--cores 32] ...

Measured figures are read from benchmarks/results; prices, machines and whatever else is an example are options. Prints
the tables of docs/scaling.md.
"""

import math
from dataclasses import dataclass, fields

import click

from benchmarks.simulation.assumptions import Assumptions, options

BULK_TEXTS_S = 1e9 / 3600
ONLINE_REQUESTS_S = 1e5
MILLION = 1e6


@dataclass(frozen=True)
class Plan:
    """Cores and machines for a rate.

    Attributes:
        rate: texts a second.
        core: texts/s of one core that is busy all the time.
        busy: share of the time that it may be.
        spare: machines over those needed, as a factor.
    """

    rate: float
    core: float
    busy: float
    spare: float = 1.0

    @property
    def cores(self) -> float:
        """Cores for the rate at that utilisation."""
        return self.rate / (self.core * self.busy)

    def machines(self, cores: float) -> int:
        """Machines of so many cores, spare ones included."""
        return math.ceil(self.cores * self.spare / cores - 1e-9)

    def cost(self, a: Assumptions) -> float:
        """Price of a million texts while the machines run at that rate."""
        return self.machines(a.cores) * a.cores * a.price_core_hour / (self.rate * 3600) * MILLION


def _short(value: float) -> str:
    """Two digits that count, and no power of ten.

    >>> _short(0.000642), _short(468_750.0), _short(8.33)
    ('0.00064', '470,000', '8.3')
    """
    return f"{float(f'{value:.2g}'):,.12g}"


def plans(a: Assumptions) -> tuple[Plan, Plan]:
    """The plan for a billion texts an hour, and the one for 100,000 requests a second, which bears a lost zone."""
    return (
        Plan(BULK_TEXTS_S, a.engine_core * a.bulk, a.busy_bulk),
        Plan(ONLINE_REQUESTS_S, a.requests_core, a.busy_online, a.zones / (a.zones - 1)),
    )


def machines_table(a: Assumptions) -> str:
    """Machines and cost of both plans."""
    bulk, online = plans(a)
    both = (bulk, online)
    rows = {
        "texts a second": [f"{plan.rate:,.0f}" for plan in both],
        "texts/s of one core": [f"{plan.core:,.0f}" for plan in both],
        "utilisation": [f"{plan.busy:.0%}" for plan in both],
        "cores": [f"{plan.cores:,.1f}" for plan in both],
        f"machines of {a.cores:g} cores": [
            f"{bulk.machines(a.cores)}",
            f"{online.machines(a.cores)}, one zone of {a.zones:g} to spare",
        ],
        "core-hours for a million texts": [_short(plan.cores / plan.rate / 3600 * MILLION) for plan in both],
        "cost of an hour": [f"{plan.machines(a.cores) * a.cores * a.price_core_hour:,.2f}" for plan in both],
        "**cost of a million texts**": [f"**{_short(plan.cost(a))}**" for plan in both],
    }
    head = "| | a billion texts an hour, from file to file | 100,000 requests/s of one text |\n| --- | ---: | ---: |"
    return "\n".join([head, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])


def ways_table(a: Assumptions) -> str:
    """Cost of a million texts by each way, and machines for a billion texts an hour."""
    bulk, online = plans(a)
    transformer = Plan(BULK_TEXTS_S, a.transformer_core, a.busy_bulk)
    endpoints = math.ceil(BULK_TEXTS_S / a.endpoint_texts)
    hosted = endpoints * a.price_endpoint_hour / (BULK_TEXTS_S * 3600) * MILLION
    units = max(a.least_units, math.ceil(a.characters / a.unit_characters)) * a.price_unit * MILLION
    ways = [
        ("Sluice, bulk", bulk.cost(a), f"{bulk.machines(a.cores):,} machines"),
        ("Sluice, online", online.cost(a), ""),
        ("a transformer on the same cores", transformer.cost(a), f"{transformer.machines(a.cores):,} machines"),
        ("a hosted transformer", hosted, f"{endpoints:,} endpoints"),
        ("a cloud's sentiment interface", units, "by its quota"),
    ]
    lines = [
        "| way | cost of a million texts | times Sluice, bulk | for a billion an hour |",
        "| --- | ---: | ---: | --- |",
    ]
    for name, cost, needs in ways:
        lines.append(f"| {name} | {_short(cost)} | {_short(cost / bulk.cost(a))} | {needs} |".replace("|  |", "| |"))
    return "\n".join(lines)


def limits(a: Assumptions) -> dict[str, list[tuple[str, float]]]:
    """Texts a second that each part of one machine bears, the scarcest first; the balancer is one for all machines."""
    read = a.engine_core / a.tokenising
    compute = a.engine_core / (1 - a.tokenising)
    bulk = [
        ("network, reading", a.network / a.stored_bytes),
        ("object storage", a.storage / a.stored_bytes),
        ("tokenising alone, all cores", a.cores * read),
        ("the network of the engine alone, all cores", a.cores * compute),
        ("engine and files, all cores", a.cores * a.engine_core * a.bulk),
    ]
    online = [
        ("network, requests", a.network / a.sent_bytes),
        ("network, answers", a.network / a.answer_bytes),
        ("the engine alone, all cores", a.cores * a.engine_core),
        ("HTTP and engine, all cores", a.cores * a.requests_core),
        ("one balancer, for all machines", a.balancer),
    ]
    return {name: sorted(parts, key=lambda part: part[1]) for name, parts in (("bulk", bulk), ("online", online))}


def limits_table(a: Assumptions, name: str) -> str:
    """Limits of one machine in `bulk` or `online`, and how many times the scarcest each is."""
    found = limits(a)[name]
    lines = ["| part | texts/s | times the first |", "| --- | ---: | ---: |"]
    lines += [f"| {part} | {rate:,.0f} | {rate / found[0][1]:,.1f} |" for part, rate in found]
    return "\n".join(lines)


def assumptions_table(a: Assumptions) -> str:
    """Each number with its option and where it comes from."""
    lines = ["| option | value | |", "| --- | ---: | --- |"]
    for one in fields(a):
        lines.append(f"| `--{one.name.replace('_', '-')}` | {getattr(a, one.name):,.12g} | {one.metadata['source']} |")
    return "\n".join(lines)


def blocks(a: Assumptions) -> dict[str, str]:
    """The tables, by the names of their markers in docs/scaling.md."""
    return {
        "machines": machines_table(a),
        "ways": ways_table(a),
        "limits-bulk": limits_table(a, "bulk"),
        "limits-online": limits_table(a, "online"),
        "assumptions": assumptions_table(a),
    }


@click.command(help=__doc__)
@click.option("--prices-of", default="an example", help="Date of the prices, as the output says it.")
@options
def main(prices_of: str, **given: float | None) -> None:
    """Prints the tables of the arithmetic."""
    try:
        a = Assumptions(**{name: value for name, value in given.items() if value is not None})
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"prices: {prices_of}\n")
    click.echo("\n\n".join(blocks(a).values()))


if __name__ == "__main__":
    main()
