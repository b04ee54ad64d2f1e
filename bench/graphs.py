"""What must be called for an app, and what really waits for what: the graphs that floors are computed of.

Every change of a stage begins with its state: it is read, then the lease is taken by a conditional write, and nothing
is changed before that is answered. It ends with a write of the state, when everything is done. This is the price of a
shared, exact record; Chalice, which keeps a file on one machine, does not pay it.

A Chalice app is a program: what is to be done is not known before it was imported, and whether it has to be imported
not before the state was read. The import counts as a bare Python takes for it on the same machine.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
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
    """How AWS behaves, and how long a bare Python takes to import an app here, in seconds; `None` of an app that is no program."""

    model: Model
    import_s: float | None


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
    lease = _begin(graph, world.import_s, stage, _TRIALS)
    code = graph.call(f"{stage}PutObject zip")
    role = graph.call(f"{stage}CreateRole", lease)
    ends = [graph.call(f"{stage}PutRolePolicy", role)]
    api = graph.call(f"{stage}ImportRestApi", lease, rates=(NEW_API,))
    ends.append(graph.call(f"{stage}CreateDeployment", api, rates=(DEPLOYMENT,)))
    for name in shape.functions:
        made = graph.call(
            f"{stage}CreateFunction {name}", code, waits={role: model.role_delay_s}, rates=(CONTROL_PLANE,)
        )
        ends.append(graph.call(f"{stage}GetFunction {name}", waits={made: model.busy_s}))
        ends += _events(graph, stage, name, made, (lease, api))
    graph.call(f"{stage}PutObject state, at the end", *ends)
    return graph


def _events(graph: Graph, stage: str, name: str, made: str, behind: tuple[str, str]) -> list[str]:
    """What calls a function: returns the last calls for it."""
    lease, api = behind
    kind = name.rstrip("0123456789")
    if kind == "plain":
        return []
    if kind == "queue":
        return [graph.call(f"{stage}CreateEventSourceMapping {name}", made, rates=(CONTROL_PLANE,))]
    lets_in = [made, api] if kind == "api" else [made]
    permission = graph.call(f"{stage}AddPermission {name}", *lets_in, rates=(CONTROL_PLANE,))
    if kind == "schedule":
        rule = graph.call(f"{stage}PutRule {name}", lease)
        return [permission, graph.call(f"{stage}PutTargets {name}", rule, made)]
    if kind == "bucket":
        return [permission, _notify(graph, f"{stage}{name}", lease, permission)]
    return [permission]


def _notify(graph: Graph, name: str, lease: str, *before: str) -> str:
    """Changes what a bucket tells of: it is one document of all stages, so it is read and written under a lease of its own."""
    taken = graph.call(f"PutObject the bucket's lease {name}", lease)
    read = graph.call(f"GetBucketNotificationConfiguration {name}", taken)
    return graph.call(f"PutBucketNotificationConfiguration {name}", read, *before)


def code_changed(shape: Shape, world: World) -> Graph:
    """One upload, and every function takes it."""
    graph = Graph()
    lease = _begin(graph, world.import_s)
    code = graph.call("PutObject zip")
    ends = []
    for name in shape.functions:
        updated = graph.call(f"UpdateFunctionCode {name}", lease, code, rates=(CONTROL_PLANE,))
        ends.append(graph.call(f"GetFunction {name}", waits={updated: world.model.busy_s}))
    graph.call("PutObject state, at the end", *ends)
    return graph


def memory_changed(world: World) -> Graph:
    """One function takes another configuration."""
    graph = Graph()
    updated = graph.call("UpdateFunctionConfiguration", _begin(graph, world.import_s), rates=(CONTROL_PLANE,))
    seen = graph.call("GetFunction", waits={updated: world.model.busy_s})
    graph.call("PutObject state, at the end", seen)
    return graph


def nothing_changed() -> Graph:
    """The state is read, and says so."""
    graph = Graph()
    graph.call("GetObject state")
    return graph


def destroy(shape: Shape) -> Graph:
    """Everything goes. A role goes after its policy and after the functions that run with it: Lambda takes their network
    interfaces away with it. A rule goes after its targets, and a function after the bucket that tells it: S3 takes no
    other list, of another stage neither, where one of its functions is gone."""
    graph = Graph()
    lease = _begin(graph, None)
    ends = [graph.call("DeleteRestApi", lease)]
    functions = []
    for name in shape.functions:
        kind = name.rstrip("0123456789")
        behind = lease
        if kind == "schedule":
            ends.append(graph.call(f"DeleteRule {name}", graph.call(f"RemoveTargets {name}", lease)))
        if kind == "bucket":
            behind = _notify(graph, name, lease)
        if kind == "queue":
            ends.append(graph.call(f"DeleteEventSourceMapping {name}", lease, rates=(CONTROL_PLANE,)))
        functions.append(graph.call(f"DeleteFunction {name}", behind, rates=(CONTROL_PLANE,)))
    policy = graph.call("DeleteRolePolicy", *functions)
    ends.append(graph.call("DeleteRole", policy))
    graph.call("PutObject state, at the end", *ends)
    return graph


def previews(count: int, shape: Shape, world: World) -> Graph:
    """So many first deploys at once, in one account."""
    graph = Graph()
    for number in range(1, count + 1):
        first_deploy(shape, world, graph, f"pr-{number}: ")
    return graph


def _begin(graph: Graph, import_s: float | None, stage: str = "", trials: tuple[str, ...] = ()) -> str:
    """Reads the state, imports the app where one is deployed, tries the store where it is new, and takes the lease."""
    before = read = graph.call(f"{stage}GetObject state")
    for trial in trials:
        before = graph.call(f"{stage}{trial}", before)
    known = [before] if import_s is None else [before, graph.local(f"{stage}import of the app", import_s, read)]
    return graph.call(f"{stage}PutObject lease", *known)
