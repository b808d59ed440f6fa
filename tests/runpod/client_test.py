#!/usr/bin/env python3
"""The parts of runpod/vsr-pods: what a configuration may say, how the API's failures are taken, which GPU is chosen,
what becomes of a job file, what is on disk when."""

import fcntl
import io
import json
import os
import sys
import tempfile
import time
import unittest
from pathlib import Path
from unittest import mock

from client_support import GPU, ClientTest, has_rsync, make_key, rsync_environment

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "runpod"))
from pods import api, basics, catalogue, config, cost, files, fleet, film as films  # noqa: E402
from pods import job_file, jobs, limits, plan, room, ssh, state, watch  # noqa: E402


class Quiet(ClientTest):
    def setUp(self):
        super().setUp()
        quick = mock.patch.dict(os.environ, {"VSR_PODS_PAUSE_S": "0.01", "VSR_PODS_PATIENCE_S": "1.5", "no_proxy": "*"})
        quick.start()
        self.addCleanup(quick.stop)
        self.api = api.Api(self.fake.url, self.fake.key)

    def loaded(self, **changes):
        self.config(**changes)
        return config.Config(self.folder / "pods.ini")

    def failure(self, status, function, *arguments):
        """The one line of a failure that has to come."""
        with self.assertRaises(basics.Failure) as raised:
            function(*arguments)
        text = str(raised.exception)
        self.assertEqual(raised.exception.status, status, text)
        self.assertNotIn("\n", text)
        return text


class Configuration(Quiet):
    def refused(self, **changes):
        self.config(**changes)
        return self.failure(2, config.Config, self.folder / "pods.ini")

    def test_defaults_and_what_is_relative_to_what(self):
        values = self.loaded(pods_gpus=f"{GPU}, NVIDIA L4")
        self.assertEqual(values["pods", "gpus"], [GPU, "NVIDIA L4"])
        self.assertEqual((values["pods", "disk"], values["limits", "ready_minutes"]), (40, 20.0))
        self.assertEqual(values.file("job", "results"), self.folder / "results")
        self.assertEqual(values.folder(), f"{self.workspace}/film")

    def test_unknown_keys_and_sections_name_the_nearest(self):
        self.assertIn("there is no pods.gpu; did you mean gpus?", self.refused(pods_gpu="x"))
        self.assertIn("there is no section [volumes]; did you mean volume?", self.refused(volumes_id="x"))
        self.assertIn("there are file, input, results", self.refused(job_zzzzzz="x"))

    def test_a_key_of_another_section_names_that(self):
        self.assertIn("there is no pods.max_usd; it stands in [limits]", self.refused(pods_max_usd="5"))

    def test_comments_behind_values(self):
        self.assertEqual(self.loaded(pods_count="2 # two")["pods", "count"], 2)
        for key, value in (("pods_count", "2 ; two"), ("pods_count", "2# two"), ("job_file", "job.ini ; mine")):
            with self.subTest(value=value):
                self.assertIn("a comment behind a value begins with a space and '#'", self.refused(**{key: value}))
        self.assertEqual(self.loaded(job_file="one;two.ini")["job", "file"], "one;two.ini")
        self.assertNotIn("comment", self.refused(pods_count="two"))

    def test_what_of_a_faulty_one_is_right_is_taken(self):
        self.config(pods_cuont="3", pods_count="x", state_folder="kept", api_key_file="k")
        with open(self.folder / "pods.ini", "a") as file:
            file.write("what is this\n")
        found = config.Config.salvaged(self.folder / "pods.ini")
        self.assertEqual((found["pods", "name"], found["pods", "count"], found["state", "folder"], found["api", "key_file"]),
                         ("film", 1, "kept", "k"))
        self.assertIsNone(config.Config.salvaged(self.folder / "none.ini")["pods", "name"])

    def test_values_out_of_range(self):
        for key, value, said in (
                ("pods_count", "0", "a whole number from 1 to 64"), ("pods_count", "1e3", "a whole number"),
                ("pods_max_price", "-1", "a number from 0.01"), ("pods_max_price", "nan", "a number from 0.01"),
                ("limits_max_usd", "", "a number"), ("pods_kind", "swarm", "pods or cluster"),
                ("pods_name", "../film", "letters"), ("pods_image", "-rm -rf", "the name of a container image"),
                ("volume_path", "workspace", "a full path"), ("volume_path", "/a/../b", "a full path"),
                ("volume_path", "/$(reboot)", "a full path"), ("api_url", "http://api.runpod.io/v2", "an address"),
                ("api_url", "https://me@api.runpod.io/v2", "an address"), ("pods_min_cuda", "12", "a version"),
                ("pods_gpus", f"{GPU},{GPU}", "each name once")):
            with self.subTest(key=key, value=value):
                self.assertIn(said, self.refused(**{key: value}))

    def test_what_does_not_go_together(self):
        for changes, said in (
                ({"pods_gpus": " "}, "names no GPU"), ({"volume_create_gb": "50"}, "either id or create_gb"),
                ({"volume_id": ""}, "either id or create_gb"),
                ({"volume_id": "", "volume_create_gb": "50"}, "wants volume.data_center"),
                ({"volume_id": "", "volume_create_gb": "50", "volume_data_center": "EU-RO-1",
                  "volume_grow_to_gb": "20"}, "never shrinks"),
                ({"pods_kind": "cluster"}, "2 pods at least"), ({"pods_cloud": "COMMUNITY"}, "SECURE only")):
            with self.subTest(changes=changes):
                self.assertIn(said, self.refused(**changes))

    def test_what_has_to_be_given_and_what_is_no_ini_file(self):
        self.assertIn("limits.max_usd has to be given", self.refused(limits_max_usd=None))
        (self.folder / "pods.ini").write_text("name = film\n")
        self.failure(2, config.Config, self.folder / "pods.ini")
        (self.folder / "pods.ini").write_bytes(b"[pods]\nname = \xff\n")
        self.failure(2, config.Config, self.folder / "pods.ini")
        self.assertIn("No such file", self.failure(2, config.Config, self.folder / "none.ini"))

    def test_what_is_no_ini_file_is_told_by_its_line(self):
        path = self.folder / "pods.ini"
        for text, said in (("[pods\nname = film\n", "line 1: [pods: the name of a section ends with ']'"),
                           ("[pods]\nname = film\n[limits\n", "line 3: [limits: the name of a section ends with ']'"),
                           ("name = film\n", "line 1: name = film: has to be KEY = VALUE, below"),
                           ("[pods]\nname = a\nname = b\n", "line 3: pods.name is there twice"),
                           ("[pods]\nname = a\n[job]\n[pods]\n", "line 4: [pods] is there twice")):
            path.write_text(text)
            with self.subTest(text=text):
                self.assertIn(f"{path} {said}", self.failure(2, config.Config, path))

    def test_the_form_of_values(self):
        self.assertIn("a number from 0.01 to 100, such as 1.30, without $", self.refused(pods_max_price="$1.30"))
        self.assertNotIn("such as", self.refused(pods_max_price="101"))
        self.assertIn("has to be names that are separated by commas", self.refused(encoders_flavors="cpu5c cpu3c"))

    def test_the_example_is_a_configuration(self):
        example = Path(__file__).resolve().parents[2] / "configs/pods.ini"
        self.assertGreater(config.Config(example)["limits", "max_usd"], 0)

    def test_the_key_comes_from_file_or_environment(self):
        with mock.patch.dict(os.environ, {"RUNPOD_API_KEY": "rpa_1\n"}):
            self.assertEqual(config.api_key(None), "rpa_1")
        (self.folder / "key_file").write_text("rpa_2\n")
        for mode, told in ((0o600, 0), (0o644, 1)):
            (self.folder / "key_file").chmod(mode)
            with mock.patch.object(config, "complain") as complained:
                self.assertEqual(config.api_key(self.folder / "key_file"), "rpa_2")
            self.assertEqual(complained.call_count, told)
        (self.folder / "key_file").chmod(0o600)
        (self.folder / "key_file").write_text("rpa 2\nX: y\n")
        self.assertNotIn("rpa", self.failure(2, config.api_key, self.folder / "key_file"))
        with mock.patch.dict(os.environ, {"RUNPOD_API_KEY": ""}):
            self.assertIn("RUNPOD_API_KEY", self.failure(2, config.api_key, None))


