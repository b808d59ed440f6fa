#!/usr/bin/env python3
"""runpod/vsr-pods with pods that only encode: what may be asked for, what is asked of the service, and that the pods with
a GPU end when all is upscaled, come back where they have to, and nothing that is wrong with encoders ends anything."""

import json
import re
import threading
import time
import unittest
from unittest import mock

from auto_test import Auto, run_status
from client_support import GPU, SIGKILL, SIGTERM, ClientTest, has_rsync
from client_test import Quiet
from pods import basics, catalogue, config, cost, film as films, fleet, plan, state

COUNTED = {"encoders_count": "2", "encoders_flavors": "cpu5c, cpu3c", "encoders_vcpus": "16", "encoders_max_price": "0.6"}


def upscaled(segments=10, **more):
    return run_status(segments_total=10, segments_upscaled=segments, **more)


class Asked(Quiet):
    """Configuration and catalogue."""

    def test_none_by_default(self):
        values = self.loaded()
        self.assertEqual((values["encoders", "count"], values["encoders", "flavors"], values["encoders", "max_price"]),
                         (0, [], None))

    def test_what_is_refused(self):
        for changes, said in (
                ({"encoders_vcpus": "24"}, "a power of two from 2 to 512"), ({"encoders_vcpus": "1"}, "from 2 to 512"),
                ({"encoders_count": "65"}, "from 0 to 64"), ({"encoders_flavors": "cpu5c,cpu5c"}, "each name once"),
                ({"encoders_flavors": ""}, "names none, such as cpu5c"), ({"encoders_max_price": ""}, "has to be given"),
                ({"encoders_max_price": "0"}, "a number from 0.01"), ({"encoders_flavor": "cpu5c"}, "did you mean flavors?"),
                ({"encoders_gpus": "x"}, "it stands in [pods]"), ({"encoder_count": "2"}, "did you mean encoders?"),
                ({"pods_kind": "cluster", "pods_count": "2"}, "there are none beside a cluster")):
            with self.subTest(changes=changes), self.assertRaises(basics.Failure) as raised:
                self.loaded(**{**COUNTED, **changes})
            self.assertEqual(raised.exception.status, 2)
            self.assertIn(said, str(raised.exception))

    def offers(self, center="EU-RO-1", **changes):
        found, reasons = catalogue.encoder_offers(self.api, self.loaded(**{**COUNTED, **changes}), center)
        return [(offer.name, round(offer.price, 2), offer.told) for offer in found], reasons

    def test_the_catalogue(self):
        self.assertEqual(self.offers(), ([("cpu5c", 0.56, True), ("cpu3c", 0.48, True)], {}))
        self.assertIn("vcpuCount=16", self.fake.requests[-1][1])
        self.assertEqual(self.offers("US-KS-2"), ([("cpu3c", 0.48, True)], {"cpu5c": "is not available in US-KS-2 now"}))
        found, reasons = self.offers(encoders_max_price="0.5", encoders_flavors="cpu5c, cpu3c, cpu9x")
        self.assertEqual(found, [("cpu3c", 0.48, True)])
        self.assertIn("above encoders.max_price = 0.5", reasons["cpu5c"])
        self.assertIn("did you mean cpu", reasons["cpu9x"])
        self.cloud.cpus["cpu3c"]["vcpu"] = (2, 8)
        self.assertRegex(self.offers()[1]["cpu3c"], "comes with 2 to 8 vCPUs, not with encoders.vcpus = 16")

    def test_nothing_that_ever_could_be_had(self):
        values = self.loaded(**{**COUNTED, "encoders_flavors": "cpu5d"})
        self.assertIn("encoders.flavors: cpu5d is not among the service's processors, which are cpu5c, cpu3c, cpu3g; did you mean cpu5c?",
                      self.failure(2, catalogue.encoder_offers, self.api, values, "EU-RO-1"))
        values = self.loaded(**{**COUNTED, "encoders_max_price": "0.01"})
        self.assertIn("above encoders.max_price", self.failure(8, catalogue.encoder_offers, self.api, values, "EU-RO-1"))
        values = self.loaded(**{**COUNTED, "encoders_vcpus": "64", "encoders_max_price": "9"})
        self.assertIn("encoders.flavors: none of these can ever be had: cpu5c comes with 2 to 32 vCPUs, not with encoders.vcpus = 64",
                      self.failure(2, catalogue.encoder_offers, self.api, values, "EU-RO-1"))

    def test_what_the_service_may_leave_out(self):
        for told in ({}, {"price": 3}, {"price": {"secure": 1}}, {"price": {"securePerVcpu": "x"}}, {"vcpu": [1]}):
            answer = {"cpus": [{"id": "cpu5c", "availability": "LOW", **told}, {"name": "nameless"}]}
            with self.subTest(told=told), mock.patch.object(self.api, "request", return_value=answer):
                self.assertEqual(self.offers()[0], [("cpu5c", 0.6, False)])  # the most that it may cost

    def test_jobs_that_have_nothing_to_encode_apart(self):
        for key, value in plan.NOT_APART.items():
            job = mock.Mock(values={key: value}, path="job.ini")
            self.assertIn(f"job.ini has {key} = {value}", self.failure(2, plan.check_job, self.loaded(**COUNTED), job))
            plan.check_job(self.loaded(), job)


