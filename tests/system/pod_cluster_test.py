"""`vsr-pod start --cluster` over two hosts: MPI goes by the cluster's own network, and every rank is told its interface."""

import json
import os
import sys
import unittest
from pathlib import Path

import hosts_support
from film_support import PROGRAM, SMALL_FILM, SOURCE

VSR_POD = SOURCE / "runpod/vsr-pod"


class PodCluster(hosts_support.HostsTest):
    COUNT = 2

    def pod(self, *words):
        process = self.on(self.hosts.all[0], [sys.executable, "-B", VSR_POD, *words], VSR_PROGRAM=str(PROGRAM))
        self.assertEqual(process.wait(timeout=120), 0, process.output.read_text())
        return process.output.read_text()

    def test_the_film_is_made_by_both_nodes(self):
        folder = self.folder / "cluster"
        folder.mkdir()
        sections = {}
        for key, value in {**SMALL_FILM, "segment__frames": 1, "run__dir": folder / "run"}.items():
            section, _, name = key.partition("__")
            sections.setdefault(section, []).append(f"{name} = {value}\n")
        (folder / "job.ini").write_text("".join(f"[{name}]\n{''.join(lines)}" for name, lines in sections.items()))
        (folder / "hosts").write_text("".join(f"{host.address} slots=1\n" for host in self.hosts.all))

        self.assertIn("started", self.pod("start", folder, "--cluster", folder / "hosts", "--ranks-per-host", "2",
                                          "--cidr", "10.77.0.0/24"))
        log = lambda: "".join(path.read_text() for path in (folder / "log").glob("*.log"))
        programs = lambda: [pid for pid, name in self.hosts.all[1].processes("vsr-dist")]
        self.wait_until(lambda: programs() or "until-done: the film is made" in log())
        environment = Path(f"/proc/{programs()[0]}/environ").read_bytes().split(b"\0")
        for line in (b"NCCL_SOCKET_IFNAME=eth0", b"OMPI_MCA_btl_tcp_if_include=10.77.0.0/24"):
            self.assertIn(line, environment)
        self.wait_until(lambda: not json.loads(self.pod("state", folder).splitlines()[-1])["running"], timeout=120)
        state = json.loads(self.pod("state", folder).splitlines()[-1])
        self.assertEqual((state["done"], state["status"]), (True, 0), log())
        ranks = "".join(path.read_text() for path in (folder / "run/log").glob("rank-*.log"))
        for rank, host in enumerate(("host1", "host1", "host2", "host2")):
            self.assertIn(f"rank={rank} host={host}", ranks)
        self.assertFalse(any(host.processes() for host in self.hosts.all))


if __name__ == "__main__":
    hosts_support.enter()
    unittest.main()
