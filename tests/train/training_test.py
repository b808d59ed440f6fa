#!/usr/bin/env python3
"""Tests scripts/train at toy size on the CPU. Skips where Python has no torch."""

import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAIN = ROOT / "scripts/train"
GOLDEN = ROOT.parent / "shared/golden"
CLIP = ROOT / "tests/data/reds_demo_000.mkv"

try:
    import torch

    torch.nn  # the headers and libraries alone make an empty package of this name
except (ImportError, AttributeError, OSError) as reason:
    print(f"skipped: no torch in this Python ({reason})")
    sys.exit(77)

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
sys.path.insert(0, str(TRAIN))
import degrade  # noqa: E402
import export  # noqa: E402
import fused  # noqa: E402
import network as networks  # noqa: E402
import pictures  # noqa: E402
import state as states  # noqa: E402
import train  # noqa: E402

torch.set_num_threads(1)  # two on a busy machine wait for each other, and take twenty times as long


def script(name, *arguments):
    return subprocess.run([sys.executable, "-B", TRAIN / name, *map(str, arguments)], capture_output=True, text=True)


class NetworkTest(unittest.TestCase):
    def test_parameters_of_the_released_size(self):
        self.assertEqual(sum(p.numel() for p in networks.Network(64, 7).parameters()), 7_322_927)

    def test_golden_outputs(self):
        """By the small case with every rule in it; files of HDF5 need h5py."""
        if not GOLDEN.is_dir() or importlib.util.find_spec("h5py") is None:
            self.skipTest("no golden data, or no h5py")
        import h5py
        with h5py.File(GOLDEN / "cases/c16n2_t3_94x67.h5") as file:
            golden = {name: (torch.from_numpy(file[name][...]), file[name].attrs["stride"]) for name in file}
        network = networks.load_checkpoint(GOLDEN / "weights/c16n2.pth")
        frames = golden["lq"][0][:, None]
        with torch.no_grad():
            flows = network.flows(frames)
            known = network.features(frames, flows)
            got = {"output": network.reconstruct(frames, known), "flows_backward": flows[0], "flows_forward": flows[1]}
        for q, key in enumerate(("spatial", *networks.BRANCHES)):
            got[key] = torch.stack([have[q] for have in known])
        for key, tolerance in (("output", 2e-5), ("flows_backward", 5e-5), ("flows_forward", 5e-5), ("spatial", 1e-4),
                               ("backward_1", 1e-4), ("forward_1", 1e-4), ("backward_2", 1e-4), ("forward_2", 1e-4)):
            value, stride = golden[key]
            error = (got[key][:, 0, :, ::stride, ::stride] - value).abs().max()
            self.assertLess(float(error), tolerance, key)

    def test_fused_alignment_agrees(self):
        """Values and gradients of fused.py against plain operations; without a GPU in Triton's interpreter."""
        if fused.triton is None:
            self.skipTest("no Triton")
        torch.manual_seed(1)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        c, n, h, w = 16, 2, 6, 7
        align = networks.Align(c).to(device)
        torch.nn.init.normal_(align.conv_offset[-1].weight, std=0.05)
        inputs = [torch.randn(n, k, h, w, device=device) * scale for k, scale in ((c, 1), (c, 1), (c, 1), (2, 3), (2, 3))]
        inputs[3][0, :, 0, 0] = 1e9  # far outside
        for visits in (1, 2):
            results = []
            for fuse in (False, True):
                align.zero_grad()
                x1, x2, s, f1, f2 = (tensor.clone().requires_grad_() for tensor in inputs)
                out = align(x1, x2 if visits == 2 else None, s, f1, f2 if visits == 2 else None, fuse)
                (out * torch.arange(out.numel(), device=device).view(out.shape).sin()).sum().backward()
                used = [x1, x2, s, f1, f2] if visits == 2 else [x1, s, f1]
                results.append([out.detach(), *(tensor.grad for tensor in used), *(p.grad for p in align.parameters())])
            for one, two in zip(*results):
                self.assertLess(float((one - two).abs().max()), 5e-4 * float(one.abs().max()))


