#!/usr/bin/env python3
"""Measures a model on the held-out clips, beside bicubic and Lanczos x4, and writes the figures as Markdown.

Per clip: PSNR and SSIM on Y (BT.601) and on RGB, over 8-bit pictures, no border left out. In time, both as mean
absolute differences in 8-bit steps, lower is better:
  flicker  between the result's change from frame to frame and the truth's;
  warping  between the error (result less truth) of a frame and that of its successor brought back onto it along the
           motion. The flow is estimated on the truth's frames and used where it explains the truth itself: the same
           places and flow for all methods. (Warping the result alone would reward blur: the truth itself would lose.)
"""

import argparse
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

import degrade
import export
import fused
import network as networks
import state as states
from pictures import DataError, read_clip, read_manifest

COLUMNS = (("PSNR Y", "psnr_y", 2), ("PSNR RGB", "psnr_rgb", 2), ("SSIM Y", "ssim_y", 4), ("SSIM RGB", "ssim_rgb", 4),
           ("flicker", "flicker", 3), ("warping", "warping", 3))


def luma(frames):
    """Y, 16..235, of (T,3,H,W)."""
    return degrade.to_ycbcr(frames)[:, :1]


def psnr(a, b):
    """Mean of the frames' PSNR; values 0..255."""
    error = ((a - b) ** 2).flatten(1).mean(1).clamp_min(1e-10)
    return float((10 * torch.log10(255**2 / error)).mean())


def ssim(a, b):
    """Values 0..255, (T,C,H,W); 11x11 Gaussian of 1.5, only where it lies whole within the picture."""
    x = torch.arange(11, dtype=torch.float64, device=a.device) - 5
    g = torch.exp(-x**2 / (2 * 1.5**2))
    g = g / g.sum()
    channels = a.shape[1]

    def blur(p):
        p = F.conv2d(p, g.view(1, 1, 11, 1).expand(channels, 1, 11, 1), groups=channels)
        return F.conv2d(p, g.view(1, 1, 1, 11).expand(channels, 1, 1, 11), groups=channels)

    total = 0.0
    for one, two in zip(a.double().split(1), b.double().split(1)):
        ma, mb = blur(one), blur(two)
        va, vb, cov = blur(one * one) - ma**2, blur(two * two) - mb**2, blur(one * two) - ma * mb
        c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
        total += float((((2 * ma * mb + c1) * (2 * cov + c2)) / ((ma**2 + mb**2 + c1) * (va + vb + c2))).mean())
    return total / len(a)


def flow_of_truth(network, truth):
    """Flow (T-1,2,H,W) from each frame to the next, and where it explains the truth to within 10 steps of 255."""
    small = degrade.shrink_x4(truth).clamp(0, 1)
    flow = torch.cat([network.spynet(a[None], b[None]) for a, b in zip(small, small[1:])])
    flow = 4 * networks.resize(flow, *truth.shape[-2:])
    back = networks.warp(truth[1:], flow, "border")
    return flow, ((back - truth[:-1]).abs().amax(1, keepdim=True) < 10 / 255).float()


def measure(result, truth, flow, good):
    """The figures of a result (T,3,H,W), 0..1, against the truth."""
    a, b = degrade.eight_bit(result), truth
    figures = {"psnr_rgb": psnr(a * 255, b * 255), "psnr_y": psnr(luma(a), luma(b)),
               "ssim_rgb": ssim(a * 255, b * 255), "ssim_y": ssim(luma(a), luma(b))}
    if len(a) > 1:
        figures["flicker"] = float(((a[1:] - a[:-1]) - (b[1:] - b[:-1])).abs().mean() * 255)
        error = a - b
        change = (networks.warp(error[1:], flow, "border") - error[:-1]).abs().mean(1, keepdim=True)
        figures["warping"] = float((change * good).sum() / good.sum().clamp_min(1) * 255)
    return figures


def save_picture(path, frames):
    """Side by side, as PPM (P6): needs no library."""
    row = (degrade.eight_bit(torch.cat(frames, -1)) * 255).byte().permute(1, 2, 0).contiguous().cpu()
    path.write_bytes(b"P6\n%d %d\n255\n" % (row.shape[1], row.shape[0]) + bytes(row.flatten().tolist()))


def table(rows, methods):
    lines = ["| clip | method | " + " | ".join(name for name, _, _ in COLUMNS) + " |",
             "|---|---|" + "---:|" * len(COLUMNS)]
    for clip, by_method in rows:
        for method in methods:
            figures = by_method[method]
            cells = [f"{figures[key]:.{digits}f}" if key in figures else "-" for _, key, digits in COLUMNS]
            lines.append(f"| {clip} | {method} | " + " | ".join(cells) + " |")
    return lines


