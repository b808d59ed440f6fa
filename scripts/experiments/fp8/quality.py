#!/usr/bin/env python3
"""What e4m3 costs in quality: the network with chosen convolutions rounded to it, against itself in fp32.

A convolution in e4m3 reads its weights (a scale for each output) and its input (one scale for the map) rounded to
e4m3 and sums them up in fp32; a map in e4m3 is rounded where it is written, for all who read it. Flows, sampling
positions and sums stay as they are, and the rest of the network is in TF32, which rounds like fp16.

    quality.py CHECKPOINT CLIP:WIDTHxHEIGHT [--calibrate CLIP:WIDTHxHEIGHT] [--frames T]

Clips are raw RGB, 8 bits. One that is shorter than T goes on backwards, and so on. Scales of maps come from the
largest values that the clip of --calibrate shows (in fp32), twice.
"""

import argparse
import re
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "train"))
import network as networks

E4M3_MAX = 448.0
MARGIN = 2  # of a map's scale over what calibration saw; e4m3 has the range, so it costs nothing
CONVOLUTIONS = {
    "residual blocks": r"backbone\.\w+\.main\.2\.",
    "backbone input": r"backbone\.\w+\.main\.0$",
    "condition": r"deform_align\.\w+\.conv_offset\.[024]$",
    "heads": r"deform_align\.\w+\.conv_offset\.6$",
    "alignment": None,  # the product over the samples; no module of its own
    "reconstruction": r"reconstruction\.",
    "upsampling": r"upsample[12]\.",
    "conv_hr": r"conv_hr$",
    "conv_last": r"conv_last$",
    "features": r"feat_extract\.main\.2\.",
    "flow": r"spynet\.basic_module\.\d\.basic_module\.[123]\.",
}
MAPS = {
    "trunks": r"(backbone\.\w+|reconstruction|feat_extract)\.main\.(1|2\.\d+)$",
    "aligned": r"deform_align\.\w+$",
    "offsets and masks": r"deform_align\.\w+\.conv_offset\.6$",
    "propagated": r"deform_align\.\w+$",  # what alignment samples: a branch's results
}
CLASSES = CONVOLUTIONS | MAPS
SETS = {
    "all convolutions": list(CONVOLUTIONS),
    "all convolutions but flow": [name for name in CONVOLUTIONS if name != "flow"],
    "all convolutions, offsets and masks": [*CONVOLUTIONS, "offsets and masks"],
    "everything but trunks": [name for name in CLASSES if name != "trunks"],
    "everything": list(CLASSES),
}
FLOWS = 4  # the last inputs of conv_offset.0 are pixels, not features: they stay in fp16


def round_e4m3(x, scale):
    return (x / scale).clamp(-E4M3_MAX, E4M3_MAX).to(torch.float8_e4m3fn).float() * scale


def scale_of(largest):
    return (largest / E4M3_MAX).clamp_min(1e-12)


def round_weights(weight):
    return round_e4m3(weight, scale_of(weight.abs().flatten(1).amax(1)).view(-1, *[1] * (weight.dim() - 1)))