class DegradeTest(unittest.TestCase):
    def test_bicubic_keeps_ramps_and_constants(self):
        ramp = torch.linspace(0, 1, 160).expand(1, 3, 64, 160)
        small = degrade.shrink_x4(ramp)
        self.assertEqual(small.shape, (1, 3, 16, 40))
        centres = (4 * torch.arange(40.0) + 1.5) / 159
        self.assertLess(float((small - centres)[..., 2:-2].abs().max()), 1e-6)
        self.assertLess(float((degrade.enlarge_x4(torch.full((1, 3, 8, 8), 0.3)) - 0.3).abs().max()), 1e-6)

    def test_bicubic_is_matlabs(self):
        """The 16 taps of imresize(., 1/4): the kernel of a = -0.5, four times as wide."""
        impulse = torch.zeros(1, 3, 64, 64)
        impulse[..., 32, 32] = 1
        row = degrade.shrink_x4(impulse)[0, 0].sum(0)
        distance = (4 * torch.arange(16.0) + 1.5 - 32).abs() / 4
        near = 1.5 * distance**3 - 2.5 * distance**2 + 1
        far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
        expected = torch.where(distance <= 1, near, torch.where(distance < 2, far, 0.0)) / 4
        # 16 taps at these phases add up to 1 up to rounding, and so do the rows summed over here to a quarter.
        self.assertLess(float((row / row.sum() - expected / expected.sum()).abs().max()), 1e-5)

    def test_coarser_quantisers_lose_more(self):
        picture = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1))
        picture = degrade.resample(picture, 80, 112, "bicubic").clamp(0, 1)
        shift = torch.tensor([[3, 5]])
        errors = [float((degrade.compress(picture, torch.tensor([scale]), shift) - picture).abs().mean())
                  for scale in (2.0, 8.0, 30.0)]
        self.assertLess(errors[0], errors[1])
        self.assertLess(errors[1], errors[2])

    def test_shapes_ranges_and_eight_bits(self):
        hr = torch.rand(2, 3, 3, 128, 192, generator=torch.Generator().manual_seed(1))
        for name, function in degrade.DEGRADATIONS.items():
            lr = function(hr, torch.Generator().manual_seed(1))
            self.assertEqual(lr.shape, (2, 3, 3, 32, 48), name)
            self.assertTrue(0 <= float(lr.min()) and float(lr.max()) <= 1, name)
            self.assertLess(float((lr * 255 - (lr * 255).round()).abs().max()), 1e-4, name)


class StateTest(unittest.TestCase):
    def test_packing_twice_changes_nothing_more(self):
        torch.manual_seed(1)
        sizes = [1000, 7, 300]
        w, m = torch.randn(2, 1307)
        m[:1000] *= 1e-6
        v = m.square() + 1e-20
        once = states.unpack(states.pack(w, w + 1e-3 * m, m, v, sizes), sizes)
        twice = states.unpack(states.pack(*once, sizes), sizes)
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(once, twice)))
        self.assertLess(float(((once[0] - w) / w).abs().max()), 2e-5)
        self.assertLess(float((once[2] - m).abs().div(m.abs() + 1e-3 * m[:1000].abs().max()).median()), 0.1)
        self.assertTrue((once[3] > 0).all())

    def test_an_incomplete_set_is_not_a_state(self):
        with tempfile.TemporaryDirectory() as folder:
            size, states.PIECE_BYTES = states.PIECE_BYTES, 1000
            self.addCleanup(setattr, states, "PIECE_BYTES", size)
            states.save(folder, 1, {"x": torch.zeros(800)})
            for path in pathlib.Path(folder).glob("state-0000001-1of*"):
                shutil.copy(path, pathlib.Path(folder) / path.name.replace("0000001", "0000009"))
            self.assertEqual(states.load(folder)["x"].shape, (800,))