class Requests(Quiet):
    BODY = {"name": "vsrdist-1-1", "image": "image:1", "gpu": {"id": GPU}}

    def posts(self):
        return len(self.fake.asked("POST", "/pods"))

    def test_too_many_requests_wait_as_long_as_asked(self):
        self.fake.fail("POST", "/pods", 429, headers={"Retry-After": "1"})
        begun = time.monotonic()
        self.api.create("pods", self.BODY)
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertEqual(len(self.cloud.pods), 1)
        self.assertIsNone(api.wait_of({"Retry-After": "0"}))  # else it would be asked without a pause

    def test_patience_has_an_end(self):
        self.fake.fail("GET", "/pods", 429, headers={"Retry-After": "60"})
        self.assertIn("429", self.failure(7, self.api.list, "pods"))
        self.fake.fail("GET", "/pods", 503, times=1000)
        self.assertIn("503", self.failure(7, self.api.list, "pods"))

    def test_troubles_that_pass(self):
        for status in (500, 502, 503, 0):
            self.fake.fail("GET", "/pods", status)
        self.assertEqual(self.api.list("pods"), [])

    def test_nothing_is_made_twice_after_an_answer_that_was_lost(self):
        for status in (502, 0):
            self.fake.fail("POST", "/pods", status, after=True)
            name = f"vsrdist-1-{status}"
            made = self.api.create("pods", {**self.BODY, "name": name})
            self.assertEqual([pod.id for pod in self.cloud.pods.values() if pod.name == name], [made["id"]])
        self.assertEqual(self.posts(), 2)

    def test_a_refusal_after_a_lost_answer_does_not_mean_that_nothing_was_made(self):
        for first, second in ((502, 400), (0, 402), (408, 409)):
            answers = [api.ApiError("POST", "/pods", first, "lost"), api.ApiError("POST", "/pods", second, "refused")]
            with self.subTest(first=first, second=second), mock.patch.object(self.api, "list", return_value=[]), \
                    mock.patch.object(self.api, "once", side_effect=answers), \
                    self.assertRaises(api.ApiError) as raised:
                self.api.create("pods", self.BODY)
            self.assertEqual(raised.exception.code, second)
            self.assertTrue(raised.exception.is_unknown())
        self.fake.fail("POST", "/pods", 502, after=True)
        self.fake.fail("GET", "/pods", 403)
        with self.assertRaises(api.ApiError) as raised:
            self.api.create("pods", self.BODY)
        self.assertEqual(raised.exception.code, 403)
        self.assertTrue(raised.exception.is_unknown())

    def test_a_list_without_end_has_one(self):
        page = {"pods": [{"id": "a"}, {"name": "no id"}, None], "pagination": {"nextCursor": "1"}}
        with mock.patch.object(self.api, "request", side_effect=[page] * 5):
            self.assertIn("no end", self.failure(7, self.api.list, "pods"))
        with mock.patch.object(self.api, "request", return_value={**page, "pagination": None}):
            self.assertEqual(self.api.list("pods"), [{"id": "a"}])
        with mock.patch.object(basics.signals, "received", [2]), self.assertRaises(basics.Interrupted):
            self.api.list("pods")

    def test_an_answer_that_is_no_object(self):
        with mock.patch("json.loads", return_value=[1]):
            self.assertIn("no JSON object", self.failure(7, self.api.request, "GET", "/pods"))

    def test_what_was_not_made_is_asked_for_again(self):
        self.fake.fail("POST", "/pods", 502, times=2)
        self.api.create("pods", self.BODY)
        self.assertEqual((self.posts(), len(self.cloud.pods)), (3, 1))

    def test_what_no_other_try_mends_is_asked_once(self):
        for status, exit_status, said in ((401, 7, "API key is wrong"), (403, 7, "lacks this right"),
                                          (402, 8, "balance"), (422, 7, "422"), (413, 7, "413"), (400, 7, "400"), (409, 7, "409")):
            with self.subTest(status=status):
                before = self.posts()
                self.fake.fail("POST", "/pods", status, detail="such is life\nindeed")
                text = self.failure(exit_status, self.api.create, "pods", self.BODY)
                self.assertIn(said, text)
                self.assertIn("such is life indeed", text)
                self.assertEqual(self.posts(), before + 1)

    def test_a_wrong_key_is_told_and_not_shown(self):
        text = self.failure(7, api.Api(self.fake.url, "rpa_WRONG").list, "pods")
        self.assertIn("401", text)
        self.assertIn("it is that of api.key_file or RUNPOD_API_KEY", text)
        self.assertNotIn("rpa_WRONG", text)

    def test_the_key_follows_no_redirect(self):
        self.fake.fail("GET", "/pods", 307, headers={"Location": self.fake.url + "/clusters"})
        self.assertIn("307", self.failure(7, self.api.list, "pods"))
        self.assertEqual(self.fake.asked("GET", "/clusters"), [])

    def test_long_lists_come_in_pages(self):
        self.fake.page = 2
        for number in range(5):
            self.api.create("pods", {**self.BODY, "name": f"vsrdist-1-{number}"})
        self.assertEqual(len(self.api.list("pods")), 5)

    def test_gone_already_is_as_good_as_ended(self):
        self.api.delete("pods", "pod000000none")
        pod = self.api.create("pods", self.BODY)
        self.fake.fail("DELETE", "/pods/.*", 409)  # amid another change of state
        self.api.delete("pods", pod["id"])
        self.assert_nothing_left()

    def test_an_answer_that_is_no_json(self):
        with mock.patch("json.loads", side_effect=ValueError):
            self.assertIn("no JSON", self.failure(7, self.api.request, "GET", "/pods"))


