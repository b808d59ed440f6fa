"""The weights between two GPUs, and what happens where NCCL cannot bring them."""

import shutil
import subprocess
import unittest

from weights_test import Weights


def gpus():
    if shutil.which("nvidia-smi") is None:
        return 0
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


class WithGpus(Weights):
    NO_INTERFACE = ("env", "NCCL_SOCKET_IFNAME=nosuch0")

    def need(self, wanted):
        if gpus() < wanted:
            self.skipTest(f"needs {wanted} GPUs, there are {gpus()}")

    def job(self, name, **keys):
        return [argument for argument in super().job(name, **keys) if argument != "--stream.device=cpu"]

    def assert_shared(self, name, how, status, output):
        self.assertEqual(status, 0, output)
        for rank in (0, 1):
            self.assertIn(f" MB {how} in ", self.log(name, rank))
            self.assertIn(f"of {self.CHECKPOINT} on NVIDIA", self.log(name, rank))

    def test_two_gpus_have_them_by_nccl(self):
        self.need(2)
        status, output = self.two_ranks("nccl")
        self.assert_shared("nccl", "by NCCL", status, output)
        self.assertNotIn("NCCL:", output)  # no warning
        for rank in (0, 1):
            print([line for line in self.log("nccl", rank).splitlines() if "weights:" in line])

    def test_two_ranks_of_one_gpu_have_them_by_mpi_without_a_word(self):
        self.need(1)
        one = ("env", "CUDA_VISIBLE_DEVICES=0")
        status, output = self.two_ranks("one", own=one, other=one)
        self.assert_shared("one", "by MPI", status, output)
        self.assertNotIn("NCCL", output)

    def test_a_rank_without_the_interface_says_what_to_do_and_gets_them_by_mpi(self):
        self.need(2)
        status, output = self.two_ranks("interface", other=self.NO_INTERFACE)
        self.assert_shared("interface", "by MPI", status, output)
        for rank in (0, 1):  # the second at once, the first at the deadline
            self.assertEqual(self.log("interface", rank).count("NCCL: "), 1, output)
        self.assertIn("set NCCL_SOCKET_IFNAME", self.log("interface", 1))
        self.assertIn("rank 1 gets the weights by MPI", self.log("interface", 0))

    def test_a_rank_without_the_interface_reads_the_file_if_it_can(self):
        self.need(2)
        shutil.copy(self.here / "weights.pth", self.elsewhere)
        status, output = self.two_ranks("file", other=self.NO_INTERFACE)
        self.assert_shared("file", "from the file", status, output)
        self.assertNotIn("by MPI", self.log("file", 0))

    def test_where_rank_0_has_no_interface_nobody_tries(self):
        self.need(2)
        status, output = self.two_ranks("first", own=self.NO_INTERFACE)
        self.assert_shared("first", "by MPI", status, output)
        self.assertEqual(output.count("NCCL: "), 1, output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
