#!/usr/bin/env python3
"""runpod/vsr-pods where clocks, files and answers are not what they should be: nothing costs unseen or without end, and
nothing that the service says gets further than it should."""

import json
import os
import re
import shutil
import time
import unittest
from unittest import mock

import client_test
import fake_runpod
from client_support import GPU, SIGINT, SIGTERM, has_rsync
from client_test import api, basics, catalogue, files, fleet, limits, ssh, state
from pods import command_line, plan, reap, room, volume


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


class Volumes(client_test.OfOnePod):
    """They cost until they are deleted, so none is forgotten."""

    MADE = {"volume_id": "", "volume_create_gb": "50", "volume_data_center": "EU-RO-1"}

    def setUp(self):
        super().setUp()
        self.said = []
        for name in ("tell", "complain"):
            heard = mock.patch.object(volume, name, lambda text: self.said.append(str(text)))
            heard.start()
            self.addCleanup(heard.stop)
        self.mine = self.of(self.api)

    def of(self, its_api, kept=None):
        return volume.Volume(mock.Mock(api=its_api, config=self.loaded(**self.MADE), state=kept or self.kept))

    def make(self, name="vsrdist-1790000000-film", center="EU-RO-1"):
        return self.cloud.make_volume({"name": name, "size": 50, "dataCenter": center})["id"]

    def left(self):
        return [each for each in self.cloud.volumes if each != self.volume]

    def test_another_accounts_not_found_is_not_deleted(self):
        made = self.mine.look()["id"]
        other = mock.Mock(url=self.api.url, key="rpa_2")
        other.list.return_value, other.delete.return_value = [], False
        self.assertIn("is not in this account", self.failure(7, self.of(other).delete))
        self.assertNotIn("is deleted", "".join(self.said))
        self.assertEqual((self.kept.contents.volume["id"], self.left()), (made, [made]))
        other.delete.return_value = True  # another key of the same account
        self.of(other).delete()
        self.assertEqual(self.kept.contents.volume, {})

    def test_what_another_account_may_have_made_is_not_forgotten(self):
        self.kept.contents.volume = {"name": "vsrdist-1-film", "account": state.account_of(self.api.url, "rpa_2")}
        self.assertIn("cannot be seen with this API key", self.failure(7, self.mine.delete))
        self.assertTrue(self.kept.contents.volume)

    def test_gone_already(self):
        self.mine.look()
        self.cloud.delete_volume(self.left()[0])
        self.assertIn("'vsr-pods down --volume' forgets it", self.failure(2, self.mine.look))
        self.mine.delete()
        self.assertIn("was gone already", self.said[-1])
        self.assertEqual(self.kept.contents.volume, {})

    def test_of_several_where_the_state_was_lost_none_is_deleted(self):
        self.make(), self.make("vsrdist-1790000001-film")
        self.assertIn("several network volumes of this pods.name", self.failure(2, self.mine.doomed))
        self.assertEqual(len(self.left()), 2)

    def test_a_twin_is_deleted_too(self):
        self.mine.look()
        self.make(self.kept.contents.volume["name"])
        self.assertEqual(len(self.left()), 2)
        self.mine.delete()
        self.assertEqual(self.left(), [])

    def test_a_refusal_leaves_nothing_that_may_have_been_made(self):
        self.fake.fail("POST", "/network-volumes", 403)
        self.failure(7, self.mine.look)
        self.assertEqual(self.state_on_disk()["volume"], {})
        self.fake.fail("POST", "/network-volumes", 502, after=True)
        self.fake.fail("GET", "/network-volumes", 403)
        with mock.patch.object(self.mine, "find", return_value=None):
            self.failure(7, self.mine.look)
        self.assertTrue(self.state_on_disk()["volume"]["name"])
        self.kept.contents.upscaled, self.kept.contents.told, self.kept.contents.measured = True, "working", {"fps": 3.0}
        self.mine.delete()
        self.assertEqual((self.left(), self.state_on_disk()["volume"]), ([], {}))
        self.assertEqual([self.state_on_disk()[name] for name in ("upscaled", "told", "measured")], [False, "", {}])

    def state_on_disk(self):
        return json.loads(self.kept.path.read_text())

    def test_one_whose_state_was_lost_is_gone_on_with(self):
        for name in ("vsrdist-1790000000-film2", "vsrdist-x-film", "somebody-elses"):
            self.make(name)
        self.make(center="US-KS-2")
        made = self.make()
        self.assertEqual(self.mine.there()["id"], made)
        self.assertEqual(self.kept.contents.volume, {})
        session, planned = mock.Mock(config=self.loaded(**self.MADE), state=self.kept), []
        with mock.patch.object(plan, "tell", planned.append):
            plan.tell_volume(session, None, None, self.mine.there())
        self.assertIn("NOTE: vsrdist-1790000000-film is found by its name, no state here knows it", planned[1])
        self.assertEqual(self.mine.look()["id"], made)
        self.assertIn(f"found network volume vsrdist-1790000000-film ({made}, 50 GB in EU-RO-1)", self.said[0])
        self.assertEqual(len(self.left()), 5)
        self.kept.contents.volume = {}
        self.make("vsrdist-1790000001-film")
        self.assertIn("several network volumes", self.failure(2, self.mine.look))

    def test_reap_tells_of_them(self):
        self.make()
        said = self.run_client("reap", "--yes", "--older", "0")
        self.assertIn("network volume vsrdist-1790000000-film", said)
        self.assertEqual((said.count("network volume"), len(self.left())), (1, 1))

    def test_one_whose_state_was_lost_is_deleted_by_its_name(self):
        mine = self.make()
        self.make("vsrdist-1790000000-film2")
        self.make(center="US-KS-2")
        self.config(**self.MADE)
        named = f"volume vsrdist-1790000000-film ({mine}, 50 GB in EU-RO-1)"
        self.assertIn(f"nothing would be ended\nthe {named} stays, and costs", self.run_client("down", "--dry-run"))
        self.assertIn(f"the {named} would be deleted", self.run_client("down", "--volume", "--dry-run"))
        self.assertIn("Delete vsrdist-1790000000-film", self.run_client("down", "--volume", status=2))  # nobody to ask
        self.assertEqual(len(self.left()), 3)
        said = self.run_client("down", "--volume", "--yes", status=2)
        self.assertIn("no state here knows it, so --yes is no answer", said)
        self.assertIn("reap --older 0 --dry-run' lists", said)
        self.assertIn(f"volume {mine} is deleted", self.answer(b"y\n", "down", "--volume", "--yes"))
        self.assertEqual(len(self.left()), 2)
        self.assertIn("this state knows no volume", self.run_client("down", "--volume", "--yes", status=2))
        self.config()
        self.assertIn("volume.id is a volume of your own", self.run_client("down", "--volume", "--yes", status=2))
        self.assertEqual(len(self.left()), 2)

    def test_status_tells_of_it(self):
        self.config(**self.MADE)
        self.assertNotIn("volume", self.run_client("status"))
        kept = state.State(self.folder / ".vsr-pods", "film")
        kept.folder.mkdir()
        kept.contents.volume = {"name": "vsrdist-1-film", "id": "vol1"}
        kept.save()
        self.assertIn("the volume vsrdist-1-film stays, and costs money", self.run_client("status"))

    def test_a_damaged_state_names_it(self):
        self.kept.path.write_text("{")
        self.assertIn("volumes, too (vsrdist-...-film)", self.failure(6, self.kept.load))

    def test_a_dry_run_finds_it_and_writes_nothing(self):
        self.make()
        self.config(**self.MADE)
        self.assertIn("the network volume vol", self.run_client("auto", "--dry-run"))
        self.assertFalse((self.folder / ".vsr-pods").exists())