class Choice(Quiet):
    GPUS = f"NVIDIA A40, {GPU}, NVIDIA L40S"

    def offers(self, center="EU-RO-1", **changes):
        values = self.loaded(**{"pods_gpus": self.GPUS, **changes})
        found, reasons = catalogue.offers(catalogue.gpus(self.api, values), values, center)
        return [offer.name for offer in found], reasons

    def test_in_the_users_order_where_the_volume_is(self):
        found, reasons = self.offers()
        self.assertEqual(found, ["NVIDIA A40", GPU])
        self.assertEqual(reasons, {"NVIDIA L40S": "is not available in EU-RO-1 now"})
        self.assertEqual(self.offers("US-KS-2")[0], [GPU, "NVIDIA L40S"])

    def test_under_the_ceiling(self):
        found, reasons = self.offers(pods_max_price="0.5")
        self.assertEqual(found, ["NVIDIA A40"])
        self.assertIn("$0.69 an hour, above pods.max_price = 0.5", reasons[GPU])
        self.assertIn("nothing is rented", self.failure(8, lambda: self.offers(pods_max_price="0.1")))

    def test_so_many_in_a_pod(self):
        found, reasons = self.offers(pods_gpus_per_pod="9")
        self.assertEqual(found, [])  # of the A40, which comes in pods of ten, two are left
        self.assertIn("up to 8", reasons[GPU])
        self.assertIn("none of these can ever be had: NVIDIA A40 comes in pods of up to 10, below pods.gpus_per_pod = 11",
                      self.failure(2, lambda: self.offers(pods_gpus_per_pod="11")))

    def test_with_a_driver_that_is_new_enough(self):
        found, reasons = self.offers(pods_min_cuda="12.8")
        self.assertEqual(found, [GPU])
        self.assertIn("CUDA 12.8", reasons["NVIDIA A40"])

    def test_an_unknown_one_is_told_with_the_nearest(self):
        text = self.failure(2, lambda: self.offers(pods_gpus="NVIDIA GeForce RTX 4091"))
        self.assertIn(f"did you mean {GPU}?", text)

    def test_an_unknown_one_keeps_no_other_from_being_rented(self):
        found, reasons = self.offers(pods_gpus=f"NVIDIA GeForce RTX 4091, {GPU}")
        self.assertEqual(found, [GPU])
        self.assertIn(f"did you mean {GPU}?", reasons["NVIDIA GeForce RTX 4091"])
        self.assertIn("above pods.max_price", self.failure(8, lambda: self.offers(pods_gpus=f"NVIDIA GTX 1, {GPU}",
                                                                                  pods_max_price="0.1")))

    def test_a_data_centre_that_is_none_or_has_no_such_volumes(self):
        def check(center, kind="STANDARD"):
            catalogue.check_data_center(self.api, self.loaded(volume_id="", volume_create_gb="50",
                                                              volume_data_center=center, volume_type=kind))
        check("EU-RO-1")
        self.assertIn("the service has no EU-R0-1; did you mean EU-RO-1?", self.failure(2, check, "EU-R0-1"))
        self.assertIn("did you mean EU-RO-1?", self.failure(2, check, "eu-ro-1"))
        self.assertIn("it has EU-RO-1, US-KS-2, US-TX-3", self.failure(2, check, "Mars"))
        self.assertIn("those are in US-KS-2", self.failure(2, check, "EU-RO-1", "HIGH_PERFORMANCE"))
        self.fake.fail("GET", "/catalog/datacenters", 404)
        check("Mars")  # which the service does not tell

    def test_names_of_the_catalogue_do_too(self):
        self.assertEqual(self.offers(pods_gpus="rtx 4090")[0], [GPU])


