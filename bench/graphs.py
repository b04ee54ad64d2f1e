"""What must be called for an app, and what really waits for what: the graphs that floors are computed of.

Each is made twice. *AWS alone* is what nobody can do without, whatever they record. *With the record* is what we promise
to be near to, for we do not want to do without it either:

- every change of a stage reads its state, takes the lease by a conditional write, and changes nothing before that is
  answered; it ends with a write of the state, when everything is done;
- before a store is first relied on, it is tried: ten requests, each behind the one before, once in the life of an app;
- what a bucket tells of is one document of all stages, and is changed under a lease of its own;
- a role goes after the functions that run with it, since Lambda needs it to take the network interfaces of one in a VPC
  away: that is kept for all of them;
- whether an app has to be imported is not known before the state was read.

Chalice keeps a file on one machine, and does without all of that. An import counts as a bare Python takes for it on the
same machine: a Chalice app is a program, and what is to be done is not known before.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

from floor import Graph, Model, Rate

sys.path.append(str(Path(__file__).resolve().parent.parent / "tests" / "aws"))

import quotas  # noqa: E402

CONTROL_PLANE = Rate(quotas.LAMBDA.of, quotas.LAMBDA.gap_s, quotas.LAMBDA.burst)
NEW_API = Rate(quotas.NEW_API.of, quotas.NEW_API.gap_s, quotas.NEW_API.burst)
DEPLOYMENT = Rate(quotas.DEPLOYMENT.of, quotas.DEPLOYMENT.gap_s, quotas.DEPLOYMENT.burst)

# Before a store is first relied on, it is tried whether it keeps its promises: each look needs the write before it.
_TRIALS = (
    "GetObject what was found before",
    "PutObject one of several that make it",
    "GetObject who made it",
    "PutObject in spite of that",
    "GetObject whether it stands",
    "PutObject one of several that replace it",
    "GetObject who replaced it",
    "PutObject over a former version",
    "GetObject whether it stands still",
    "PutObject what was found",
)


@dataclass(frozen=True)
class World:
    """How AWS behaves, how long a bare Python takes to import an app here, in seconds (`None` of an app that is no program),
    and whether a record is kept."""

    model: Model
    import_s: float | None
    is_recorded: bool = True


@dataclass(frozen=True)
class Shape:
    """What an app is made of: its functions, and how many of them are called by what. One more than these serves its routes."""

    plain: int = 0
    schedules: int = 0
    queues: int = 0
    buckets: int = 0

    @property
    def functions(self) -> list[str]:
        """Names of its functions, that of its routes first."""
        kinds = {"plain": self.plain, "schedule": self.schedules, "queue": self.queues, "bucket": self.buckets}
        return ["api", *(f"{kind}{number}" for kind, count in kinds.items() for number in range(count))]


def first_deploy(shape: Shape, world: World, graph: Graph | None = None, stage: str = "") -> Graph:
    """Everything is made. The API waits for nothing but the lease: its document names functions that need not be there yet."""
    graph, model = graph or Graph(), world.model
    lease = _begin(graph, world, stage, _TRIALS)
    code = graph.call(f"{stage}PutObject zip")
    role = graph.call(f"{stage}CreateRole", *lease)
    ends = [graph.call(f"{stage}PutRolePolicy", role)]
    api = graph.call(f"{stage}ImportRestApi", *lease, rates=(NEW_API,))
    ends.append(graph.call(f"{stage}CreateDeployment", api, rates=(DEPLOYMENT,)))
    for name in shape.functions:
        made = graph.call(
            f"{stage}CreateFunction {name}", code, waits={role: model.role_delay_s}, rates=(CONTROL_PLANE,)
        )
        ends.append(graph.call(f"{stage}GetFunction {name}", waits={made: model.busy_s}))
        ends += _events(graph, world, f"{stage}{name}", made, (lease, api))
    _end(graph, world, stage, ends)
    return graph


def second_preview(world: World) -> Graph:
    """A preview whose role another preview has made: its stage is written down as a user of it, under the role's own record."""
    graph = Graph()
    lease = _begin(graph, world)
    api = graph.call("ImportRestApi", *lease, rates=(NEW_API,))
    ends = [graph.call("CreateDeployment", api, rates=(DEPLOYMENT,))]
    role = lease
    if world.is_recorded:
        role = (graph.call("PutObject who uses the role", graph.call("GetObject who uses the role", *lease)),)
    made = graph.call("CreateFunction", *role, graph.call("PutObject zip"), rates=(CONTROL_PLANE,))
    ends.append(graph.call("GetFunction", waits={made: world.model.busy_s}))
    ends.append(graph.call("AddPermission", made, api, rates=(CONTROL_PLANE,)))
    _end(graph, world, "", ends)
    return graph


