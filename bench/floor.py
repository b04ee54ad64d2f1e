"""The floor: the least time in which anybody could do it, computed from how AWS behaves in the model.

A thing to be done is a graph of calls. A call waits for others where it cannot do without them: it needs what they
made, or AWS insists on the order. A graph can be made of what AWS insists on alone, or with what a record under a lease
adds to it: `graphs.py` says what that is. Two things bound the time:

- *the longest chain*: along each path from call to call, a latency for each call; and where AWS makes one wait (until
  a new role can be assumed, until a function is no longer busy) that wait, which begins with what the first call does
  and ends with what the second does. So a call that is sent ahead of time hides its latency in the wait: a link costs
  the longer of the two;
- *a quota*: of n calls that share one, the last can be answered no earlier than the first possible one and n - burst
  gaps later, and then comes what must follow it. This is looked at for every set of calls that could not begin before
  some time and have at least some time behind them.

The floor is the largest of all these. Of local work only what nobody can do without is a node: that an app is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Model:
    """How AWS behaves in time, in seconds."""

    latency_s: float
    busy_s: float
    role_delay_s: float


@dataclass(frozen=True)
class Rate:
    """A quota: what is counted, the seconds between two calls, and how many may come at once."""

    of: str
    gap_s: float
    burst: int = 1


@dataclass(frozen=True)
class Node:
    """A call, the calls that it cannot do without with the wait that AWS insists on behind each, and its quotas.

    Where it is no call but something done here, `took_s` is how long that takes.
    """

    after: dict[str, float]
    rates: tuple[Rate, ...] = ()
    took_s: float | None = None

    def link_s(self, latency_s: float, wait_s: float) -> float:
        """Returns the time from the answer of one that it waits for to its own."""
        return max(latency_s if self.took_s is None else self.took_s, wait_s)


@dataclass
class Graph:
    """Calls in an order in which each comes behind all that it waits for."""

    nodes: dict[str, Node] = field(default_factory=dict)

    def call(self, name: str, *after: str, waits: dict[str, float] | None = None, rates: tuple[Rate, ...] = ()) -> str:
        """Adds a call behind others, `waits` with seconds between the two effects; returns its name."""
        behind = dict.fromkeys(after, 0.0) | (waits or {})
        if unknown := behind.keys() - self.nodes.keys():
            raise ValueError(f"{name} waits for what is not there: {sorted(unknown)}")
        self.nodes[name] = Node(behind, rates)
        return name

    def local(self, name: str, took_s: float, *after: str) -> str:
        """Adds what is done here, without a call; returns its name."""
        self.nodes[self.call(name, *after)] = Node(dict.fromkeys(after, 0.0), took_s=took_s)
        return name


@dataclass(frozen=True)
class Floor:
    """The least time, and what it is made of."""

    seconds: float
    reason: str


def floor(graph: Graph, latency_s: float) -> Floor:
    """Returns the floor of a graph: the longest chain, or what a quota makes of it."""
    if not graph.nodes:
        return Floor(0.0, "nothing is asked")
    ends, previous = _ends(graph, latency_s)
    tails = _tails(graph, latency_s)
    last = max(ends, key=lambda name: ends[name])
    best = Floor(ends[last], "longest chain: " + " → ".join(_path(previous, last)))
    rates = {rate for node in graph.nodes.values() for rate in node.rates}
    for rate in sorted(rates, key=lambda rate: rate.of):
        calls = [(ends[name], tails[name]) for name, node in graph.nodes.items() if rate in node.rates]
        for head in {head for head, _ in calls}:
            for tail in {tail for _, tail in calls}:
                count = sum(1 for one in calls if one[0] >= head and one[1] >= tail)
                seconds = head + max(0, count - rate.burst) * rate.gap_s + tail
                if count and seconds > best.seconds + 1e-9:
                    best = Floor(seconds, f"quota of {rate.of}: {count} calls, one in {rate.gap_s:.3g} s")
    return best


def _ends(graph: Graph, latency_s: float) -> tuple[dict[str, float], dict[str, str]]:
    """When each call can be answered at the earliest, and the call that it waits for longest."""
    ends: dict[str, float] = {}
    previous: dict[str, str] = {}
    for name, node in graph.nodes.items():
        ends[name] = node.link_s(latency_s, 0.0)
        for before, wait_s in node.after.items():
            end = ends[before] + node.link_s(latency_s, wait_s)
            if end > ends[name]:
                ends[name], previous[name] = end, before
    return ends, previous


def _tails(graph: Graph, latency_s: float) -> dict[str, float]:
    """How long it takes at least from a call's answer to the answer of the last that waits for it."""
    tails = dict.fromkeys(graph.nodes, 0.0)
    for name, node in reversed(graph.nodes.items()):
        for before, wait_s in node.after.items():
            tails[before] = max(tails[before], node.link_s(latency_s, wait_s) + tails[name])
    return tails


def _path(previous: dict[str, str], last: str) -> list[str]:
    path = [last]
    while path[-1] in previous:
        path.append(previous[path[-1]])
    return path[::-1]