class Money(Quiet):
    def session(self, **changes):
        values = self.loaded(**changes)
        kept = state.State(self.folder / "state", "film")
        kept.hold()
        kept.begin()
        return mock.Mock(config=values, state=kept)

    def rental(self, session, price, hours_ago, hours_long=None):
        asked = time.time() - hours_ago * 3600
        rental = state.Rental("vsrdist-1-1", "pods", 0, GPU, price, asked, "pod1", "working",
                              None if hours_long is None else asked + hours_long * 3600)
        session.state.contents.rentals.append(rental)

    def test_all_that_was_rented_counts(self):
        session = self.session(limits_max_usd="5")
        self.rental(session, 0.5, 8, 2)
        self.rental(session, 1.0, 3)
        self.assertAlmostEqual(session.state.dollars(), 4, 2)
        limits.check(session)
        self.rental(session, 1.0, 1)
        self.assertIn("limits.max_usd", self.failure(8, limits.check, session))

    def test_a_film_that_was_fetched_leaves_no_debt(self):
        session = self.session(limits_max_usd="5")
        self.rental(session, 6, 2, 1)
        session.state.contents.finished = True
        session.state.begin()
        self.assertEqual(session.state.dollars(), 0)

    def test_time_counts_from_the_start(self):
        session = self.session(limits_max_hours="2")
        session.state.contents.began -= 1.9 * 3600
        limits.check(session)
        session.state.contents.began -= 0.2 * 3600
        self.assertIn("limits.max_hours", self.failure(8, limits.check, session))

    def test_the_deadline_is_the_nearer_of_both(self):
        session = self.session(limits_max_usd="20", limits_max_hours="5", pods_count="4")
        self.assertAlmostEqual(limits.deadline(session, 4 * 0.5), time.time() + 5 * 3600, delta=5)
        self.assertAlmostEqual(limits.deadline(session, 4 * 2.5), time.time() + 2 * 3600, delta=5)
        self.rental(session, 1, 19.9, 19.9)
        self.assertIn("raise it", self.failure(8, limits.deadline, session, 4 * 2.5))


    def test_limits_below_the_estimate_are_told(self):
        film = cost.Film(frames=180000, width=1024, height=432)
        for hours, told in (("5", True), ("100", False)):
            said = []
            values = self.loaded(limits_max_usd="100", limits_max_hours=hours)
            with mock.patch.object(films, "look", return_value=(film, cost.Rates())), \
                    mock.patch.object(plan, "tell", said.append):
                plan.tell_cost(values, mock.Mock(), [GPU], {GPU: 0.69}, None, GPU)
            self.assertIn(GPU, "\n".join(said))
            self.assertEqual(any(line.startswith("NOTE: by this the film takes") for line in said), told, said)

    def test_prices_that_are_none_are_left_to_the_table(self):
        entries = [{"id": "a", "price": {"secure": 0.5}}, {"id": "b", "price": 0.5}, {"id": "c", "price": {"secure": "x"}}, {"id": "d"}]
        self.assertEqual(plan.prices_of(entries, self.loaded()), {"a": 0.5})


class Room(Quiet):
    """Of the network volume."""

    FILM = cost.Film(frames=180000, width=1024, height=432, stored_bytes=600_000_000_000)

    def job(self, text=""):
        (self.folder / "job.ini").write_text(f"[input]\nfile = film.mkv\n{text}")
        return job_file.JobFile(self.loaded())

    def test_a_month(self):
        self.assertEqual([round(room.dollars_a_month(gb), 2) for gb in (50, 1000, 2000)], [3.5, 70, 120])

    def test_what_the_job_takes_is_what_is_made(self):
        made = {"volume_id": "", "volume_data_center": "EU-RO-1"}
        wanted = self.loaded(volume_create_gb="auto", **made)
        self.assertEqual(room.size(wanted, self.job(), self.FILM), 751)  # a quarter to spare
        self.assertEqual(room.size(wanted, self.job(), cost.Film(21, 320, 180, stored_bytes=12_000_000)), 10)
        self.assertEqual(room.size(wanted, self.job(), None), 1160)
        self.assertEqual(room.size(wanted, self.job("[segment]\ncodec = none\n"), None), 200)
        self.assertEqual(room.size(self.loaded(volume_create_gb="70", **made), self.job(), self.FILM), 70)

    def test_sizes_that_do_not_fit_are_told(self):
        self.assertIn("takes up to some 751 GB, more than 50", room.remark(50, 751, "volume.create_gb"))
        self.assertIn("50 GB would be enough (some $3.50 a month)", room.remark(800, 50, "volume.create_gb"))
        self.assertEqual([room.remark(800, least, "x") for least in (751, 400, 0)], ["", "", ""])
        self.assertEqual(room.remark(50, 751, "x", grow_to_gb=800), "")
        self.assertIn("enlarge it at the console", room.remark(50, 751, "volume V", there=True))


