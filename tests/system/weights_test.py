"""The weights come from rank 0: the others need no file."""

import shutil
import unittest

from film_support import CLIP, SOURCE, FilmTest, frame_hashes, run


class Weights(FilmTest):
    KEYS = dict(final__encoder="libx264", input__file=CLIP, input__end="0.56", preprocess__width=64, preprocess__height=64,
                segment__frames=4, stream__overlap=1, stream__max_seq_len=5, final__height=192, final__fps=24,
                final__preset="ultrafast", final__params="", final__tune="", final__variants="pitchOK")

    CHECKPOINT = "/proc/self/cwd/weights.pth"  # every process has its own

    def setUp(self):
        """A folder a rank, to run in; the checkpoint is in that of rank 0 alone."""
        self.here, self.elsewhere = self.folder / "here", self.folder / "elsewhere"
        for folder in (self.here, self.elsewhere):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        shutil.copy(SOURCE / "models/mix_c32n3.pth", self.here / "weights.pth")

    def two_ranks(self, name, *more, own=(), other=(), **keys):
        """Each in its folder; `own` and `other`: what stands before the program on each rank."""
        job = self.job(name, **{**self.KEYS, "model__checkpoint": self.CHECKPOINT, **keys}) + list(more)
        return run(["mpirun", "--oversubscribe", "--bind-to", "none",
                    "-n", "1", "-wdir", self.here, *own, *job, ":",
                    "-n", "1", "-wdir", self.elsewhere, *other, *job])

    def log(self, name, rank):
        return (self.folder / name / f"log/rank-{rank}.log").read_text()

    def hashes(self, name):
        return [frame_hashes(path) for path in sorted((self.folder / name / "segments").glob("*.mov"))]


class WithoutGpus(Weights):
    def test_reach_a_rank_that_has_no_file(self):
        run(self.job("alone", **self.KEYS, model__checkpoint=self.here / "weights.pth"), check=True)
        status, output = self.two_ranks("two")
        self.assertEqual(status, 0, output)
        for rank in (0, 1):
            self.assertIn(" MB by MPI in ", self.log("two", rank))
        self.assertIn(f"network x4 c32 n3 of {self.CHECKPOINT}", self.log("two", 1))
        self.assertNotIn("warning", output)
        self.assertEqual(self.hashes("two"), self.hashes("alone"))

    def test_are_not_sent_when_the_film_is_made(self):
        for _ in range(2):
            status, output = self.two_ranks("again", input__end="0.24")
            self.assertEqual(status, 0, output)
        self.assertIn("the film is made already", output)
        self.assertEqual(self.log("again", 0).count(" MB by MPI in "), 1)

    def test_a_rank_that_only_encodes_loads_none(self):
        job = self.job("roles", **self.KEYS, model__checkpoint=self.CHECKPOINT)
        status, output = run(["mpirun", "--oversubscribe", "--bind-to", "none",
                              "-n", "1", "-wdir", self.here, *job, ":",
                              "-n", "1", "-wdir", self.elsewhere, *job, "--role=encode"])
        self.assertEqual(status, 0, output)
        self.assertNotIn("weights:", self.log("roles", 0) + self.log("roles", 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