class Ids(client_test.OfOnePod):
    """Of the service, which get into paths and into ssh's configuration."""

    STRANGE = ("x\n  ProxyCommand touch /tmp/x", "../pods", "a b", "", 5, None, ["x"])

    def test_strange_ones_are_not_taken(self):
        pods = [{"id": identity, "name": "vsrdist-1-1"} for identity in (*self.STRANGE, "good-1_A")]
        with mock.patch.object(self.api, "request", return_value={"pods": pods}):
            self.assertEqual([each["id"] for each in self.api.list("pods")], ["good-1_A"])
        for identity in self.STRANGE:
            with self.subTest(identity=identity), mock.patch.object(self.api, "request", return_value={"id": identity}), \
                    mock.patch.object(self.api, "list", return_value=[]):
                self.api.patience = 0
                self.assertIn("no id that can be used", self.failure(7, self.api.create, "pods", {"name": "x"}))

    def test_nor_those_of_members(self):
        self.fleet.rent(0)
        rental, = self.kept.alive()
        listed = self.api.list("pods")
        for kind, answer in (("clusters", {"id": rental.id, "pods": [{"id": self.STRANGE[0], "status": "RUNNING"}]}),
                             ("pods", {"id": self.STRANGE[0], "status": "RUNNING"})):
            rental.kind = kind
            with self.subTest(kind=kind), mock.patch.object(self.api, "request", return_value=answer):
                self.assertEqual(self.fleet.members_of(rental, [])[1], [])
        rental.kind = "pods"
        self.assertEqual(len(self.fleet.members_of(rental, listed)[1]), 1)