def summary(rows):
    """Gains over bicubic: the mean over clips and the worst clip."""
    gains = {clip: by["model"]["psnr_y"] - by["bicubic"]["psnr_y"] for clip, by in rows}
    rgb = [by["model"]["psnr_rgb"] - by["bicubic"]["psnr_rgb"] for _, by in rows]
    worst = min(gains, key=gains.get)
    return (f"Over bicubic: {sum(gains.values()) / len(gains):+.2f} dB on Y and {sum(rgb) / len(rgb):+.2f} dB on RGB on "
            f"average over {len(rows)} clips; least {gains[worst]:+.2f} dB on Y ({worst}).")


def load_model(path):
    return export.averaged(path)[0] if Path(path).is_dir() else networks.load_checkpoint(path)


@torch.no_grad()
def run(o):
    device = torch.device(o.device)
    network = load_model(o.model).to(device).eval()
    network.fuse = fused.available(device, network.channels)  # without, whole pictures need much more memory
    folders = [Path(folder) for folder in o.clip] if o.clip else read_manifest(o.data)[2]
    if not folders:
        raise DataError(f"{o.data}: no held-out clip in the manifest")
    if o.pictures:
        Path(o.pictures).mkdir(parents=True, exist_ok=True)
    rows = []
    for index, folder in enumerate(folders):
        truth = read_clip(folder, o.frames)
        h, w = (size // 16 * 16 if not o.crop else min(o.crop, size // 16 * 16) for size in truth.shape[-2:])
        y, x = ((size - side) // 2 for size, side in zip(truth.shape[-2:], (h, w)))
        truth = truth[:, :, y:y + h, x:x + w].to(device).float() / 255
        chance = torch.Generator(device).manual_seed(o.seed + index)
        lr = degrade.DEGRADATIONS[o.degradation](truth[None], chance)[0]
        with torch.autocast(device.type, torch.bfloat16, enabled=o.precision == "bf16"):
            model = network(lr[None], frames_at_once=4)[0].float()
        results = {"bicubic": degrade.enlarge_x4(lr), "lanczos": degrade.enlarge_x4(lr, "lanczos"), "model": model}
        flow, good = flow_of_truth(network, truth) if len(truth) > 1 else (None, None)
        rows.append((folder.name, {name: measure(result, truth, flow, good) for name, result in results.items()}))
        figures = rows[-1][1]
        print(f"{folder.name} {len(truth)} x {w}x{h}: Y " + ", ".join(
            f"{name} {figures[name]['psnr_y']:.2f}" for name in results) + " dB", flush=True)
        if o.pictures:
            at = len(truth) // 2
            source = F.interpolate(lr[at:at + 1], scale_factor=4)[0]
            save_picture(Path(o.pictures) / f"{folder.name}.ppm", [source, results["bicubic"][at], model[at], truth[at]])
    means = {name: {key: sum(by[name][key] for _, by in rows if key in by[name]) / max(1, sum(key in by[name] for _, by in rows))
                    for _, key, _ in COLUMNS} for name in ("bicubic", "lanczos", "model")}
    lines = table([*rows, ("**mean**", means)], ("bicubic", "lanczos", "model"))
    text = "\n".join([f"Degradation `{o.degradation}`, x4, {network.channels} channels, {network.blocks} blocks.", "", *lines, "",
                      summary(rows), ""])
    if o.out:
        Path(o.out).write_text(text)
    else:
        print(text)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("model", help="a checkpoint, or a training's folder with state-*.bin")
    p.add_argument("--data", default=".", help="folder with manifest.json: all of its held-out clips")
    p.add_argument("--clip", action="append", help="instead: a folder of frames (may be given several times)")
    p.add_argument("--degradation", choices=sorted(degrade.DEGRADATIONS), default="bi")
    p.add_argument("--frames", type=int, help="at most so many of each clip")
    p.add_argument("--crop", type=int, default=0, help="only the middle of this side; 0: all")
    p.add_argument("--seed", type=int, default=1, help="of the film's grain and quantisers")
    p.add_argument("--out", help="the Markdown; else it is printed")
    p.add_argument("--pictures", help="folder for pictures: source, bicubic, model, truth (PPM)")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--precision", choices=("bf16", "fp32"), default="fp32")
    try:
        run(p.parse_args())
    except (DataError, states.StateError, OSError) as error:
        sys.exit(f"evaluate: {error}")


if __name__ == "__main__":
    main()