class Rented(Quiet):
    def setUp(self):
        super().setUp()
        self.kept = state.State(self.folder / "state", "film")
        self.kept.hold()
        self.kept.begin()
        quiet = [mock.patch.object(fleet, name) for name in ("tell", "complain")]
        _, self.complained = (each.start() for each in quiet)
        for each in quiet:
            self.addCleanup(each.stop)
        self.fleet = self.made()

    def made(self, **changes):
        session = mock.Mock(api=self.api, config=self.loaded(**{**COUNTED, **changes}), state=self.kept)
        session.ssh.public_key.return_value = "ssh-ed25519 AAAA"
        return fleet.Fleet(session)

    def test_what_is_asked_of_the_service(self):
        self.fleet = self.made(pods_registry="mine", encoders_vcpus="2")
        self.assertTrue(self.fleet.fill("gpu", 1) and self.fleet.fill("cpu", 2))
        gpu, encoder, other = self.fake.asked("POST", "/pods")
        self.assertEqual(encoder["cpu"], {"id": "cpu5c", "vcpuCount": 2})
        self.assertEqual(encoder["disk"], 20)
        self.assertEqual((gpu["disk"], "cpu" in gpu, "gpu" in encoder), (40, False, False))
        for key in ("image", "registry", "cloud", "dataCenterIds", "ports", "startSsh", "mounts"):
            self.assertEqual(encoder[key], gpu[key])
        self.assertEqual(encoder["env"]["VSRDIST_POD"], encoder["name"])
        self.assertEqual([rental.hardware for rental in self.kept.alive()], ["gpu", "cpu", "cpu"])
        self.assertEqual(len({rental.place for rental in self.kept.alive()}), 3)

    def test_the_deadline_leaves_money_for_encoders(self):
        self.fleet = self.made(limits_max_usd="9.45", limits_max_hours="50")
        self.fleet.fill("gpu", 1)
        self.fleet.fill("cpu", 1)
        gpu, encoder = (int(body["env"]["VSRDIST_DEADLINE"]) for body in self.fake.asked("POST", "/pods"))
        self.assertAlmostEqual(gpu, time.time() + 9.45 / (0.69 + 2 * 0.6) * 3600, delta=60)
        self.assertAlmostEqual(encoder, time.time() + 9.45 / (0.69 + 2 * 0.56) * 3600, delta=60)

    def test_no_refusal_of_an_encoder_ends_anything(self):
        for status in (400, 404, 422):
            self.fake.fail("POST", "/pods", status, times=2, detail="not so")
            self.assertFalse(self.fleet.fill("cpu", 1))
            self.assertIn("cpu5c was refused (not so); cpu3c was refused", self.fleet.reasons_text())
        self.assertEqual(self.kept.alive(), [])

    def test_one_that_costs_more_than_told_is_given_up(self):
        real = self.cloud.rate
        with mock.patch.object(self.cloud, "rate", lambda body: 3 * real(body)):
            self.fleet.fill("cpu", 1)
            rental, = self.kept.alive()
            self.fleet.look()
        self.assertRegex(self.fleet.lost[rental.name], r"costs \$1.68 an hour, above encoders.max_price")
        self.fleet.replace(rental, self.fleet.lost[rental.name])
        self.assertEqual(self.cloud.left(), [])
        self.assertTrue(self.fleet.fill("cpu", 1))
        self.assertNotEqual([each.place for each in self.kept.alive()], [rental.place])
        self.fleet.end_all()

    def test_encoders_that_never_work_are_given_up(self):
        for _ in range(fleet.MOST_FAILURES):
            self.fleet.rent(1000)
            self.fleet.replace(self.kept.alive()[0], "is gone")
        self.assertIn("without an encoder in its place", self.complained.call_args.args[0])
        self.assertTrue(self.fleet.is_given_up(1000))
        self.assertEqual(self.cloud.left(), [])

    def test_one_is_given_up_by_a_thread_while_none_writes(self):
        giving_up = threading.Thread(target=self.fleet.give_up, args=(1000,))
        with self.kept.writing:
            giving_up.start()
            giving_up.join(0.05)
            self.assertFalse(self.fleet.is_given_up(1000))
        giving_up.join()
        self.assertTrue(self.fleet.is_given_up(1000))

    def test_a_state_of_before_is_of_pods_with_a_gpu(self):
        self.fleet.rent(0)
        stored = json.loads(self.kept.path.read_text())
        del stored["rentals"][0]["hardware"]
        self.kept.path.write_text(json.dumps(stored))
        self.kept.load()
        self.assertEqual([rental.hardware for rental in self.kept.alive()], ["gpu"])
        self.fleet.end_all()