class OnTheVolume(client_test.Quiet):
    """Files there that are read for their sum."""

    SHA256SUM = """#!/bin/sh
    echo . >>"$FAKE_PODS/read"
    if [ -e "$FAKE_PODS/bad" ] && [ $(wc -l <"$FAKE_PODS/read") -le $(cat "$FAKE_PODS/bad") ]; then
      echo "sha256sum: $4: Input/output error" >&2
      exit 1
    fi
    PATH=${PATH#*:} exec sha256sum "$@"
    """

    def setUp(self):
        super().setUp()
        program = self.pods / "bin/sha256sum"
        program.write_text(self.SHA256SUM)
        program.chmod(0o755)
        environment = mock.patch.dict(os.environ, self.environment())
        environment.start()
        self.addCleanup(environment.stop)
        quiet = mock.patch.object(files, "complain")
        self.complained = quiet.start()
        self.addCleanup(quiet.stop)
        here = self.loaded()
        kept = state.State(self.folder / "state", "film")
        kept.hold()
        its_ssh = ssh.Ssh(here, kept)
        self.film = self.workspace / "film.mkv"
        self.film.write_text("film")
        self.transfer = files.Transfer(mock.Mock(config=here, ssh=its_ssh, state=kept), mock.Mock(alias="pod"))

    def sums(self):
        return self.transfer.sums([str(self.film), str(self.workspace / "none.mkv")])

    def bad(self, times):
        (self.pods / "bad").write_text(f"{times}\n")

    def test_what_is_not_there_is_left_out(self):
        self.assertEqual(self.sums(), {str(self.film): files.sum_of(self.film)})

    def test_what_cannot_be_read_once_is_read_again(self):
        self.bad(2)
        self.assertEqual(self.sums(), {str(self.film): files.sum_of(self.film)})
        self.assertEqual(self.complained.call_count, 2)

    def test_what_cannot_be_read_is_not_taken_for_what_is_not_there(self):
        self.bad(100)
        self.assertIn("film.mkv: Input/output error, 3 times", self.failure(6, self.sums))

    def test_nothing_is_sent_over_a_run_of_which_it_cannot_be_seen_whether_it_has_begun(self):
        def ask(words, **_):
            if words[-1].endswith("plan.h5"):
                return 1, "", f"{words[0]}: {words[-1]}: Input/output error"
            return 0, f"of another film *{self.film}\0", ""
        job = mock.Mock(**{"files.return_value": [(self.film, str(self.film))]})
        with mock.patch.object(self.transfer, "ask", ask), mock.patch.object(self.transfer, "rsync") as sent:
            self.assertIn("plan.h5: Input/output error, 3 times", self.failure(6, self.transfer.push, job))
        sent.assert_not_called()


@unittest.skipUnless(has_rsync(), "no rsync here: tests/support/get-cluster-tools fetches one")
class Names(client_test.ClientTest):
    """Of files here, which rsync could take for something else."""

    def test_colons_and_dashes(self):
        for folder in ("out:put", "-results"):
            with self.subTest(folder=folder):
                self.config(job_results=folder)
                self.tell_pods("done")
                self.run_client("auto", "--yes")
                self.assertTrue((self.folder / folder / "final/film_pitchOK.mkv").is_file())

    def test_a_configuration_in_such_a_folder(self):
        there = self.folder / "a:b"
        there.mkdir()
        for name in ("key", "key.pub", "film.mkv", "job.ini", "pods.ini"):
            (self.folder / name).rename(there / name)
        self.tell_pods("done")
        self.run_client("auto", "--yes", "--config", "a:b/pods.ini")
        self.assertTrue((there / "results/final/film_pitchOK.mkv").is_file())