@unittest.skipUnless(has_rsync(), "no rsync here: tests/support/get-cluster-tools fetches one")
class Keys(Quiet):
    """The pair that pods let in."""

    def setUp(self):
        super().setUp()
        with_agent = mock.patch.dict(os.environ, {"SSH_AUTH_SOCK": ""})
        with_agent.start()
        self.addCleanup(with_agent.stop)

    def check(self, key="key"):
        here = self.loaded(ssh_key=key)
        pair = ssh.Ssh(here, state.State(self.folder / "state", "film"))
        with mock.patch.dict(os.environ, rsync_environment()):
            pair.check()

    def test_one_that_ssh_can_use(self):
        self.check()

    def test_the_public_half(self):
        self.assertRegex(self.failure(3, self.check, "key.pub"), "is the public half; name the private one, .*/key$")

    def test_a_passphrase_that_nobody_could_type(self):
        make_key(self.folder / "locked", "secret")
        self.assertIn("ssh-add", self.failure(3, self.check, "locked"))

    def test_a_key_that_others_can_read_is_none_for_ssh(self):
        (self.folder / "key").chmod(0o644)
        self.assertIn("chmod 600", self.failure(3, self.check))

    def test_halves_of_two_keys_and_what_is_none(self):
        make_key(self.folder / "other")
        (self.folder / "key.pub").write_text((self.folder / "other.pub").read_text())
        self.assertIn("not the public half", self.failure(3, self.check))
        (self.folder / "key").write_text("no key\n")
        self.assertIn("is no private key", self.failure(3, self.check))


class Hints(Quiet):
    def test_where_a_wrong_key_is_from(self):
        for changes, whence in (({}, "RUNPOD_API_KEY"), ({"api_key_file": "wrong"}, f"api.key_file {self.folder}/wrong")):
            self.config(**changes)
            (self.folder / "wrong").write_text("rpa_WRONG")
            (self.folder / "wrong").chmod(0o600)
            said = self.run_client("auto", "--dry-run", status=7, environment={"RUNPOD_API_KEY": "rpa_WRONG"})
            self.assertIn(f"was withdrawn; it is that of {whence}\n", said)

    def test_where_nobody_answers(self):
        nobody = api.Api("http://127.0.0.1:1", "rpa_1")
        self.assertRegex(self.failure(7, nobody.list, "pods"), "refused; api.url is http://127.0.0.1:1$")

    def test_an_option_that_is_none(self):
        self.assertIn("there is no option --dryrun; did you mean --dry-run?", self.run_client("auto", "--dryrun", status=2))
        self.assertIn("unrecognized arguments: --zzz", self.run_client("auto", "--zzz", status=2))
        self.assertIn("stands behind it: status --tunnel, down --volume", self.run_client("--volume", "down", status=2))
        self.assertIn("name the film", self.run_client("auto", "film.mkv", status=2))
        self.assertIn("is no number of hours", self.run_client("reap", "--older", "x", status=2))

    def test_a_film_that_was_fetched(self):
        kept = state.State(self.folder / ".vsr-pods", "film")
        kept.folder.mkdir()
        kept.contents.finished = True
        kept.save()
        self.run_client("pull", status=7)
        (self.folder / "results/final").mkdir(parents=True)
        (self.folder / "results/final/film.mkv").write_text("x")
        self.assertIn(f"it is in {self.folder}/results/final", self.run_client("pull"))

    def test_films_that_another_has_fetched_are_not_written_over(self):
        (self.folder / "results/final").mkdir(parents=True)
        (self.folder / "results/final/film.mkv").write_text("x")
        self.assertIn("that pods.name = film has not fetched; name another folder", self.run_client("auto", "--yes", status=2))
        self.assertEqual(self.made(), [])
        kept = mock.Mock(contents=state.Contents(results=str(self.folder / "results")))
        (self.folder / "link").symlink_to(self.folder)
        for way in ("", "home/../", "link/"):  # fetched by that one
            plan.refuse_films_of_others(config.Config(self.folder / f"{way}pods.ini"), kept)
        stored = self.folder / ".vsr-pods/older.json"  # by a version that noted no results
        stored.parent.mkdir(exist_ok=True)
        stored.write_text('{"version": 1}')
        plan.refuse_films_of_others(self.loaded(), state.State(stored.parent, "older"))

    def test_what_vsr_dist_refuses_here_is_not_rented(self):
        program = self.folder / "bin/vsr-dist"
        for status, ours in ((2, 2), (3, 3), (4, 3)):
            program.write_text(f"#!/bin/sh\necho 'vsr-dist: usage: unknown key final.crff' >&2\nexit {status}\n")
            program.chmod(0o755)
            self.assertIn("unknown key final.crff", self.run_client("auto", "--yes", status=ours))
        self.assertEqual(self.made(), [])


class MissingKey(Quiet):
    def test_a_dry_run_sees_that_there_is_none(self):
        self.config(ssh_key="none")
        for command in ("auto", "up"):
            self.assertRegex(self.run_client(command, "--dry-run", status=3), "ssh.key: there is no .*/none; make one by")