def _events(graph: Graph, world: World, name: str, made: str, behind: tuple[tuple[str, ...], str]) -> list[str]:
    """What calls a function: returns the last calls for it."""
    lease, api = behind
    kind = name.rpartition(" ")[2].rstrip("0123456789")
    if kind == "plain":
        return []
    if kind == "queue":
        return [graph.call(f"CreateEventSourceMapping {name}", made, rates=(CONTROL_PLANE,))]
    lets_in = [made, api] if kind == "api" else [made]
    permission = graph.call(f"AddPermission {name}", *lets_in, rates=(CONTROL_PLANE,))
    if kind == "schedule":
        rule = graph.call(f"PutRule {name}", *lease)
        return [permission, graph.call(f"PutTargets {name}", rule, made)]
    if kind == "bucket":
        return [permission, _notify(graph, world, name, lease, permission)]
    return [permission]


def _notify(graph: Graph, world: World, name: str, lease: tuple[str, ...], *before: str) -> str:
    """Changes what a bucket tells of: it is one document of all stages, so it is read and written under a lease of its own."""
    taken = lease
    if world.is_recorded:
        taken = (graph.call(f"PutObject the bucket's lease {name}", *lease),)
    read = graph.call(f"GetBucketNotificationConfiguration {name}", *taken)
    return graph.call(f"PutBucketNotificationConfiguration {name}", read, *before)


def code_changed(shape: Shape, world: World) -> Graph:
    """One upload, and every function takes it."""
    graph = Graph()
    lease = _begin(graph, world)
    code = graph.call("PutObject zip")
    ends = []
    for name in shape.functions:
        updated = graph.call(f"UpdateFunctionCode {name}", *lease, code, rates=(CONTROL_PLANE,))
        ends.append(graph.call(f"GetFunction {name}", waits={updated: world.model.busy_s}))
    _end(graph, world, "", ends)
    return graph


def memory_changed(world: World) -> Graph:
    """One function takes another configuration."""
    graph = Graph()
    updated = graph.call("UpdateFunctionConfiguration", *_begin(graph, world), rates=(CONTROL_PLANE,))
    seen = graph.call("GetFunction", waits={updated: world.model.busy_s})
    _end(graph, world, "", [seen])
    return graph


def nothing_changed(world: World) -> Graph:
    """The state is read, and says so."""
    graph = Graph()
    if world.is_recorded:
        graph.call("GetObject state")
    return graph


def destroy(shape: Shape, world: World) -> Graph:
    """Everything goes. A role goes after its policy, a rule after its targets, and a function after the bucket that tells it: S3
    takes no other list, of another stage neither, where one of its functions is gone."""
    graph = Graph()
    lease = _begin(graph, replace(world, import_s=None))
    ends = [graph.call("DeleteRestApi", *lease)]
    functions = []
    for name in shape.functions:
        kind = name.rstrip("0123456789")
        behind = lease
        if kind == "schedule":
            ends.append(graph.call(f"DeleteRule {name}", graph.call(f"RemoveTargets {name}", *lease)))
        if kind == "bucket":
            behind = (_notify(graph, world, name, lease),)
        if kind == "queue":
            ends.append(graph.call(f"DeleteEventSourceMapping {name}", *lease, rates=(CONTROL_PLANE,)))
        functions.append(graph.call(f"DeleteFunction {name}", *behind, rates=(CONTROL_PLANE,)))
    policy = graph.call("DeleteRolePolicy", *(functions if world.is_recorded else lease))
    ends += [*functions, graph.call("DeleteRole", policy)]
    _end(graph, world, "", ends)
    return graph


def previews(count: int, shape: Shape, world: World) -> Graph:
    """So many first deploys at once, in one account."""
    graph = Graph()
    for number in range(1, count + 1):
        first_deploy(shape, world, graph, f"pr-{number}: ")
    return graph


def _begin(graph: Graph, world: World, stage: str = "", trials: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What comes before the first change: the import of the app, where one is deployed; with a record, its state is read before,
    and its lease taken behind, and the store is tried where it is new."""
    imported = f"{stage}import of the app"
    if not world.is_recorded:
        return () if world.import_s is None else (graph.local(imported, world.import_s),)
    before = read = graph.call(f"{stage}GetObject state")
    for trial in trials:
        before = graph.call(f"{stage}{trial}", before)
    known = [before]
    if world.import_s is not None:
        known.append(graph.local(imported, world.import_s, read))
    return (graph.call(f"{stage}PutObject lease", *known),)


def _end(graph: Graph, world: World, stage: str, ends: list[str]) -> None:
    """What comes behind the last change."""
    if world.is_recorded:
        graph.call(f"{stage}PutObject state, at the end", *ends)