class Told(ClientTest):
    """Plan and cost."""

    def test_the_plan(self):
        self.config(**COUNTED)
        output = self.run_client("auto", "--dry-run")
        self.assertRegex(output, r"cpu5c: \$0.56 an hour, availability in EU-RO-1 HIGH")
        self.assertIn("once the film is on the volume, 2 encoders of 16 vCPUs each, the first of these that can be had: $1.12 an "
                      "hour in all, $1.81 an hour while both are there; when all is upscaled, what has a GPU is ended", output)
        self.assertNotIn("[encoders]", output)
        self.assertIn("NOTE: with encoders this takes longer and costs more; set encoders.count = 0", output)
        self.assertIn("with 2 encoders (cpu5c, 16 vCPUs, $0.56 an hour each); the GPUs end when all is upscaled:", output)
        self.assertIn("with 2 encoders (cpu5c, 16", self.run_client("cost"))
        self.fake.fail("GET", "/catalog/cpus", 404)
        self.cloud.gpus[GPU]["price"] = (0.77, 0.4)
        output = self.run_client("cost")
        self.assertIn("with 2 encoders (cpu5c, 16 vCPUs, $0.56", output)
        self.assertRegex(output, rf"{GPU} ~ +6 +0.77 ")  # of the catalogue of GPUs, which answers
        self.assertEqual(self.made(), [])

    def test_a_catalogue_of_processors_that_fails_ends_no_plan(self):
        self.config(**COUNTED)
        self.fake.fail("GET", "/catalog/cpus", 503, times=1000)
        output = self.run_client("auto", "--dry-run", PATIENCE=90)  # which is for what nothing goes on without
        self.fake.faults.clear()
        self.assertRegex(output, "/catalog/cpus.*goes on without encoders until it answers; set encoders.count = 0")
        self.assertIn("rents 1 pod with 1 GPU", output)
        self.fake.fail("GET", "/catalog/cpus", 403)
        self.run_client("auto", "--dry-run", status=7)

    def test_what_is_refused_costs_nothing(self):
        for changes, status, said in (({"encoders_flavors": "cpu5d"}, 2, "did you mean cpu5c?"),
                                      ({"encoders_max_price": "0.1"}, 8, "above encoders.max_price")):
            self.config(**{**COUNTED, **changes})
            self.assertIn(said, self.run_client("auto", "--yes", status=status))
        self.config(**COUNTED)
        (self.folder / "job.ini").write_text("[input]\nfile = film.mkv\n[segment]\ncodec = none\n")
        self.assertIn("has segment.codec = none", self.run_client("up", "--yes", status=2))
        self.assertEqual(self.made(), [])

    def test_none_that_can_be_had_is_told(self):
        self.config(**{**COUNTED, "encoders_flavors": "cpu3g", "encoders_max_price": "2"})
        self.assertRegex(self.run_client("auto", "--dry-run"), r"2 encoders of 16 vCPUs: none can be had in EU-RO-1 now; goes on "
                         r"without \(then 0.\d\d hours, \$0.\d\d\), and tries again")

    def notes(self, max_usd, encoders, gpu=GPU, *more):
        """The notes on limits, of a whole film."""
        said = []
        self.config(**COUNTED, limits_max_usd=max_usd, limits_max_hours="12")
        values = config.Config(self.folder / "pods.ini")
        with mock.patch.object(films, "look", return_value=(cost.Film(180_000, 1024, 432), cost.Rates())), \
                mock.patch.object(plan, "tell", said.append):
            plan.tell_cost(values, mock.Mock(values={}), [gpu], {GPU: 0.69}, encoders, gpu, *more)
        return [line for line in said if line.startswith("NOTE: by th")]

    def test_the_note_on_limits_reckons_with_them(self):
        beside = cost.Encoders("cpu5c", 4, 32, 1.12)
        self.assertIn("NOTE: by this the film takes", self.notes("60", None)[0])
        self.assertEqual(self.notes("60", beside), [])
        self.assertRegex(self.notes("60", beside, GPU, False)[0], "takes 65.* hours")  # none can be had now

    def test_deadlines_before_the_film_is_made_are_told(self):
        beside = cost.Encoders("cpu5c", 4, 32, 1.12)
        fast = "NVIDIA H100 80GB HBM3"  # for an hour; with encoders for 2.4 hours more it would cost $28
        told, = self.notes("20", beside, fast)
        self.assertRegex(told, "pods end themselves before the film is made.* set limits.max_usd to 28 or more")
        self.assertEqual(self.notes("28", beside, fast), [])