class Hidden(client_test.OfOnePod):
    def test_a_pod_that_was_hidden_for_a_moment_is_ended_when_it_is_seen_again(self):
        self.fleet.rent(0)
        self.fleet.rent(1)
        first, second = self.kept.alive()
        hidden = self.cloud.pods.pop(first.id)
        first.phase = "working"
        self.fleet.look()
        self.fleet.replace(first, self.fleet.lost[first.name])
        ended = first.ended = first.ended - 3600
        self.cloud.pods[first.id] = hidden
        with mock.patch.object(fleet, "complain") as complained:
            self.fleet.look()
        self.assertIn("still or again", complained.call_args.args[0])
        self.assertEqual(list(self.cloud.pods), [second.id])
        self.assertGreater(first.ended, ended + 3000)  # it has cost meanwhile
        self.assertEqual(self.fleet.lost, {})

    def test_a_twin_that_is_over_is_let_alone(self):
        self.fleet.rent(0)
        rental, = self.kept.alive()
        listed = [*self.api.list("pods"), {"id": "twin", "name": rental.name, "status": "TERMINATED"}]
        with mock.patch.object(self.api, "list", return_value=listed), mock.patch.object(self.api, "delete") as deleted:
            self.fleet.look()
        deleted.assert_not_called()

    def test_a_twin_that_cannot_be_ended_keeps_nothing_else_from_being_seen(self):
        self.fleet.rent(0)
        rental, = self.kept.alive()
        listed = [*self.api.list("pods"), {"id": "twin", "name": rental.name, "status": "RUNNING"}]
        wrong = api.ApiError("DELETE", "/pods/twin", 500, "no")
        with mock.patch.object(self.api, "list", return_value=listed), \
                mock.patch.object(self.api, "delete", side_effect=wrong) as deleted:
            self.fleet.look()
        deleted.assert_called_once()
        self.assertIn(rental.name, self.fleet.members)


class Answers(client_test.Quiet):
    def test_a_catalogue_that_is_none_may_be_one_the_next_time(self):
        for answer in ({"gpus": None}, {}, {"gpus": "x"}, {"gpus": [None]}, {"gpus": {}}):
            with self.subTest(answer=answer), mock.patch.object(self.api, "request", return_value=answer), \
                    self.assertRaises(api.ApiError) as raised:
                catalogue.gpus(self.api, self.loaded())
            self.assertTrue(raised.exception.may_pass())

    def test_an_entry_that_cannot_be_used_keeps_no_other_from_being_rented(self):
        sound, = [gpu for gpu in catalogue.gpus(self.api, self.loaded()) if gpu["id"] == GPU]
        for wrong in ({"price": 5}, {"price": {"secure": "x"}}, {"dataCenters": [5]}, {"cudaVersions": 5}, {"name": 5}):
            answer = {"gpus": [{**sound, "id": "NVIDIA L4", "name": "L4", **wrong}, sound, {"id": 5}]}
            with self.subTest(wrong=wrong), mock.patch.object(self.api, "request", return_value=answer):
                values = self.loaded(pods_gpus=f"NVIDIA L4, {GPU}")
                found, _ = catalogue.offers(catalogue.gpus(self.api, values), values, "EU-RO-1")
                self.assertEqual(found[-1].name, GPU)

    def test_a_fault_of_ours_is_a_line(self):
        heard = []
        with mock.patch.object(command_line, "parse", side_effect=None, return_value=mock.Mock(command="auto", function=dict.fromkeys)), \
                mock.patch.object(command_line, "complain", lambda text: heard.append(str(text))), \
                mock.patch.object(basics.signals, "listen"), mock.patch.object(command_line.sys, "stdout"), \
                mock.patch.object(command_line.sys, "stderr"):
            self.assertEqual(command_line.main([]), 7)
        self.assertRegex(heard[0], r"^auto: TypeError: .* \(at command_line.py:\d+\)")