class TrainingTest(unittest.TestCase):
    """On the project's own clip, which no shipped model is trained on."""

    @classmethod
    def setUpClass(cls):
        if not shutil.which("ffmpeg"):
            raise unittest.SkipTest("no ffmpeg program")
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name)
        for name, what in (("photos", ("-vf", "scale=640:360", "still-%d.png")), ("clips/a", ("%05d.png",)),
                           ("clips/b", ("-vf", "crop=64:64", "%05d.png"))):
            (cls.folder / name).mkdir(parents=True)
            count = "1" if name == "photos" else "6"
            subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, "-frames:v", count, *what[:-1],
                            cls.folder / name / what[-1]], check=True)
        files = [{"path": "photos/still-1.png", "split": "train"}, {"path": "clips/a", "split": "train"},
                 {"path": "clips/b", "split": "held-out"}]
        (cls.folder / "manifest.json").write_text(json.dumps({"files": files}))

    def train(self, out, *more):
        result = script("train.py", "--data", self.folder, "--out", self.folder / out, "--device", "cpu", "--precision", "fp32",
                        "--threads", 1, "--channels", 8, "--blocks", 1, "--crop", 32, "--frames", 3, "--batch", 2,
                        "--flow-batch", 2, "--flow-crop", 32, "--real", 0.5, "--validate-every", 1000, "--log-every", 0, *more)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stdout

    def test_true_flow_leads_to_the_same_point(self):
        stock = pictures.Stock(self.folder, "cpu")
        clips, backward, forward = stock.synthetic(torch.Generator().manual_seed(5), 4, 3, 128)
        self.assertEqual(backward.shape, (4, 2, 3, 32, 32))
        lr = degrade.shrink_x4(clips)
        for truth, here, there in ((backward, 0, 1), (forward, 1, 0)):
            seen = truth[:, 0, 2:]
            back = networks.warp(lr[:, there], truth[:, 0, :2], "border")
            still = ((lr[:, there] - lr[:, here]).abs() * seen).sum()
            self.assertLess(float(((back - lr[:, here]).abs() * seen).sum()), 0.6 * float(still))

    def test_same_seed_same_pictures(self):
        stock = pictures.Stock(self.folder, "cpu")
        one, two = (stock.synthetic(torch.Generator().manual_seed(3), 1, 2, 64)[0] for _ in range(2))
        self.assertTrue(torch.equal(one, two))
        self.assertEqual(stock.real(torch.Generator().manual_seed(3), 2, 3, 64).shape, (2, 3, 3, 64, 64))

    def test_resumed_run_is_the_uninterrupted_one(self):
        length = ("--total-steps", 4, "--save-every-steps", 2, "--flow-share", 0.3)
        self.train("whole", *length)
        self.train("cut", *length, "--steps", 2)
        self.train("cut", *length, "--resume", self.folder / "cut")
        whole, cut = (states.load(self.folder / name) for name in ("whole", "cut"))
        self.assertEqual((whole["step"], cut["step"]), (4, 4))
        for key in ("w", "ema"):
            self.assertTrue(torch.equal(whole["packed"][key], cut["packed"][key]), key)
        for key in ("m", "v"):
            self.assertTrue(all(torch.equal(a, b) for a, b in zip(whole["packed"][key], cut["packed"][key])), key)
        # And it exports to a checkpoint that reads back, to float16.
        result = script("export.py", self.folder / "cut", self.folder / "cut.pth")
        self.assertEqual(result.returncode, 0, result.stderr)
        read = networks.load_checkpoint(self.folder / "cut.pth").state_dict()
        for key, value in export.averaged(self.folder / "cut")[0].state_dict().items():
            self.assertTrue(torch.equal(read[key], value.half().float()), key)

    def test_loss_falls(self):
        """Of both stages, on one batch again and again."""
        for share, rate, fall in ((1, "--flow-lr", 0.6), (0, "--lr", 0.95)):
            options = train.arguments().parse_args([
                "--data", str(self.folder), "--out", "unused", "--device", "cpu", "--precision", "fp32", "--channels", "8",
                "--blocks", "1", "--crop", "32", "--frames", "2", "--batch", "1", "--flow-batch", "1", "--flow-crop", "32",
                "--real", "0", "--total-steps", "30", "--flow-share", str(share), "--clip-norm", "5", "--seed", "1", rate, "1e-3"])
            training = train.Training(options)
            training.stock = pictures.Stock(self.folder, "cpu")
            training.stage = training.rates(0)[0]
            batch = training.make_batch()
            training.stage, training.make_batch = None, lambda: batch
            losses = [float(training.one_step()[0]) for _ in range(30)]
            self.assertLess(losses[-1], fall * losses[0], f"{rate}: {losses}")

    def test_errors_are_one_line(self):
        result = script("train.py", "--data", self.folder / "absent", "--out", self.folder / "x", "--total-steps", 1, "--device", "cpu")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"\Atrain: .*absent/manifest.json.*\n\Z")


if __name__ == "__main__":
    unittest.main()
