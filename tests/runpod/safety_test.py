#!/usr/bin/env python3
"""runpod/vsr-pods where clocks, files and answers are not what they should be: nothing costs unseen or without end, and
nothing that the service says gets further than it should."""

import json
import time
import unittest
from unittest import mock

import client_test
from client_test import api, basics, fleet, limits, state


class Clocks(client_test.OfOnePod):
    """This machine's, which may be set back or wrong."""

    def setUp(self):
        super().setUp()
        self.kept.clock = basics.Clock()
        for module in (limits, state, fleet, api):
            its = mock.patch.object(module, "clock", self.kept.clock)
            its.start()
            self.addCleanup(its.stop)

    def set_back(self, hours):
        real = time.time
        return mock.patch.object(time, "time", lambda: real() - hours * 3600)

    def test_time_does_not_pass_twice_where_it_is_set_back(self):
        session = self.fleet.session
        self.fleet.rent(0)
        rental, = self.kept.alive()
        rental.asked -= 2 * 3600
        self.kept.contents.began -= 6 * 3600  # max_hours is 5
        with self.set_back(hours=6):
            self.assertAlmostEqual(self.kept.dollars(), 2 * 0.69, delta=0.1)
            self.assertIn("limits.max_hours", self.failure(8, limits.check, session))
            self.assertAlmostEqual(limits.deadline(session, 0.1), self.kept.contents.began + 5 * 3600, delta=60)

    def test_the_services_clock_counts_where_ours_is_wrong(self):
        for hours in (6, -6):
            ours, said = basics.Clock(), []
            now = time.time()
            with self.subTest(hours=hours), mock.patch.object(api, "clock", ours), self.set_back(hours), \
                    mock.patch.object(basics, "complain", said.append):
                ours.__init__()
                self.assertAlmostEqual(ours.now(), now - hours * 3600, delta=60)
                with mock.patch("http.server.BaseHTTPRequestHandler.date_time_string",
                                lambda *_: time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(now))):
                    self.api.list("pods")
                    self.api.list("pods")
                self.assertAlmostEqual(ours.now(), now, delta=60)
            self.assertEqual(len(said), 1)
            self.assertIn("6 h 00 min " + ("behind" if hours > 0 else "ahead of"), said[0])

    def test_some_seconds_are_of_no_account(self):
        ours = self.kept.clock
        with mock.patch.object(basics, "complain") as complained:
            ours.hear(time.time() - 100)
        complained.assert_not_called()
        self.assertFalse(ours.corrected)

    def test_ending_waits_no_longer_than_it_should_where_the_clock_was_ahead(self):
        self.fleet.rent(0)
        self.fleet.rent(1)
        first, second = self.kept.alive()
        self.cloud.lose(self.cloud.pods[first.id], "TERMINATED")
        first.id, first.asked = None, time.time() + 7 * 3600
        left, waits, wait = [], [], basics.signals.wait

        def wait_a_little(seconds):
            left.append(len(self.cloud.left()))
            waits.append(seconds)
            if len(waits) > 100:
                self.fail("waits for what never was")
            wait(seconds)
        with mock.patch.object(basics.signals, "wait", wait_a_little):
            self.fleet.end_all()
        self.assertEqual(set(left), {0})  # what is known is ended first: it costs meanwhile
        self.assertEqual((first.ended, self.cloud.left()), (first.asked, []))


if __name__ == "__main__":
    unittest.main()
