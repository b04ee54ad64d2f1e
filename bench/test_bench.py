"""The pure parts of the benchmark: `python -m unittest discover bench` takes a fraction of a second."""

from __future__ import annotations

import unittest
from dataclasses import replace
from xml.etree import ElementTree

import apps
import graphs
from cloud import MODEL, Call, Counts
from floor import Floor, Graph, Model, Rate, floor
from page import Machine, text, verdict
from rows import Measured, Promise, Row
from timeline import lanes, timeline


def _call(operation: str, target: str = "", **other: object) -> Call:
    fields = {"service": "lambda", "mutates": False, "status": 200, "began_s": 0.0, "took_s": 0.1, "bytes": 10} | other
    return Call(operation=operation, target=target, **fields)  # type: ignore[arg-type]


class TheFloor(unittest.TestCase):
    """What nobody can be faster than."""

    def test_is_the_longest_chain_of_calls_that_wait_for_each_other(self) -> None:
        graph = Graph()
        first, beside = graph.call("first"), graph.call("beside")
        graph.call("last", graph.call("second", first), beside)
        least = floor(graph, 0.1)
        self.assertAlmostEqual(least.seconds, 0.3)
        self.assertEqual(least.reason, "longest chain: first → second → last")

    def test_hides_the_latency_of_a_call_in_the_wait_before_it(self) -> None:
        graph = Graph()
        graph.call("use", waits={graph.call("make"): 8.0})
        self.assertAlmostEqual(floor(graph, 0.1).seconds, 8.1)

    def test_is_what_a_quota_makes_of_many_calls_and_of_what_follows_them(self) -> None:
        graph, rate = Graph(), Rate("calls", 1.0, burst=2)
        begin = graph.call("begin")
        for number in range(5):
            graph.call(f"after {number}", graph.call(f"call {number}", begin, rates=(rate,)))
        least = floor(graph, 0.1)
        self.assertAlmostEqual(least.seconds, 0.1 + 0.1 + 3 * 1.0 + 0.1)
        self.assertIn("quota of calls: 5 calls", least.reason)

    def test_does_not_count_what_can_be_done_while_a_quota_holds_up_others(self) -> None:
        graph, rate = Graph(), Rate("calls", 1.0)
        graph.call("much later", waits={graph.call("early", rates=(rate,)): 5.0})
        graph.call("alone", rates=(rate,))
        self.assertAlmostEqual(floor(graph, 0.1).seconds, 5.1)

    def test_refuses_a_call_that_waits_for_nothing_there(self) -> None:
        with self.assertRaises(ValueError):
            Graph().call("late", "never made")

    def test_of_a_first_deploy_is_role_and_activation_and_four_calls_and_the_trial_of_the_store(self) -> None:
        world = graphs.World(Model(latency_s=0.08, busy_s=1.5, role_delay_s=8.0), import_s=0.3)
        for shape in (apps.HELLO, apps.TEN):
            least = floor(graphs.first_deploy(shape, world), world.model.latency_s)
            self.assertAlmostEqual(least.seconds, 8.0 + 1.5 + (4 + 10) * 0.08)
            alone = floor(graphs.first_deploy(shape, replace(world, is_recorded=False)), world.model.latency_s)
            self.assertAlmostEqual(alone.seconds, 0.3 + 0.08 + 8.0 + 1.5)

    def test_of_a_change_has_the_import_of_the_app_between_state_and_lease(self) -> None:
        world = graphs.World(Model(latency_s=0.08, busy_s=1.5, role_delay_s=8.0), import_s=0.3)
        for graph in (graphs.code_changed(apps.TEN, world), graphs.memory_changed(world)):
            least = floor(graph, world.model.latency_s)
            self.assertAlmostEqual(least.seconds, 1.5 + 4 * 0.08 + 0.3)
            self.assertIn("GetObject state → import of the app → PutObject lease", least.reason)

    def test_of_aws_alone_has_no_record(self) -> None:
        world = graphs.World(Model(latency_s=0.08, busy_s=1.5, role_delay_s=8.0), import_s=0.3, is_recorded=False)
        of = {
            "nothing": (graphs.nothing_changed(world), 0.0),
            "memory": (graphs.memory_changed(world), 0.3 + 0.08 + 1.5),
            # The list of the bucket is read and written, then its function goes.
            "destroy": (graphs.destroy(apps.TEN, world), 3 * 0.08),
            "second": (graphs.second_preview(replace(world, import_s=None)), 2 * 0.08 + 1.5),
        }
        for name, (graph, seconds) in of.items():
            self.assertAlmostEqual(floor(graph, world.model.latency_s).seconds, seconds, msg=name)

    def test_of_twenty_previews_is_the_quota_of_deployments(self) -> None:
        least = floor(graphs.previews(20, apps.HELLO, graphs.World(MODEL, None)), MODEL.latency_s)
        self.assertGreater(least.seconds, 19 * 5.0)
        self.assertIn("quota of a deployment", least.reason)


class TheCounts(unittest.TestCase):
    """What is a call, and what a poll."""

    def test_tell_what_is_asked_again_and_what_is_refused_from_calls(self) -> None:
        calls = [
            _call("CreateFunction", "f", mutates=True, status=400),
            _call("CreateFunction", "f", mutates=True, status=201),
            _call("GetFunction", "f"),
            _call("GetFunction", "f"),
            _call("PutObject", "state", service="s3", mutates=True),
            _call("PutBucketNotificationConfiguration", "b", service="s3", mutates=True),
        ]
        self.assertEqual(Counts.of(calls), Counts(3, 2, 2, 1, 10, 0))


class ThePage(unittest.TestCase):
    """What is written."""

    def test_has_no_placeholder_left_and_says_what_is_not_met(self) -> None:
        row = Row("ten-first", "ten", Floor(1.0, "longest chain: a"), Floor(0.5, "b"), Promise(above=0.1, most={"calls": 0}), "run")
        row.measured["stagewright"] = Measured(2.0, 30.0, [_call("CreateRole", mutates=True, began_s=0.4)])
        self.assertEqual(verdict(row), "not met: 0.90 s too long, 1 calls, not 0; the first change began at 0.40 s")
        page = text([row], [], Machine(2, "cpu", "Linux", {"Stagewright": "0"}), 0.2)
        self.assertNotIn("$", page)

    def test_says_met_where_time_and_counts_are(self) -> None:
        row = Row("ten-first", "ten", Floor(1.0, "longest chain: a"), Floor(0.5, "b"), Promise(above=0.1), "run")
        row.measured["stagewright"] = Measured(1.05, 30.0, [])
        self.assertEqual(verdict(row), "met")


class ThePicture(unittest.TestCase):
    """What is drawn."""

    def test_puts_calls_that_run_at_once_side_by_side(self) -> None:
        calls = [_call("A"), _call("B", began_s=0.05), _call("C", began_s=0.2)]
        self.assertEqual(lanes(calls), [0, 1, 0])

    def test_is_xml_with_a_bar_for_each_call(self) -> None:
        run = Measured(1.0, 30.0, [_call("A", "<&>"), _call("B")])
        drawn = ElementTree.fromstring(timeline("a title", {"ours": run, "theirs": run}))
        bars = [one for one in drawn.iter("{http://www.w3.org/2000/svg}rect") if len(one)]
        self.assertEqual(len(bars), 4)


if __name__ == "__main__":
    unittest.main()
