"""The work in the pods, by vsr-pod over ssh: start, how it is, stop."""

import json
from concurrent.futures import ThreadPoolExecutor

from .basics import INPUT, PODS, STORAGE, USAGE, Failure, complain, last_line, setting, signals, tell
from .hardware import CPU
from .ssh import Unreachable

LASTING = (2, 3, 4, 7)  # of vsr-until-done: no other start mends it
CHECK_S = 900  # of doctor: some seconds, minutes on a slow volume


class JobFailed(Failure):
    """The job cannot be done, on whichever pod; `status` is the program's, where 4 is the model."""

    def __init__(self, status, text):
        super().__init__({2: USAGE, 3: INPUT, 4: INPUT, 6: STORAGE}.get(status, PODS), text)


class Jobs:
    def __init__(self, session, fleet):
        self.session, self.fleet, self.ssh = session, fleet, session.ssh
        self.folder = session.config.folder()

    def check(self, rental):
        """vsr-dist doctor on each of its pods; what fails there, or nothing."""
        for member in self.fleet.reachable(rental):
            status, output, complaints = self.ssh.ask(member, ["vsr-pod", "check", self.folder, *role(rental)], CHECK_S)
            if status == 0:
                continue
            if status == 127:
                raise JobFailed(2, f"pods.image: there is no vsr-pod in it ({last_line(complaints)}); runpod/Dockerfile "
                                   "makes one")
            failures = [line.strip() for line in output.splitlines() if "failure" in line.split()[:2]]
            why = "; ".join(failures) or last_line(complaints) or last_line(output) or f"ended with status {status}"
            if status in (2, 3, 4):
                raise JobFailed(status, f"{member.alias}: vsr-dist doctor: {why}")
            if status == 6 and any(text in why.lower() for text in ("quota", "no space")):
                raise JobFailed(STORAGE, f"{member.alias}: the volume: {why}; grow it at the console, or make room")
            return f"fails vsr-dist doctor: {why}"
        return ""

    def check_and_start(self, rental):
        """What is wrong with the pod, or nothing: its job runs."""
        why = self.check(rental)
        if not why:
            self.start(rental)
        return why

    def start(self, rental):
        words = ["vsr-pod", "start", self.folder, *role(rental)]
        if rental.kind == "clusters":
            words += self.cluster_words(rental)
        first = self.fleet.first(rental)
        status, output, complaints = self.ssh.ask(first, words)
        said = last_line(complaints) or last_line(output)
        if status in (2, 3, 6):
            hint = "; has 'vsr-pods push' been run?" if "job.ini" in said else ""
            raise JobFailed(status, f"{first.alias}: {said}{hint}")
        if status:
            raise Failure(PODS, f"{first.alias}: vsr-pod start: {said or f'ended with status {status}'}")
        with self.session.state.writing:  # another thread may be about to write
            rental.phase = "working"
            self.session.state.contents.failures.pop(str(rental.place), None)
        self.session.state.save()
        tell(f"{first.alias}: the job runs")

    def cluster_words(self, rental):
        """One mpirun over all nodes, from the first one: a host file of their addresses in the cluster's network. Nodes
        let the first one in by themselves, a moment after they have started."""
        members, first = self.fleet.reachable(rental), self.fleet.first(rental)
        gpus = self.session.config["pods", "gpus_per_pod"]
        cluster = self.session.api.request("GET", f"/clusters/{rental.id}")
        cidr = (cluster.get("network") or {}).get("cidr")
        if not cidr:
            raise Failure(PODS, f"{rental}: the service tells no network of the cluster")
        hosts = f"{self.folder}/hosts"
        lines = "".join(f"{member.ip} slots={gpus}\n" for member in members)
        status, _, complaints = self.ssh.ask(first, ["tee", hosts], stdin=lines.encode())
        if status:
            raise JobFailed(STORAGE, f"{first.alias}: {hosts}: {last_line(complaints)}")
        for member in members[1:]:
            self.wait_for_node(first, member)
        return ["--cluster", hosts, "--ranks-per-host", gpus, "--cidr", cidr]

    def wait_for_node(self, first, member):
        options = ("BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=accept-new")
        words = ["ssh", *(f"-o{option}" for option in options), member.ip, "true"]
        for _ in range(max(1, int(setting("NODE", 120) / 4))):
            status, _, complaints = self.ssh.run(first, words, timeout=20)
            if status == 0:
                return
            signals.wait(min(4, setting("NODE", 120) / 4))
        raise Unreachable(f"{first.alias} does not reach {member.alias} ({member.ip}) by ssh: {last_line(complaints)}")

    def state(self, rental):
        """What vsr-pod tells; None when it cannot be asked now, {} when it says nothing of use."""
        members = self.fleet.reachable(rental)
        if not members:
            return None
        try:
            words = ["vsr-pod", "state", self.folder]
            status, output, _ = self.ssh.ask(members[0], words, timeout=setting("STATE", 90))
            told = json.loads(last_line(output)) if status == 0 else {}
            return told if isinstance(told, dict) else {}
        except Unreachable:
            return None
        except ValueError:
            return {}

    def answers(self, rental):
        """Whether all of its pods let us in."""
        members = self.fleet.reachable(rental)
        return bool(members) and all(self.ssh.run(member, ["true"])[0] == 0 for member in members)

    def of_all(self, function, rentals):
        """A function of each, at the same time."""
        if not rentals:
            return {}
        with ThreadPoolExecutor(min(16, len(rentals))) as pool:
            futures = {rental.name: pool.submit(function, rental) for rental in rentals}
        return {name: future.result() for name, future in futures.items()}

    def stop(self, now):
        """All jobs, those too of whose start nothing was heard; waits until they have ended, a signal comes, or a limit is
        reached."""
        self.of_all(lambda rental: self.stop_one(rental, now), self.session.state.alive())

    def stop_one(self, rental, now):
        members = self.fleet.reachable(rental)
        if members:
            words = ["vsr-pod", "stop", self.folder, *(["--now"] if now else [])]
            status, _, complaints = self.ssh.run(members[0], words, timeout=60 if now else setting("STOP", 1800))
            if status:
                complain(f"{members[0].alias}: vsr-pod stop: {last_line(complaints)}")


def role(rental):
    """Of its job: words for vsr-pod."""
    return ["--role=encode"] if rental.hardware == CPU else []