class JobFiles(Quiet):
    def job(self, text, **changes):
        (self.folder / "job.ini").write_bytes(text if isinstance(text, bytes) else text.encode())
        return job_file.JobFile(self.loaded(**changes))

    def test_names_of_files_are_those_on_the_volume(self):
        (self.folder / "models").mkdir()
        (self.folder / "models/m.pth").write_text("m")
        job = self.job("# mine\n[input]\nfile = film.mkv # a film\naudio = all\n[model]\ncheckpoint = models/m.pth\n"
                       "[run]\n dir = somewhere\n[final]\nheight = 1440\n")
        text = job.on_volume().decode()
        where = f"{self.workspace}/film"
        self.assertEqual(job.files(), [(self.folder / "film.mkv", f"{where}/input/film.mkv"),
                                       (self.folder / "models/m.pth", f"{where}/model/m.pth")])
        for line in ("audio = all", "height = 1440", f'file = "{where}/input/film.mkv"', f'dir = "{where}/run"',
                     f'checkpoint = "{where}/model/m.pth"', "# mine"):
            self.assertIn(line + "\n", text)
        for line in ("a film", "somewhere", "models/m.pth"):
            self.assertNotIn(line, text)

    def test_strange_names(self):
        for name in ('it\'s "one" #1; two.mkv', "back\\slash.mkv", "tab\there.mkv", "Mädchen.mkv"):
            with self.subTest(name=name):
                (self.folder / name).write_text("film")
                job = self.job(f"[input]\nfile = {job_file.quoted(name)}\n")
                self.assertEqual(job.film.name, name)
                self.assertIn(job_file.quoted(f"{self.workspace}/film/input/{name}"), os.fsdecode(job.on_volume()))

    def test_the_configurations_film_comes_first(self):
        (self.folder / "other.mkv").write_text("film")
        self.assertEqual(self.job("[input]\nfile = none.mkv\n", job_input="other.mkv").film.name, "other.mkv")

    def test_what_is_not_there(self):
        said = self.failure(3, self.job, "[input]\nfile = none.mkv\n")
        self.assertRegex(said, "the film is not there or is no file .input.file of .*/job.ini.$")
        self.config(job_input="none.mkv")
        self.assertIn("(job.input of pods.ini)", self.run_client("auto", "--dry-run", status=3))
        self.assertIn("is a folder", self.failure(3, self.job, "[input]\nfile = bin\n"))
        (self.folder / "empty.mkv").touch()
        self.assertIn("is empty", self.failure(3, self.job, "[input]\nfile = empty.mkv\n"))
        self.assertIn("sequence", self.failure(3, self.job, "[input]\nfile = frames/%08d.png\n"))
        self.assertIn("the model", self.failure(3, self.job, "[input]\nfile = film.mkv\n[model]\ncheckpoint = x.pth\n"))
        self.assertIn("names no input.file", self.failure(2, self.job, "[final]\nheight = 720\n"))
        self.assertIn("token_file", self.failure(2, self.job, "[input]\nfile = film.mkv\n[status]\ntoken_file = t\n"))
        self.assertIn("No such file", self.failure(3, lambda: job_file.JobFile(self.loaded(job_file="none.ini"))))


class OnDisk(Quiet):
    def held(self):
        kept = state.State(self.folder / "state", "film")
        kept.hold()
        return kept

    def test_what_was_written_is_read_again(self):
        kept = self.held()
        kept.begin()
        kept.contents.rentals.append(state.Rental(kept.next_name(), "pods", 0, GPU, 0.5, 1.0))
        kept.save()
        again = state.State(self.folder / "state", "film")
        self.assertEqual(again.contents, kept.contents)
        self.assertRegex(again.alive()[0].name, r"^vsrdist-\d+-\d+$")

    def test_another_key_or_address_is_noticed_and_the_key_is_not_written(self):
        kept = self.held()
        self.assertEqual(kept.differs("https://a", "rpa_1"), "")
        kept.note_account("https://a", "rpa_1")
        kept.contents.rentals.append(state.Rental("vsrdist-1-1", "pods", 0, GPU, 0.5, 1.0, "pod1"))
        kept.save()
        again = state.State(self.folder / "state", "film")
        self.assertNotIn("rpa_1", again.path.read_text())
        self.assertEqual(again.differs("https://a", "rpa_1"), "")
        self.assertEqual(again.differs("https://a", "rpa_2"), "another API key")
        self.assertEqual(again.differs("https://b", "rpa_1"), "api.url = https://a")
        again.contents.rentals[0].ended = 2.0
        self.assertEqual(again.differs("https://b", "rpa_2"), "")

    def test_one_client_at_a_time(self):
        kept = self.held()
        other = state.State(self.folder / "state", "film")
        text = self.failure(2, other.hold)
        self.assertIn(f"'kill {os.getpid()}'", text)
        fcntl.flock(kept.lock, fcntl.LOCK_UN)
        other.hold()

    def test_damage_and_other_versions_are_told(self):
        self.held().begin()
        path = self.folder / "state/film.json"
        path.write_text(path.read_text()[:-5])
        self.assertIn("reap", self.failure(6, self.held))
        path.write_text(json.dumps({"version": 99}))
        self.assertIn("another version", self.failure(2, self.held))

    def test_a_folder_that_cannot_be_made(self):
        (self.folder / "file").write_text("")
        self.failure(6, state.State(self.folder / "file/state", "film").hold)