@unittest.skipUnless(has_rsync(), "no rsync here: tests/support/get-cluster-tools fetches one")
class Runs(Auto):
    def setUp(self):
        super().setUp()
        self.config(**COUNTED)

    def hardware(self, name):
        return next(rental["hardware"] for rental in self.state()["rentals"] if rental["name"] == name)

    def alive(self, hardware):
        return [rental["name"] for rental in self.state()["rentals"] if rental["hardware"] == hardware and not rental["ended"]]

    def working(self, hardware):
        return [name for name in self.started() if self.hardware(name) == hardware]

    def all_at_work(self, process, encoders=2):
        self.wait_for(lambda: len(self.working("cpu")) == encoders and len(self.working("gpu")) == 1, process)

    def lose(self, name):
        self.cloud.lose(next(pod for pod in self.cloud.pods.values() if pod.name == name))

    def only_encoders(self, process):
        """Whoever has upscaled all is gone."""
        self.tell_pods("state", upscaled())
        self.wait_for(lambda: not self.alive("gpu"), process)

    def encoders_alone(self):
        self.tell_pods("state", upscaled(5))
        process = self.auto()
        self.all_at_work(process)
        self.only_encoders(process)
        return process

    def test_gpus_end_when_all_is_upscaled(self):
        self.tell_pods("state", upscaled(9))
        process = self.auto()
        self.all_at_work(process)
        gpu, = self.alive("gpu")
        self.wait_for(lambda: self.said("1 of 1 with a GPU and 2 of 2 encoders at work: working, 30.0%"), process)
        self.only_encoders(process)
        self.wait_for(lambda: self.said(" 2 of 2 encoders at work: working"), process)
        stopped = (self.pods / "stopped").read_text()
        output = self.finish(process)
        self.assert_film()
        self.assertEqual(stopped, f"{gpu} --now\n")
        self.assertRegex(output, r"all is upscaled, and \d of 2 encoders are at work: ends what has a GPU, \$\d.\d\d so far and "
                         r"\$0.69 an hour; encoders cost \$1.12 an hour")
        asked = (self.pods / "asked").read_text()
        self.assertEqual(len(re.findall("vsr-pod start .*/film --role=encode", asked)), 2)
        self.assertEqual(len(re.findall("vsr-pod check .*/film --role=encode", asked)), 2)
        self.assertLess(asked.index("rsync --server"), asked.index("--role=encode"))  # the film was there
        self.assertEqual(self.hardware(re.findall(r"^(\S+) .*rsync --server --sender", asked, re.MULTILINE)[0]), "cpu")
        self.assertEqual(len(self.made()), 3)

    def test_gpus_stay_as_long_as_no_encoder_works(self):
        self.tell_pods("state", upscaled())
        self.cloud.cpus["cpu5c"]["stock"], self.cloud.cpus["cpu3c"]["stock"] = {}, {}
        process = self.auto()
        self.wait_for(lambda: self.said("goes on with 0 of 2 encoders, and tries again"), process)
        self.wait_for(lambda: self.states_asked() > 5, process)
        self.assertEqual(len(self.alive("gpu")), 1)
        self.cloud.cpus["cpu3c"]["stock"] = {"EU-RO-1": 16}
        self.wait_for(lambda: not self.alive("gpu"), process)
        self.assertEqual(len(self.alive("cpu")), 1)
        output = self.finish(process)
        self.assertEqual(output.count("0 of 2 encoders, and tries again"), 1)
        self.assert_film()

    def test_encoders_that_wait_for_a_gpu_are_ended_until_there_is_one(self):
        self.config(**COUNTED, limits_paused_minutes="0.02")
        self.tell_pods("state", upscaled(5, segments_encoded=4))
        process = self.auto()
        self.all_at_work(process)
        first = self.alive("cpu")
        stock = self.cloud.gpus[GPU]["stock"]
        self.cloud.gpus[GPU]["stock"] = dict.fromkeys(stock, -1000)
        self.lose(self.alive("gpu")[0])
        asked = self.states_asked()
        self.wait_for(lambda: self.states_asked() > asked + 40, process)
        self.assertEqual(self.alive("cpu"), first)  # something is left to be encoded
        self.tell_pods("state", upscaled(5, segments_encoded=5))
        self.wait_for(lambda: self.said("2 encoders have waited for 0.02 minutes for a GPU"), process)
        self.wait_for(lambda: not self.cloud.left(), process)
        self.cloud.gpus[GPU]["stock"] = stock
        self.wait_for(lambda: self.working("gpu") and len(self.working("cpu")) == 2, process)
        self.finish(process)
        self.assert_film()

    def all_upscaled_and_nothing_rented(self):
        process = self.encoders_alone()
        process.send_signal(SIGTERM)
        self.output_of(process, 143)

    def test_a_start_after_all_is_upscaled_rents_encoders_alone(self):
        self.all_upscaled_and_nothing_rented()
        process = self.auto()
        self.wait_for(lambda: len(self.alive("cpu")) == 2 and set(self.alive("cpu")) <= set(self.working("cpu")), process)
        output = self.finish(process)
        self.assertIn("all is upscaled by what was told last: rents 2 encoders of 16 vCPUs", output)
        self.assertIn("the run was told to be working, 30.0% of 1000 frames, 40 fps upscaled, 2.5 fps encoded; hours and", output)
        self.assert_film()
        self.assertEqual(sum("gpu" in body for body in self.fake.asked("POST", "/pods")), 1)

    def plan_after(self, command, **more):
        """What is told of a run that had upscaled all."""
        kept = state.State(self.folder / ".vsr-pods", "film")
        kept.folder.mkdir(exist_ok=True)
        kept.contents = state.Contents(upscaled=True, told="working, 60%", **more)
        kept.save()
        return self.run_client(command, "--dry-run")

    def test_the_plan_tells_of_encoders_alone_where_they_are_rented_alone(self):
        alone, told, both = "all is upscaled by what was told last", "told to be working", "rents 1 pod with 1 GPU"
        for command, finished, has in (("auto", False, [True, True, False]), ("up", False, [False, True, True]),
                                       ("auto", True, [False, False, True])):  # after which another run begins
            output = self.plan_after(command, finished=finished)
            self.assertEqual([text in output for text in (alone, told, both)], has, output)

    def test_such_a_start_for_another_job_rents_one_encoder(self):
        self.all_upscaled_and_nothing_rented()
        self.tell_pods("state", {"running": False, "status": 2, "run": None, "said": "vsr-dist: usage: /w/run holds a run of another "
                                 "job: input.end was 1. Give another run.dir, or --fresh to start over; another start would not help"})
        said = self.run_client("auto", "--yes", status=2)
        self.assertIn("input.end was 1. Give another pods.name for another job", said)
        self.assertEqual(len(self.made()), 4)
        self.assert_nothing_left()

    def test_such_a_start_whose_run_is_gone_rents_a_gpu(self):
        self.all_upscaled_and_nothing_rented()
        self.tell_pods("state", {"run": None})
        process = self.auto(STANDS=1)
        self.wait_for(lambda: self.working("gpu"), process)
        self.finish(process)
        self.assert_film()

    def test_such_a_start_whose_encoder_does_not_come_up_rents_a_gpu(self):
        self.all_upscaled_and_nothing_rented()
        self.config(**COUNTED, limits_ready_minutes="0.02")
        self.cloud.stuck = lambda pod: pod.cpu
        asked, process = len(self.made()), self.auto()
        self.wait_for(lambda: self.working("gpu"), process)
        self.assertEqual(["cpu" in body for body in self.fake.asked("POST", "/pods")[asked:asked + 2]], [True, False])
        self.finish(process)
        self.assert_film()

    def test_lost_encoders_are_replaced(self):
        self.tell_pods("state", upscaled(5))
        process = self.auto()
        self.all_at_work(process)
        first = self.alive("cpu")[0]
        self.lose(first)
        self.wait_for(lambda: len(self.working("cpu")) == 3, process)
        self.assertRegex(self.finish(process), f"{first} .* is EXITED: is replaced")
        self.assert_film()
        self.assertEqual(sum("cpu" in body for body in self.fake.asked("POST", "/pods")), 3)

    def test_when_all_encoders_are_lost_others_are_rented(self):
        process = self.encoders_alone()
        for name in self.alive("cpu"):
            self.lose(name)
        self.wait_for(lambda: len(self.working("cpu")) == 4, process)
        self.finish(process)
        self.assert_film()
        self.assertEqual(sum("gpu" in body for body in self.fake.asked("POST", "/pods")), 1)

    def test_a_gpu_comes_back_where_no_encoder_can_be_had(self):
        process = self.encoders_alone()
        gpus = self.cloud.gpus[GPU]["stock"]
        self.cloud.gpus[GPU]["stock"] = dict.fromkeys(gpus, -1000)
        for kind in self.cloud.cpus.values():
            kind["stock"] = dict.fromkeys(kind["stock"], -1000)
        for name in self.alive("cpu"):
            self.lose(name)
        self.wait_for(lambda: self.said("goes on with 0 of 1, and tries again"), process)
        asked = len(self.fake.asked("GET", "/catalog/gpus"))
        self.wait_for(lambda: len(self.fake.asked("GET", "/catalog/gpus")) > asked + 1, process)
        self.cloud.gpus[GPU]["stock"] = gpus
        self.wait_for(lambda: self.working("gpu"), process)
        output = self.finish(process)
        self.assertEqual(output.count("goes on with 0 of 1, and tries again"), 1)
        self.assertIn(" at work: working, 30.0% of 1000 frames, 40 fps upscaled, 2.5 fps encoded, 1 h 07 min left when last told", output)
        self.assert_film()

    def test_what_has_to_be_upscaled_again_gets_a_gpu(self):
        process = self.encoders_alone()
        self.tell_pods("state", upscaled(9))
        self.wait_for(lambda: self.working("gpu"), process)
        self.finish(process)
        self.assert_film()

    def test_encoders_that_cannot_do_the_job_end_nothing(self):
        self.tell_pods("state", upscaled(5))
        process = self.auto()
        self.all_at_work(process)
        for name in self.alive("cpu"):
            self.tell_pods(f"state-{name}", {"running": False, "status": 2, "said": "vsr-dist: usage: no such option"})
        self.wait_for(lambda: not self.alive("cpu"), process)
        output = self.finish(process)
        self.assertEqual(output.count("cannot do its job: vsr-dist: usage: no such option: goes on without it"), 2)
        self.assert_film()
        self.assertEqual(len(self.made()), 3)

    def test_a_catalogue_that_fails_later_ends_nothing(self):
        self.tell_pods("state", upscaled(5))
        process = self.start("up", "--yes")  # which asks it twice
        self.output_of(process)
        self.lose(self.alive("cpu")[0])
        self.fake.fail("GET", "/catalog/cpus", 404, times=2)
        process = self.auto()
        self.wait_for(lambda: self.said("/catalog/cpus"), process)
        self.assertIn("encoders, and tries again", self.finish(process))
        self.assert_film()

    def test_up_has_them_and_down_ends_them(self):
        output = self.run_client("up", "--yes")
        self.assertEqual(output.count("is ready: ssh -F"), 3)
        self.assertIn("$1.81 an hour until 'vsr-pods down'", output)
        self.run_client("push")
        self.run_client("run")
        roles = sorted((self.pods / f"started-{name}").read_text() for name in self.started())
        self.assertEqual(roles, ["", "--role=encode", "--role=encode"])
        self.assertEqual(self.run_client("status").count("cpu5c): RUNNING, $0.56 an hour"), 2)
        gpu, = self.alive("gpu")
        self.lose(gpu)
        self.assertRegex(self.run_client("status"), "EXITED, .*; 'auto' replaces it, 'down' ends it\n(.*\n)*the run: nobody tells of it now")
        self.assertIn(f"no job was started on {gpu}; run the same command again", self.run_client("run", status=7))
        self.run_client("down")
        self.assert_nothing_left()

    def test_a_killed_client_goes_on_with_encoders_alone(self):
        process = self.encoders_alone()
        process.send_signal(SIGKILL)
        process.wait()
        self.tell_pods("state", {"run": None})  # which nobody knows for a while
        asked, process = self.states_asked(), self.start("auto")
        self.wait_for(lambda: self.states_asked() > asked + 4, process)
        self.tell_pods("state", upscaled())
        self.wait_for(lambda: self.said("2 of 2 encoders at work: working"), process)
        self.finish(process)
        self.assert_film()
        self.assertEqual(len(self.made()), 3)

    def test_a_signal_stops_encoders_too(self):
        self.tell_pods("state", upscaled(5))
        process = self.auto()
        self.all_at_work(process)
        names = self.started()
        process.send_signal(SIGTERM)
        self.output_of(process, 143)
        self.assertEqual(sorted((self.pods / "stopped").read_text().splitlines()), [f"{name} --now" for name in names])
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