class Sizes(client_test.Quiet):
    def test_a_volume_larger_than_there_are_is_refused_before_anything_is_made(self):
        here = self.loaded(**{**Volumes.MADE, "volume_create_gb": "auto"})
        film = mock.Mock(stored_bytes=5_000_000_000_000)
        self.assertIn("4096 at most", self.failure(2, room.size, here, mock.Mock(files=lambda: []), film))

    def test_ages_of_any_precision(self):
        with mock.patch.object(reap.clock, "now", return_value=1790000000 + 60):
            for fraction in ("", ".1", ".12345", ".123456789"):
                made = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1790000000))
                self.assertEqual(reap.age({"createdAt": f"{made}{fraction}Z"}), 60)

    def test_what_the_services_clock_has_made_later_is_left_over_too(self):
        self.cloud.make_pod({"name": "vsrdist-1790000000-1", "gpu": {"id": GPU}})
        with mock.patch.object(reap.clock, "now", return_value=time.time() - 60):
            self.assertEqual(len(reap.left_over(self.api, 0)[0]), 1)


class OnDisk(client_test.OfOnePod):
    def test_what_is_not_of_its_kind_is_told(self):
        self.fleet.rent(0)
        sound = json.loads(self.kept.path.read_text())
        rental = sound["rentals"][0]
        for wrong in ({"rentals": None}, {"rentals": "x"}, {"rentals": [5]}, {"began": "x"}, {"volume": []}, {"failures": {"0": "x"}},
                      {"volume": {"name": 5}}, {"volume": {"account": "x"}}, {"account": {"url": 5}}, {"hashes": {"x": 5}},
                      {"rentals": [{**rental, "price": "1"}]}, {"rentals": [{**rental, "kind": "cats"}]},
                      {"rentals": [{**rental, "id": 5}]}, {"rentals": [{**rental, "ended": "x"}]}):
            with self.subTest(wrong=wrong):
                self.kept.path.write_text(json.dumps({**sound, **wrong}))
                self.assertIn("cannot be read", self.failure(6, self.kept.load))
        self.kept.path.write_text(json.dumps(sound))
        self.kept.load()

    def test_an_account_without_salt_is_another_one(self):
        self.fleet.rent(0)
        self.kept.contents.account.pop("salt")
        self.assertEqual(self.kept.differs(self.api.url, self.api.key), "another API key")