class OfOnePod(Quiet):
    """A fleet of one pod, which the service has."""

    def setUp(self):
        super().setUp()
        self.kept = state.State(self.folder / "state", "film")
        self.kept.hold()
        self.kept.begin()
        session = mock.Mock(api=self.api, config=self.loaded(), state=self.kept)
        session.ssh.public_key.return_value = "ssh-ed25519 AAAA"
        for name in ("tell", "complain"):
            quiet = mock.patch.object(fleet, name)
            quiet.start()
            self.addCleanup(quiet.stop)
        quick = mock.patch.dict(os.environ, {"VSR_PODS_SETTLE_S": "0.2", "VSR_PODS_END_S": "2"})
        quick.start()
        self.addCleanup(quick.stop)
        self.fleet = fleet.Fleet(session)


class Rented(OfOnePod):
    def test_a_folder_called_full_is_not_full(self):
        self.fleet.rent(0)
        its_fleet = mock.Mock()
        its_fleet.reachable.return_value = [mock.Mock(alias="pod")]
        work = jobs.Jobs(self.fleet.session, its_fleet)
        said = "failure  commits  /workspace/full/run: Input/output error"
        work.ssh.ask.return_value = (6, said, "")
        self.assertEqual(work.check(self.kept.alive()[0]), f"fails vsr-dist doctor: {said}")

    def test_a_twin_that_the_list_goes_on_to_have_is_paid_once(self):
        self.fleet.rent(0)
        rental, = self.kept.alive()
        rental.asked -= 3600
        listed = [{"id": identity, "name": rental.name, "status": "RUNNING"} for identity in (rental.id, "podtwin")]
        with mock.patch.object(self.api, "list", return_value=listed), mock.patch.object(self.api, "delete", return_value=True):
            for _ in range(3):
                self.fleet.look()
        self.assertAlmostEqual(rental.twins, 0.69, delta=0.01)

    def test_what_may_have_been_made_stays_in_the_state(self):
        self.fake.fail("POST", "/pods", 502, after=True)
        self.fake.fail("GET", "/pods", 403)
        self.failure(7, self.fleet.rent, 0)
        self.assertEqual(len(self.cloud.pods), 1)
        self.assertEqual(len(self.kept.alive()), 1)
        self.fleet.end_all()
        self.assert_nothing_left()

    def test_what_comes_late_of_a_name_that_is_over_is_ended(self):
        self.fleet.rent(0)
        body = next(iter(self.cloud.pods.values())).body
        end = self.fleet.end

        def end_and_be_late(*arguments):
            end(*arguments)
            self.cloud.make_pod(dict(body))
        with mock.patch.object(self.fleet, "end", end_and_be_late):
            self.fleet.end_all()
        self.assert_nothing_left()

    def test_a_pod_that_is_not_told_of_yet_is_not_gone(self):
        self.fleet.rent(0)
        self.fake.fail("GET", "/pods/.*", 404)
        with mock.patch.object(self.api, "list", return_value=[]):
            self.fleet.look()
            self.assertEqual(self.fleet.lost, {})
            self.kept.alive()[0].phase = "ready"
            self.fake.fail("GET", "/pods/.*", 404)
            self.fleet.look()
        self.assertEqual(list(self.fleet.lost.values()), ["is gone"])

    def test_words_that_cannot_be_used_are_told_once_and_the_pod_is_not_ready(self):
        self.fleet.rent(0)
        rental, = self.kept.alive()
        pod = {"id": rental.id, "name": rental.name, "status": "RUNNING"}
        with mock.patch.object(fleet, "complain") as complained:
            for words in ({"ssh": "no"}, {"ssh": ["x"]}, {"ssh": {"direct": 5}}, {"cluster": 3, "ssh": None}, {"cost": "much"},
                          {"ssh": {"direct": {"host": "-oProxyCommand=x", "port": 22, "username": "root"}}},
                          {"ssh": {"direct": {"host": "h", "port": "22", "username": "root"}}}, {"status": None}):
                with self.subTest(words=words), mock.patch.object(self.api, "list", return_value=[{**pod, **words}]):
                    self.fleet.look()
                    self.fleet.look()
                    self.assertEqual((self.fleet.reachable(rental), self.fleet.lost), ([], {}))
        said = [call.args[0] for call in complained.call_args_list]
        self.assertEqual(len(said), len(set(said)))
        self.assertIn("strange address for ssh: root@-oProxyCommand=x", "\n".join(said))

    def test_a_volume_whose_making_was_not_heard_of_is_deleted_too(self):
        made = self.cloud.make_volume({"name": "vsrdist-1-film", "size": 50, "dataCenter": "EU-RO-1"})
        self.kept.contents.volume = {"name": made["name"]}
        self.fleet.network_volume.delete()
        self.assertEqual(list(self.cloud.volumes), [self.volume])

    def test_a_cluster_without_members_is_not_gone(self):
        self.fleet.session.config = self.loaded(pods_kind="cluster", pods_count="2")
        self.fleet = fleet.Fleet(self.fleet.session)
        self.fleet.rent(0)
        self.kept.alive()[0].phase = "ready"
        self.fake.fail("GET", "/clusters/.*/pods", 404)
        self.fleet.look()
        self.assertEqual(self.fleet.lost, {})
        self.cloud.delete_cluster(self.kept.alive()[0].id)
        self.fleet.look()
        self.assertEqual(list(self.fleet.lost.values()), ["is gone"])

    def test_another_accounts_not_found_is_not_gone(self):
        self.fleet.rent(0)
        other = fleet.Fleet(mock.Mock(api=mock.Mock(url="https://b", key="rpa_2"), config=self.fleet.config,
                                      state=self.kept))
        self.assertIn(f"rented with api.url = {self.api.url}; use that", self.failure(2, other.refuse_strange))
        other.api.delete.return_value, other.api.list.return_value = False, []
        self.assertIn("STILL RENTED", self.failure(7, other.end_all))
        self.assertEqual(len(self.kept.alive()), 1)
        self.fleet.end_all()
        self.assert_nothing_left()

    def test_one_strange_answer_keeps_no_other_pod_alive(self):
        self.fleet.rent(0)
        self.fleet.rent(1)
        settled, first = self.api.delete, self.kept.alive()[0].id
        broken = [AttributeError("no dict"), KeyError("id")]

        def delete(what, identity, patience=None):
            if identity == first and broken:
                raise broken.pop()
            return settled(what, identity, patience)
        with mock.patch.object(self.api, "delete", delete):
            self.fleet.end_all()
        self.assert_nothing_left()

    def test_pods_that_are_lost_without_a_frame_more_have_an_end(self):
        for number in range(fleet.MOST_FAILURES):
            self.fleet.rent(0)
            rental, = self.kept.alive()
            rental.phase = "working"
            if number + 1 < fleet.MOST_FAILURES:
                self.fleet.replace(rental, "is gone")
        self.assertIn("without a frame more", self.failure(7, self.fleet.replace, rental, "is gone"))
        self.assert_nothing_left()


