#!/usr/bin/env python3
"""Makes the checkpoint that vsr-dist reads out of a training's state: the averaged weights as float16, with the
names and the wrapper of the released checkpoints."""

import argparse
import sys
from pathlib import Path

import torch

import network as networks
import state as states


def averaged(folder):
    """The network with the averaged weights of the newest state in a folder, and the state's facts."""
    content = states.load(folder)
    options = content["options"]
    network = networks.Network(options["channels"], options["blocks"])
    sizes = [p.numel() for p in network.parameters()]
    _, ema, _, _ = states.unpack(content["packed"], sizes)
    with torch.no_grad():
        for p, row in zip(network.parameters(), ema.split(sizes)):
            p.copy_(row.view(p.shape))
    return network, content


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", help="folder with state-*.bin")
    parser.add_argument("out", help="the checkpoint, NAME.pth")
    arguments = parser.parse_args()
    try:
        network, content = averaged(arguments.state)
    except states.StateError as error:
        sys.exit(f"export: {error}")
    options = content["options"]
    state = {"step_counter": torch.tensor([float(content["step"])])}
    for key, value in network.state_dict().items():
        half = value.half().contiguous()
        if not half.isfinite().all():
            sys.exit(f"export: {key}: beyond float16")
        state["generator." + key] = half
    meta = {"exp_name": Path(arguments.out).stem, "iter": content["step"], "seed": options["seed"],
            "config": repr(options), "seconds": round(content["seconds"])}
    part = Path(arguments.out + ".part")
    torch.save({"state_dict": state, "meta": meta}, part)
    part.rename(arguments.out)
    print(f"{arguments.out}: c{options['channels']} n{options['blocks']}, step {content['step']}, "
          f"{Path(arguments.out).stat().st_size} bytes")


if __name__ == "__main__":
    main()
