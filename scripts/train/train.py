#!/usr/bin/env python3
"""Trains a BasicVSR++ of a chosen size for x4, on the folder that prepare-data made.

One training may take several calls: each has its budget (--seconds), saves itself every minute and at the end into
--out, and goes on with --resume. The length of the whole (--total-seconds or --total-steps) fixes the schedule and
stays the same over all calls. With --total-steps on a CPU a run is reproducible bit for bit, resumed or not.

The first part of the training is SPyNet's alone: the synthetic clips' true flow is known. Then all is trained
together, with a little of that flow loss kept.
"""

import argparse
import csv
import math
import sys
import time
from pathlib import Path

START = time.monotonic()

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import degrade  # noqa: E402
import fused  # noqa: E402
import network as networks  # noqa: E402
import state as states  # noqa: E402
from flat import Flat  # noqa: E402
from pictures import DataError, Stock, read_clip, read_manifest  # noqa: E402

# What a resumed run must not change; the state brings it.
FIXED = ("channels", "blocks", "degradation", "seed", "crop", "frames", "batch", "late_crop", "late_from", "real",
         "flow_share", "flow_batch", "flow_crop", "lr", "flow_lr", "spynet_lr", "flow_weight", "clip_norm", "ema",
         "total_steps", "total_seconds")
LEVEL_WEIGHTS = (1.0, 1.0, 1.0, 1.0, 1.0, 2.0)  # of the flow loss, smallest level first


class TrainError(Exception):
    pass


# ---- Losses -----------------------------------------------------------------------------------------------------

def charbonnier(a, b):
    return ((a - b) ** 2 + 1e-6).sqrt().mean()


def flow_error(flow, truth):
    """Mean distance in pixels; truth (...,3,h,w) with the third channel 1 where the point is seen in both frames."""
    distance = ((flow - truth[..., :2, :, :]) ** 2).sum(-3).add(1e-4).sqrt()
    weight = 0.05 + truth[..., 2, :, :]
    return (distance * weight).sum() / weight.sum()


def pyramid_flow_loss(flows, truth):
    """Over all levels, each in its own pixels."""
    total = 0.0
    for weight, flow in zip(LEVEL_WEIGHTS, flows):
        factor = truth.shape[-1] // flow.shape[-1]
        small = F.avg_pool2d(truth, factor)
        small = torch.cat((small[:, :2] / factor, small[:, 2:]), 1)  # no tensor made from numbers: this is captured
        total = total + weight * flow_error(flow, small)
    return total / sum(LEVEL_WEIGHTS)


# ---- One step on the device -------------------------------------------------------------------------------------

class Step:
    """Forward and backward pass over a fixed shape, as a CUDA graph where that works, else as it is."""

    def __init__(self, function, graph):
        self.function, self.graph, self.inputs = function, None, None
        self.wanted = graph

    def __call__(self, *inputs):
        if not self.wanted:
            return self.function(*inputs)
        if self.graph is None:
            self.capture(inputs)
            if not self.wanted:
                return self.function(*inputs)
        for mine, given in zip(self.inputs, inputs):
            mine.copy_(given)
        self.graph.replay()
        return self.outputs

    def capture(self, inputs):
        try:
            self.inputs = [tensor.clone() for tensor in inputs]
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(2):
                    self.function(*self.inputs)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.outputs = self.function(*self.inputs)
        except RuntimeError as error:
            torch.cuda.synchronize()
            say(f"no CUDA graph ({str(error).splitlines()[0]}), steps run one operation at a time")
            self.wanted, self.graph, self.inputs = False, None, None


def say(text):
    print(f"{time.monotonic() - START:7.1f} s  {text}", flush=True)