@unittest.skipUnless(has_rsync(), "no rsync here: tests/support/get-cluster-tools fetches one")
class Whole(client_test.ClientTest):
    MADE = Volumes.MADE

    def change(self, **changes):
        path = self.folder / ".vsr-pods/film.json"
        path.write_text(json.dumps({**self.state(), **changes}))

    def at_work(self, *words):
        process = self.start(*words)
        self.wait_for(self.started, process)
        return process

    def test_another_films_pods_are_told_of(self):
        self.run_client("up", "--yes")
        name, = self.cloud.left()
        self.config(pods_name="other")
        told = f"pods.name = film has rented, too: {name}"
        for words, status in ((("up", "--yes"), 0), (("down",), 0), (("auto",), 2)):
            self.assertEqual(self.run_client(*words, status=status).count(told), 2)
        self.config()
        self.run_client("down")
        self.config(pods_name="other")
        self.assertNotIn("has rented", self.run_client("down"))

    def test_a_connection_that_is_lost_for_a_moment_costs_no_pod(self):
        for word in ("mkdir", "sha256sum", "test"):
            program, real = self.pods / "bin" / word, shutil.which(word)
            program.write_text(f'#!/bin/sh\n[ -e "$0-asked" ] && exec {real} "$@"\n: >"$0-asked"\nexit 255\n')
            program.chmod(0o755)
        # ssh's shell has a 'test' of its own
        fake_ssh = self.folder / "bin/ssh"
        fake_ssh.write_text(fake_ssh.read_text().replace('["sh", "-c", command]', '["sh", "-c", "unalias -a; exec " + command]'))
        self.tell_pods("done")
        said = self.run_client("auto", "--yes", TRANSFER=60)
        self.assertEqual(said.count("goes on in a moment"), 3)
        self.assertEqual(len(self.made()), 1)

    def test_a_volume_is_told_of_though_the_pods_cannot_be_ended(self):
        self.config(**self.MADE)
        process = self.at_work("auto", "--yes")
        self.fake.fail("DELETE", "/pods/.*", 500, times=100000)
        process.send_signal(SIGTERM)
        for said in (self.output_of(process, 7), self.run_client("down", status=7)):
            self.assertIn("STILL RENTED", said)
            self.assertIn("stays, and costs money until 'vsr-pods down --volume'", said)
        self.fake.faults.clear()
        self.run_client("down")

    def test_up_that_fails_names_what_it_spares(self):
        self.run_client("up", "--yes")
        name, = self.cloud.left()
        self.config(pods_count="2")
        self.fake.fail("POST", "/pods", 402)
        said = self.run_client("up", status=8)
        self.assertRegex(said, f"still rented: {name} .*, .0.69 an hour until 'vsr-pods down'")
        self.run_client("down")

    def test_a_strange_catalogue_ends_no_run_that_works(self):
        self.config(pods_count="2")
        self.cloud.gpus[GPU]["stock"]["EU-RO-1"] = 1
        process = self.at_work("auto", "--yes")
        with mock.patch.object(fake_runpod, "gpu_shown", side_effect=lambda *_: None):
            self.wait_for(lambda: self.said("the answer has no gpus"), process)
        self.cloud.gpus[GPU]["stock"]["EU-RO-1"] = 1
        self.wait_for(lambda: len(self.started()) == 2, process)
        self.tell_pods("done")
        self.output_of(process)

    def test_a_volume_that_cannot_be_grown_now_is_grown_later(self):
        self.config(limits_paused_minutes="0.01", volume_grow_to_gb="150")
        process = self.at_work("auto", "--yes")
        self.fake.fail("PATCH", "/network-volumes/.*", 503, times=100000)
        self.tell_pods("state", {"run": {"state": "paused"}})
        self.wait_for(lambda: self.said("cannot be grown now"), process)
        self.fake.faults.clear()
        self.wait_for(lambda: self.said("grown from 100 to 150 GB"), process)
        self.tell_pods("state", {})
        self.tell_pods("done")
        self.output_of(process)
        self.assertEqual(len(self.made()), 1)

    def test_a_count_that_was_made_smaller(self):
        self.config(pods_count="3")
        self.run_client("up", "--yes")
        self.config(pods_count="1")
        process = self.at_work("auto")
        self.assertEqual(len(self.cloud.left()), 1)
        self.tell_pods("done")
        said = self.output_of(process)
        self.assertEqual(said.count("is more than is wanted now"), 2)
        self.assertEqual(len(self.made()), 3)
        self.assertEqual(len(re.findall("ends vsrdist-.*; Ctrl-C waits for it", said)), 1)

    def test_down_with_a_state_that_lacks_a_salt(self):
        for url in (self.fake.url, "nowhere"):
            self.config()
            self.run_client("up", "--yes")
            self.change(account={"url": url, "key": "x"})
            self.config(pods_cuont="3")
            self.assertIn("nothing is rented", self.run_client("down", "--api-url", self.fake.url))
            self.assertEqual(self.cloud.left(), [])

    def test_a_film_that_was_moved_since_is_not_asked_for(self):
        process = self.at_work("auto", "--yes")
        self.wait_for(lambda: self.said("the job runs"), process)  # and that is written down
        process.kill()
        process.wait()
        (self.folder / "film.mkv").unlink()
        tunnel = self.start("status", "--tunnel")
        said = ""
        while "is the page" not in said:
            said += (more := os.read(tunnel.stdout.fileno(), 10000).decode())
            self.assertTrue(more, said)
        tunnel.send_signal(SIGINT)
        self.output_of(tunnel)
        self.tell_pods("done")
        self.assertIn("goes on with", self.run_client("auto"))
        self.assertTrue((self.folder / "results/final/film_pitchOK.mkv").is_file())
        self.assertEqual(len(self.made()), 1)
        self.assertIn("the film is not there", self.run_client("auto", "--yes", status=3))


if __name__ == "__main__":
    unittest.main()
