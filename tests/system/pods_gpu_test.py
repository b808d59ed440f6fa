"""runpod/vsr-pods with pods that have this machine's cards: each sees those it has rented, and no other."""

import unittest

import hosts_support
from film_support import SOURCE, SMALL_FILM
from pods_support import CARDS
from pods_test import FilmOnPods

MODEL = SOURCE / "models/mix_c64n7.pth"


class Gpus(FilmOnPods):
    # The clip whole, 21 frames of 320x180, on the GPU by default; in segments so short that every rank has some.
    FILM = {**{key: value for key, value in SMALL_FILM.items() if not key.startswith(("preprocess__", "input__end"))},
            "segment__frames": 2, "final__height": 1440, "final__preset": "veryslow", "cluster__patience": 600,
            "cluster__encoders": 2, "model__checkpoint": MODEL}

    @classmethod
    def setUpClass(cls):
        if not CARDS:
            raise unittest.SkipTest("needs a GPU, there is none")
        super().setUpClass()

    def job(self, name, **keys):
        return [argument for argument in super().job(name, **keys) if argument != "--stream.device=cpu"]

    def need(self, wanted):
        if len(CARDS) < wanted:
            self.skipTest(f"needs {wanted} GPUs, there are {len(CARDS)}")

    def logged(self, text):
        """Lines of the ranks' logs."""
        logs = [path.read_text() for path in sorted(self.volume.glob("film/run/log/rank-*.log"))]
        return [line for log in logs for line in log.splitlines() if text in line]

    def assert_two_ranks_with_a_gpu_each(self):
        self.assertTrue(self.logged("2 of 2 ranks upscale"))
        weights = self.logged("weights: ")
        print(weights)
        self.assertEqual([" MB by NCCL in " in line for line in weights], [True, True], weights)

    def test_a_pod_with_a_gpu_upscales_and_one_without_makes_the_film(self):
        gpu, encoder = self.gpu_ends_before_the_encoder_makes_the_film(segments=11)
        self.assert_film()
        self.assertEqual((len(gpu.cards), encoder.cards), (1, []))
        network, = self.logged("network x4 c64 n7 of")
        self.assertIn(" on NVIDIA ", network)

    def test_two_gpus_of_one_pod(self):
        self.need(2)
        self.configure(pods__gpus_per_pod=2)
        self.ends(self.begin("auto"))
        self.assert_film()
        self.assert_two_ranks_with_a_gpu_each()
        self.assert_nothing_left()

    def test_a_cluster_of_nodes_with_a_gpu_each_has_its_weights_by_nccl(self):
        self.need(2)
        self.configure(pods__kind="cluster", pods__count=2)
        self.ends(self.begin("auto"))
        self.assert_film()
        self.assert_two_ranks_with_a_gpu_each()
        self.assert_nothing_left()


if __name__ == "__main__":
    hosts_support.enter()
    unittest.main(verbosity=2)