class Training:
    def __init__(self, options):
        self.options = o = options
        self.device = torch.device(o.device)
        self.on_gpu = self.device.type == "cuda"
        torch.manual_seed(o.seed)
        self.network = networks.Network(o.channels, o.blocks)
        self.channels_last = self.on_gpu
        self.flat = Flat(self.network, self.device, self.channels_last)
        self.network.to(self.device)  # the buffers
        self.chance = torch.Generator().manual_seed(o.seed)
        self.noise = torch.Generator(self.device).manual_seed(o.seed + 1)
        self.step, self.seconds_before, self.stage = 0, 0.0, None
        self.degrade = degrade.DEGRADATIONS[o.degradation]
        self.began = time.monotonic()
        self.side = torch.cuda.Stream() if self.on_gpu else None
        self.ahead = None  # the next batch and the generators' states before it

    # ---- Time and schedule ----

    def seconds(self):
        return self.seconds_before + time.monotonic() - self.began

    def progress(self):
        o = self.options
        return min(1.0, self.step / o.total_steps if o.total_steps else self.seconds() / o.total_seconds)

    def rates(self, progress):
        """Stage, learning rate, SPyNet's learning rate."""
        o = self.options
        if progress < o.flow_share:
            q = progress / o.flow_share
            return "flow", 0.0, o.flow_lr * min(1.0, q / 0.05 + 0.02) * (0.1 + 0.45 * (1 + math.cos(math.pi * q)))
        q = (progress - o.flow_share) / (1 - o.flow_share)
        lr = o.lr * min(1.0, q / 0.02 + 0.02) * (0.01 + 0.495 * (1 + math.cos(math.pi * q)))
        late = o.late_crop > 0 and q >= o.late_from
        return "late" if late else "main", lr, lr * o.spynet_lr

    # ---- Batches and steps ----

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16")

    def flow_batch(self):
        o = self.options
        hr, backward, forward = self.stock.synthetic(self.chance, o.flow_batch, 2, 4 * o.flow_crop)
        return self.degrade(hr, self.noise), backward[:, 0], forward[:, 0]

    def flow_step(self, lr, backward, forward):
        self.flat.grad.zero_()
        a, b = lr[:, 0], lr[:, 1]
        with self.autocast():
            flows = self.network.spynet.pyramid(torch.cat((a, b)), torch.cat((b, a)))
        truth = torch.cat((backward, forward))
        loss = pyramid_flow_loss(flows, truth)
        loss.backward()
        return torch.stack((loss.detach(), flow_error(flows[-1].detach(), truth)))

    def clip_batch(self):
        o = self.options
        crop, batch = o.crop, o.batch
        if self.stage == "late":
            batch = max(2, round(batch * (crop / o.late_crop) ** 2))
            crop = o.late_crop
        real = round(batch * o.real) if self.stock.clips else 0
        hr, backward, forward = self.stock.synthetic(self.chance, batch - real, o.frames, 4 * crop)
        if real:
            hr = torch.cat((hr, self.stock.real(self.chance, real, o.frames, 4 * crop)))
        return self.degrade(hr, self.noise), eight(hr), torch.stack((backward, forward)).transpose(1, 2)

    def clip_step(self, lr, hr, truth):
        """truth (2,T-1,N',3,h,w), of the first N' clips."""
        self.flat.grad.zero_()
        frames = lr.transpose(0, 1).contiguous()
        with self.autocast():
            flows = self.network.flows(frames)
            out = self.network.reconstruct(frames, self.network.features(frames, flows))
        loss = charbonnier(out, hr.transpose(0, 1).float() / 255)
        known = truth.shape[2]
        flow_loss = flow_error(torch.stack(flows)[:, :, :known], truth)
        (loss + self.options.flow_weight * flow_loss).backward()
        return torch.stack((loss.detach(), flow_loss.detach()))

    def one_step(self):
        progress = self.progress()
        stage, lr, flow_lr = self.rates(progress)
        if stage != self.stage:
            self.enter(stage)
        result = self.run_step(*self.next_batch())
        norm = self.flat.update(lr, flow_lr, self.options.clip_norm, self.options.ema)
        self.step += 1
        return torch.cat((result, norm.view(1)))

    def make_batch(self):
        return self.flow_batch() if self.stage == "flow" else self.clip_batch()

    def next_batch(self):
        """On a GPU the batch was made while the step before ran, on a stream of its own."""
        if not self.on_gpu:
            return self.make_batch()
        if self.ahead is None:
            self.make_ahead()
        torch.cuda.current_stream().wait_stream(self.side)
        batch = self.ahead[0]
        for tensor in batch:
            tensor.record_stream(torch.cuda.current_stream())
        self.ahead = None
        return batch

    def make_ahead(self):
        states = self.chance_states()
        with torch.cuda.stream(self.side):
            self.ahead = (self.make_batch(), states)

    def chance_states(self):
        """Of both generators, as they are once the batch in hand is left out."""
        return self.ahead[1] if self.ahead else (self.chance.get_state(), self.noise.get_state())

    def enter(self, stage):
        if self.stage == "flow":
            self.flat.forget()
        if self.ahead:  # a batch of the stage before
            self.chance.set_state(self.ahead[1][0]), self.noise.set_state(self.ahead[1][1])
            self.ahead = None
        self.stage = stage
        function = self.flow_step if stage == "flow" else self.clip_step
        self.run_step = Step(function, self.on_gpu and self.options.graph)
        say(f"stage {stage} from step {self.step}")

    # ---- State ----

    def save(self):
        """Writes the state and goes on from what it holds."""
        turn = self.flat.rows(self.network, self.channels_last)
        rows = [turn(row) for row in (self.flat.w, self.flat.ema, self.flat.m, self.flat.v)]
        packed = states.pack(*rows, self.flat.sizes)
        on_cpu = {key: value.cpu() if torch.is_tensor(value) else tuple(part.cpu() for part in value)
                  for key, value in packed.items()}
        chance, noise = self.chance_states()
        content = {"version": 1, "step": self.step, "seconds": self.seconds(), "stage": self.stage,
                   "adam_step": self.flat.adam_step, "chance": chance, "noise": noise,
                   "device": self.device.type,
                   "options": {key: getattr(self.options, key) for key in FIXED}, "packed": on_cpu}
        states.save(self.options.out, self.step, content)
        self.take(packed)

    def take(self, packed):
        turn = self.flat.rows(self.network, self.channels_last, back=True)
        for mine, row in zip((self.flat.w, self.flat.ema, self.flat.m, self.flat.v),
                             states.unpack(packed, self.flat.sizes)):
            mine.copy_(turn(row))

    def resume(self, content):
        packed = {key: value.to(self.device) if torch.is_tensor(value) else tuple(part.to(self.device) for part in value)
                  for key, value in content["packed"].items()}
        self.take(packed)
        self.step, self.seconds_before = content["step"], content["seconds"]
        self.flat.adam_step = content["adam_step"]
        self.chance.set_state(content["chance"])
        if content["device"] == self.device.type:
            self.noise.set_state(content["noise"])
        if content["stage"]:
            self.enter(content["stage"])

    # ---- Validation ----

    def read_held_out(self):
        """The middle of each held-out clip: at most 10 frames of 128 x 128 (before enlarging)."""
        o = self.options
        self.held_out = []
        chance = torch.Generator(self.device).manual_seed(1)
        for folder in read_manifest(o.data)[2]:
            clip = read_clip(folder, 10)
            h, w = (min(512, size // 16 * 16) for size in clip.shape[-2:])
            y, x = ((size - side) // 2 for size, side in zip(clip.shape[-2:], (h, w)))
            hr = (clip[None, :, :, y:y + h, x:x + w].to(self.device).float() / 255)
            lr = self.degrade(hr, chance) if o.degradation != "mix" else degrade.film(hr, chance)
            self.held_out.append((folder.name, lr, hr, psnr(degrade.enlarge_x4(lr), hr)))

    @torch.no_grad()
    def validate(self):
        """Gain over bicubic in dB by clip, of the averaged weights."""
        kept = self.flat.w.clone()
        self.flat.w.copy_(self.flat.ema)
        # Trying convolutions out for shapes that are run a few times is not worth its seconds.
        with torch.backends.cudnn.flags(benchmark=False, allow_tf32=True), self.autocast():
            gains = {name: psnr(self.network(lr), hr) - base for name, lr, hr, base in self.held_out}
        self.flat.w.copy_(kept)
        return gains


def eight(hr):
    """The truth as bytes: a quarter of the memory until the loss."""
    return (hr * 255).round().to(torch.uint8)


def psnr(a, b):
    return float(-10 * torch.log10(((degrade.eight_bit(a.float()) - b) ** 2).mean()))


# ---- The run ----------------------------------------------------------------------------------------------------

class Curve:
    """One CSV file over all calls."""

    def __init__(self, path, clips):
        self.path = Path(path)
        self.fields = ["step", "seconds", "stage", "lr", "loss", "flow_error_px", "gradient_norm", "gain_db", *clips]
        if not self.path.exists():
            with self.path.open("w", newline="") as file:
                csv.writer(file).writerow(self.fields)

    def add(self, row):
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.fields).writerow(row)


def run(o):
    content = None
    if o.resume:
        content = states.load(o.resume)
        for key, value in content["options"].items():
            setattr(o, key, value)
    if bool(o.total_steps) == bool(o.total_seconds):
        raise TrainError("give the length of the whole training: --total-steps or --total-seconds, one of them")
    if any(size % 32 for size in (o.crop, o.late_crop, o.flow_crop)):
        raise TrainError("--crop, --late-crop and --flow-crop must be multiples of 32 (SPyNet's levels)")
    if o.device.startswith("cuda") and not torch.cuda.is_available():
        raise TrainError("no CUDA device here: use --device cpu")
    if o.threads:
        torch.set_num_threads(o.threads)
    torch.backends.cudnn.benchmark = True
    Path(o.out).mkdir(parents=True, exist_ok=True)
    training = Training(o)
    training.stock = Stock(o.data, o.device)
    training.read_held_out()
    training.network.fuse = o.fuse and fused.available(training.device, o.channels)
    if content:
        training.resume(content)
    count = sum(training.flat.sizes)
    say(f"c{o.channels} n{o.blocks}, {count} parameters, {o.degradation}, {o.precision} on {o.device}, "
        f"alignment {'fused' if training.network.fuse else 'by grid_sample'}, {training.stock.describe()}, {len(training.held_out)} held out, "
        f"step {training.step}")
    for name, _, hr, base in training.held_out:
        say(f"held out {name} {tuple(hr.shape[1:])}: bicubic {base:.2f} dB")
    if o.profile:
        return profile(training)
    curve = Curve(Path(o.out) / "curve.csv", [name for name, *_ in training.held_out])
    loop(training, curve)
    say(f"step {training.step}, {100 * training.progress():.0f} % of the training, saved in {o.out}")


def profile(training):
    """Where the time of a step goes, kernel by kernel: three steps without a graph, of the stage that is on."""
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * training.on_gpu
    training.options.graph = False
    for _ in range(2):
        training.one_step()
    making = time.monotonic()
    for _ in range(3):
        training.make_batch()
    if training.on_gpu:
        torch.cuda.synchronize()
    making = (time.monotonic() - making) / 3
    began = time.monotonic()
    with torch.profiler.profile(activities=activities) as record:
        for _ in range(3):
            training.one_step()
        if training.on_gpu:
            torch.cuda.synchronize()
    order = "self_cuda_time_total" if training.on_gpu else "self_cpu_time_total"
    print(record.key_averages().table(sort_by=order, row_limit=40, max_name_column_width=70))
    say(f"{(time.monotonic() - began) / 3 * 1e3:.0f} ms a step, profiled; {making * 1e3:.0f} ms to make a batch")


def loop(training, curve):
    o = training.options
    training.began = time.monotonic()
    saved = validated = logged = training.began
    log_from, results = training.step, []
    first = training.step

    def done():
        out_of_time = o.seconds and time.monotonic() - START > o.seconds - o.reserve
        return training.progress() >= 1 or out_of_time or (o.steps and training.step - first >= o.steps)

    while True:
        last = done()
        now = time.monotonic()
        checkpoint = last or (now - saved > o.save_every if not o.save_every_steps
                              else training.step > first and training.step % o.save_every_steps == 0)
        look = last or now - validated > o.validate_every
        if results and (look or now - logged > o.log_every):
            loss, flow, norm = torch.stack(results).mean(0).tolist()
            now = time.monotonic()
            _, lr, flow_lr = training.rates(training.progress())
            each = (now - logged) / (training.step - log_from)
            row = {"step": training.step, "seconds": round(training.seconds(), 1), "stage": training.stage,
                   "lr": f"{lr or flow_lr:.3g}", "loss": f"{loss:.5f}", "flow_error_px": f"{flow:.4f}", "gradient_norm": f"{norm:.4f}"}
            text = (f"step {training.step} {training.stage} loss {loss:.5f} flow {flow:.3f} px norm {norm:.3f} "
                    f"lr {lr or flow_lr:.2e} {each * 1e3:.0f} ms/step")
            if look and training.held_out and training.stage != "flow":
                gains = training.validate()
                mean = sum(gains.values()) / len(gains)
                row.update(gain_db=f"{mean:.3f}", **{name: f"{gain:.3f}" for name, gain in gains.items()})
                text += f" | over bicubic {mean:+.2f} dB (" + " ".join(f"{gain:+.2f}" for gain in gains.values()) + ")"
            if training.on_gpu:
                text += f" | {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB"
            say(text)
            curve.add(row)
            if not math.isfinite(loss):
                raise TrainError(f"loss is {loss} at step {training.step}; the last good state stays in {o.out}")
            results, log_from = [], training.step
            logged = time.monotonic()
            validated = logged if look else validated
        if checkpoint:
            training.save()
            saved = time.monotonic()
        if last:
            return
        results.append(training.one_step())
        if training.on_gpu:
            training.make_ahead()  # waits, on the way, for copies of its own stream only
            if training.step % 4 == 0:
                torch.cuda.synchronize()  # the clock must not run ahead of the work


def arguments():
    cuda = torch.cuda.is_available()
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--data", required=True, help="folder with photos/, clips/ and manifest.json")
    p.add_argument("--out", required=True, help="folder for state-*.bin and curve.csv")
    p.add_argument("--resume", metavar="FOLDER", help="goes on from the state there (may be the same as --out)")
    g = p.add_argument_group("length")
    g.add_argument("--seconds", type=float, default=0, help="budget of this call, from its start; 0: none")
    g.add_argument("--reserve", type=float, default=8, help="seconds of the budget kept for the last validation and state")
    g.add_argument("--steps", type=int, default=0, help="at most so many steps in this call")
    g.add_argument("--total-seconds", type=float, default=0, help="training time of all calls together")
    g.add_argument("--total-steps", type=int, default=0, help="or: steps of all calls together (reproducible)")
    g = p.add_argument_group("network and pictures (a resumed run keeps its own)")
    g.add_argument("--channels", type=int, default=32)
    g.add_argument("--blocks", type=int, default=3)
    g.add_argument("--degradation", choices=sorted(degrade.DEGRADATIONS), default="bi")
    g.add_argument("--crop", type=int, default=64, help="side of a training clip before enlarging")
    g.add_argument("--frames", type=int, default=10, help="of a training clip")
    g.add_argument("--batch", type=int, default=16, help="clips a step")
    g.add_argument("--late-crop", type=int, default=0, help="larger side towards the end, with fewer clips; 0: none")
    g.add_argument("--late-from", type=float, default=0.75)
    g.add_argument("--real", type=float, default=0.4, help="share of real clips in a batch")
    g.add_argument("--seed", type=int, default=1)
    g = p.add_argument_group("optimisation (a resumed run keeps its own)")
    g.add_argument("--lr", type=float, default=4e-4)
    g.add_argument("--spynet-lr", type=float, default=0.25, help="as a share of --lr")
    g.add_argument("--flow-share", type=float, default=0.08, help="of the whole training, for SPyNet alone")
    g.add_argument("--flow-batch", type=int, default=32, help="pairs a step in that part, each used both ways")
    g.add_argument("--flow-crop", type=int, default=128)
    g.add_argument("--flow-lr", type=float, default=5e-4)
    g.add_argument("--flow-weight", type=float, default=0.005, help="of the flow loss later on")
    g.add_argument("--clip-norm", type=float, default=0.5)
    g.add_argument("--ema", type=float, default=0.998)
    g = p.add_argument_group("machine")
    g.add_argument("--device", default="cuda" if cuda else "cpu")
    g.add_argument("--precision", choices=("bf16", "fp32"), default="bf16" if cuda else "fp32")
    g.add_argument("--no-fuse", dest="fuse", action="store_false", help="the alignment without the kernels of fused.py")
    g.add_argument("--no-graph", dest="graph", action="store_false", help="no CUDA graph")
    g.add_argument("--threads", type=int, default=0, help="of the CPU; 0: torch's choice")
    g.add_argument("--save-every", type=float, default=60, help="seconds between states")
    g.add_argument("--save-every-steps", type=int, default=0, help="or: steps between states (reproducible)")
    g.add_argument("--log-every", type=float, default=10, help="seconds")
    g.add_argument("--validate-every", type=float, default=45, help="seconds")
    g.add_argument("--profile", action="store_true", help="shows where a step's time goes, and trains nothing")
    return p


def main():
    try:
        run(arguments().parse_args())
    except (TrainError, DataError, states.StateError, ValueError) as error:
        sys.exit(f"train: {error}")


if __name__ == "__main__":
    main()