class Small:
    """A network of which chosen classes are in e4m3."""

    def __init__(self, network):
        self.network = network
        self.modules = dict(network.named_modules())
        self.largest = {}  # by class and module
        self.deform = networks.deform

    def watch(self, classes, see):
        """Has see(class, module's name, tensor) called for every map of the classes; it may give another one."""
        hooks = []
        for kind in classes:
            for name, module in self.modules.items():
                if not CLASSES[kind] or not re.match(CLASSES[kind], name):
                    continue
                if kind in CONVOLUTIONS and not isinstance(module, torch.nn.Conv2d):
                    continue
                key = (kind, name)
                if kind == "propagated":
                    hooks.append(module.register_forward_pre_hook(lambda _, x, key=key: (
                        see(key, x[0]), None if x[1] is None else see(key, x[1]), *x[2:])))
                elif kind in MAPS:
                    hooks.append(module.register_forward_hook(lambda _, x, out, key=key: see(key, out)))
                elif name.endswith("conv_offset.0"):
                    hooks.append(module.register_forward_pre_hook(lambda _, x, key=key: (
                        torch.cat((see(key, x[0][:, :-FLOWS]), x[0][:, -FLOWS:]), 1),)))
                else:
                    hooks.append(module.register_forward_pre_hook(lambda _, x, key=key: (see(key, x[0]),)))
        return hooks

    def calibrate(self, clip):
        self.largest = {}

        def see(key, x):
            here = x.abs().amax()
            self.largest[key] = torch.maximum(self.largest.get(key, here), here)
            return x

        hooks = self.watch(CLASSES, see)
        run(self.network, clip)
        for hook in hooks:
            hook.remove()

    def run(self, clip, classes, dynamic=False):
        kept = {}
        for name, module in self.modules.items():
            patterns = [CONVOLUTIONS[kind] for kind in classes if CONVOLUTIONS.get(kind)]
            if isinstance(module, torch.nn.Conv2d) and any(re.match(p, name) for p in patterns):
                kept[name] = module.weight.data
                module.weight.data = round_weights(kept[name])
                if name.endswith("conv_offset.0"):
                    module.weight.data[:, -FLOWS:] = kept[name][:, -FLOWS:]
        hooks = self.watch(classes, lambda key, x: round_e4m3(
            x, scale_of(x.abs().amax() if dynamic else MARGIN * self.largest[key])))
        if "alignment" in classes:
            networks.deform = self.small_deform
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return run(self.network, clip)
        finally:
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
            networks.deform = self.deform
            for hook in hooks:
                hook.remove()
            for name, weight in kept.items():
                self.modules[name].weight.data = weight

    def small_deform(self, x, offset, mask, weight, bias):
        """The samples would be rounded on their way to the product; a sample is no larger than the map."""
        scale = scale_of(x.abs().amax())
        identity = torch.eye(weight[0].numel(), device=x.device).view(-1, *weight.shape[1:])
        samples = self.deform(x, offset, mask, identity, torch.zeros(len(identity), device=x.device))
        product = torch.nn.functional.conv2d(round_e4m3(samples, scale), round_weights(weight).flatten(1)[:, :, None, None])
        return product + bias.view(-1, 1, 1)


def run(network, clip):
    with torch.no_grad():
        return (network(clip[None], frames_at_once=4)[0].clamp(0, 1) * 255)


def psnr(mse):
    return 10 * torch.log10(255.0**2 / mse.clamp_min(1e-9)).item()


def read_clip(text, frames, device):
    path, size = text.rsplit(":", 1)
    width, height = map(int, size.split("x"))
    raw = torch.frombuffer(bytearray(Path(path).read_bytes()), dtype=torch.uint8).view(-1, height, width, 3)
    there_and_back = list(range(len(raw))) + list(range(len(raw) - 2, 0, -1))
    order = [there_and_back[i % len(there_and_back)] for i in range(frames)]
    return raw[order].permute(0, 3, 1, 2).contiguous().to(device).float() / 255


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("clip")
    parser.add_argument("--calibrate")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--sets-alone", action="store_true", help="leave out the classes one by one")
    arguments = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    network = networks.load_checkpoint(arguments.checkpoint).to(device).eval()
    small = Small(network)
    clip = read_clip(arguments.clip, arguments.frames, device)
    truth = run(network, clip)
    if arguments.calibrate:
        small.calibrate(read_clip(arguments.calibrate, min(arguments.frames, 21), device))
    else:
        small.calibrate(clip)
    third = max(1, arguments.frames // 3)

    def row(title, made):
        mse = torch.stack([((a - b)**2).mean() for a, b in zip(made, truth)])
        overall, worst = psnr(mse.mean()), psnr(mse.max())
        print(f"| {title} | {overall:.1f} | {worst:.1f} | {psnr(mse[:third].mean()):.1f} | "
              f"{psnr(mse[-third:].mean()):.1f} |", flush=True)
        return overall, worst, mse.mean().item()

    print(f"\n{arguments.checkpoint}, {arguments.clip}, {len(clip)} frames, scales of {arguments.calibrate or 'itself'}\n")
    print("| in e4m3 | dB | worst frame | first third | last third |\n| --- | --- | --- | --- | --- |")
    row("nothing (TF32)", small.run(clip, []))
    with torch.autocast(device.type, dtype=torch.float16):
        row("nothing (fp16 by autocast)", run(network, clip))
    if not arguments.sets_alone:
        for name in CLASSES:
            row(name, small.run(clip, [name]))
    for title, chosen in SETS.items():
        row(f"**{title}**", small.run(clip, chosen))
        row("the same, each map by its own largest value", small.run(clip, chosen, dynamic=True))


if __name__ == "__main__":
    main()