class Answers(unittest.TestCase):
    def test_a_status_that_is_none(self):
        for run in ({}, {"frames_total": 10}, {"frames_total": "x"}, {"frames_total": 10, "left_s": None, "state": 3}):
            self.assertTrue(watch.progress_text(run))
        self.assertEqual(watch.newest({"a": {"run": {"now": 3}}, "b": {"run": {"now": "4"}}, "c": {"run": 5}}), {"now": "4"})

    def test_what_was_measured_is_not_forgotten_with_the_last_chunks(self):
        kept = mock.Mock(contents=state.Contents(measured={"gpu": GPU, "fps": 30.0, "core_s_frame": 8.0}))
        watch.Watch(mock.Mock(state=kept), None).note({"ranks": [{"cpus": 16, "gpu": {"name": GPU}}], "upscale_fps_mean": 40.0})
        self.assertEqual(kept.contents.measured, {"gpu": GPU, "fps": 40.0, "core_s_frame": 8.0})

    def test_a_limit_ends_what_takes_long(self):
        def reached():
            raise basics.Failure(8, "limits.max_usd")
        with mock.patch.object(basics.signals, "limit", reached):
            with self.assertRaises(basics.Failure):
                basics.run(["sleep", "60"])
            with mock.patch.object(basics.signals, "deaf", True):
                self.assertEqual(basics.run(["sleep", "0.3"])[0], 0)

    def test_whatever_is_said_ends_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            talk = basics.Talk()
            talk.log = Path(folder) / "log"
            stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
            talk.line("M\u00e4dchen \udcff", stream)
            self.assertIn("M\u00e4dchen \\udcff", talk.log.read_text(encoding="utf-8"))
            stream.close()
            talk.line("once more", stream)
            self.assertIn("once more", talk.log.read_text(encoding="utf-8"))


class Lines(unittest.TestCase):
    def attempts(self, *seconds):
        """How often it is tried, where the connection is lost after so many seconds each time."""
        now, lost = [0.0], []

        def attempt():
            if len(lost) < len(seconds):
                now[0] += seconds[len(lost)]
                lost.append(now[0])
                raise ssh.Unreachable("Broken pipe")
        with mock.patch.object(files.time, "monotonic", lambda: now[0]), mock.patch.object(files.signals, "wait"), \
                mock.patch.object(files, "complain"), mock.patch.object(files, "setting", lambda _, default: default):
            try:
                files.Transfer.patiently(attempt)
            except ssh.Unreachable:
                return len(lost)
        return len(lost) + 1

    def test_one_that_is_lost_after_hours_is_tried_again(self):
        self.assertEqual(self.attempts(7200, 7200), 3)

    def rsync(self, *complaints):
        """What is said of it in the end, where rsync complains so, one time after the other, and then no more."""
        told = [(11, "", f'rsync: [receiver] write failed on "/w/film (28).mkv": {text}\nrsync error: error in file IO') for text in
                complaints]
        session = mock.Mock()
        session.ssh.command.return_value = ["ssh"]
        with mock.patch.object(files, "run", side_effect=[*told, (0, "", "")]), mock.patch.object(files.signals, "wait"), \
                mock.patch.object(files, "complain"):
            try:
                files.Transfer(session, mock.Mock()).rsync("film", "pod:film")
            except basics.Failure as error:
                return str(error)
        return ""

    def test_an_io_error_of_the_volume_passes_and_three_do_not(self):
        bad = "Input/output error (5)"
        self.assertEqual(self.rsync(bad, bad), "")
        self.assertIn(bad, self.rsync(bad, bad, bad))
        self.assertIn("rsync: [receiver]", self.rsync("Permission denied (13)"))
        for full in ("Disk quota exceeded (122)", "Kein Speicherplatz mehr verf\u00fcgbar (28)"):
            self.assertIn("no room", self.rsync(full))

    def test_one_that_never_comes_has_an_end(self):
        self.assertEqual(self.attempts(7200, *[40] * 20), 9)


class Sums(unittest.TestCase):
    def test_a_signal_is_not_kept_waiting(self):
        with tempfile.NamedTemporaryFile() as file:
            file.truncate(1 << 36)  # of nothing
            with mock.patch.object(basics.signals, "received", [2]), self.assertRaises(basics.Interrupted):
                files.sum_of(Path(file.name))


if __name__ == "__main__":
    unittest.main()
