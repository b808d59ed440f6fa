"""What a training run is between two calls: packed small, cut into pieces, written whole or not at all.

A state takes 7 bytes a parameter: weights to 24 bits, the running average (EMA) as its distance from them in
bfloat16, and Adam's two moments on a logarithmic scale in 8 bits (they are rebuilt within some hundred steps, and
half an octave's fifth of error in one step is nothing). Packing rounds; so does the run itself when it is saved:
it goes on from the rounded values, which makes a resumed run the same, bit for bit, as one that was not stopped.
"""

import io
import re
from pathlib import Path

import torch

PIECE_BYTES = 15 * 2**20
NAME = re.compile(r"state-(\d+)-(\d+)of(\d+)\.bin")
OCTAVES = 24.0  # below a tensor's largest value; what is smaller becomes 0


class StateError(Exception):
    pass


def pack_weights(w):
    rounded = (w.view(torch.int32) + 0x80) & ~0xFF
    return rounded.view(torch.uint8).view(-1, 4)[:, 1:].contiguous()


def unpack_weights(packed):
    whole = torch.zeros(len(packed), 4, dtype=torch.uint8, device=packed.device)
    whole[:, 1:] = packed
    return whole.view(-1).view(torch.float32)


def peaks(x, sizes):
    return torch.stack([part.abs().max() for part in x.split(sizes)])


def spread(peak, sizes):
    return peak.repeat_interleave(torch.tensor(sizes, device=peak.device)).clamp_min(1e-38)


def pack_moment(x, sizes, keep_positive=False):
    """Sign and a 7-bit logarithm, against the largest value of each tensor. keep_positive: nothing becomes 0."""
    peak = peaks(x, sizes)
    code = 127 + (torch.log2((x.abs() / spread(peak, sizes)).clamp_min(1e-30)) * (126 / OCTAVES)).round()
    code = code.clamp(1 if keep_positive else 0, 127).to(torch.uint8)
    return code | ((x < 0).to(torch.uint8) << 7), peak


def unpack_moment(packed, sizes):
    code, peak = packed
    size = (code & 127).float()
    value = torch.where(size > 0, spread(peak, sizes) * torch.exp2((size - 127) * (OCTAVES / 126)), 0.0)
    return torch.where(code >= 128, -value, value)


def pack(w, ema, m, v, sizes):
    weights = pack_weights(w)
    return {"w": weights, "ema": (ema - unpack_weights(weights)).bfloat16(), "m": pack_moment(m, sizes),
            "v": pack_moment(v.sqrt(), sizes, keep_positive=True)}


def unpack(packed, sizes):
    """w, ema, m, v"""
    w = unpack_weights(packed["w"])
    return w, w + packed["ema"].float(), unpack_moment(packed["m"], sizes), unpack_moment(packed["v"], sizes).square()


def found(folder):
    """Complete states in a folder: {step: paths of its pieces in order}."""
    sets = {}
    for path in Path(folder).glob("state-*.bin"):
        match = NAME.fullmatch(path.name)
        if match:
            sets.setdefault((int(match[1]), int(match[3])), {})[int(match[2])] = path
    return {step: [pieces[i] for i in range(1, count + 1)] for (step, count), pieces in sets.items()
            if len(pieces) == count}


def save(folder, step, content):
    """Writes the pieces of this step, then removes those of others. A state is there only when all its pieces are."""
    stream = io.BytesIO()
    torch.save(content, stream)
    data = stream.getbuffer()
    old = list(Path(folder).glob("state-*.bin"))
    count = -(-len(data) // PIECE_BYTES)
    new = []
    for i in range(count):
        path = Path(folder) / f"state-{step:07d}-{i + 1}of{count}.bin"
        part = path.with_suffix(".part")
        part.write_bytes(data[i * PIECE_BYTES:(i + 1) * PIECE_BYTES])
        part.rename(path)
        new.append(path)
    for path in old:
        if path not in new:
            path.unlink()


def load(folder):
    """The newest complete state of a folder."""
    sets = found(folder)
    if not sets:
        raise StateError(f"{folder}: no complete state-*.bin there")
    data = b"".join(path.read_bytes() for path in sets[max(sets)])
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:
        raise StateError(f"{sets[max(sets)][0]}: damaged ({str(error).splitlines()[0]})") from None
