"""Training clips, made in batch on the GPU: photographs under synthetic motion, and pieces of real clips.

The stock of pictures lies on the device as bytes. A batch costs a few large operations, whatever its size. What is
drawn by chance comes from a generator on the CPU (a few numbers a clip), so that it is the same on every device.
"""

import json
import math
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
import torch.nn.functional as F


class DataError(Exception):
    pass


# ---- Reading ----------------------------------------------------------------------------------------------------

def decode_by_torchvision(path):
    from torchvision.io import ImageReadMode, decode_image
    return decode_image(str(path), mode=ImageReadMode.RGB)


def decode_by_pillow(path):
    from PIL import Image
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        content = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        return content.view(picture.height, picture.width, 3).permute(2, 0, 1)


def decode_by_ffmpeg(path):
    # The PPM header gives the size, so one process a picture is enough.
    result = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-f", "image2pipe", "-c:v", "ppm",
                             "-pix_fmt", "rgb24", "-"], capture_output=True)
    fields = result.stdout.split(None, 4)
    if result.returncode or len(fields) < 4 or fields[0] != b"P6":
        raise DataError(f"{path}: ffmpeg could not read it")
    width, height = int(fields[1]), int(fields[2])
    content = torch.frombuffer(bytearray(result.stdout[-3 * width * height:]), dtype=torch.uint8)
    return content.view(height, width, 3).permute(2, 0, 1)


def find_decoder():
    """The first that works here: torchvision, Pillow, the ffmpeg program."""
    try:
        from torchvision.io import decode_image  # noqa: F401
        return decode_by_torchvision
    except Exception:
        pass
    try:
        from PIL import Image  # noqa: F401
        return decode_by_pillow
    except ImportError:
        pass
    if shutil.which("ffmpeg"):
        return decode_by_ffmpeg
    raise DataError("nothing here reads JPEG or PNG: install torchvision or Pillow, or put ffmpeg on the PATH")


def decode_all(paths):
    decoder = find_decoder()

    def one(path):
        try:
            return decoder(path).contiguous()
        except (RuntimeError, OSError, ValueError) as error:
            raise DataError(f"{path}: {str(error).splitlines()[0]}") from None

    with ThreadPoolExecutor() as pool:
        return list(pool.map(one, paths))


def read_manifest(folder):
    """Paths of the training stills, the training clips and the held-out clips.

    An entry names a picture ("file") or a clip's folder; a clip is also known by its pictures. What the manifest
    names and the folder lacks is left out: a part of the data may be carried. A clip is there as a whole or not.
    """
    folder = Path(folder)
    try:
        entries = json.loads((folder / "manifest.json").read_text())["files"]
        named = {}
        for entry in entries:
            path = Path(entry.get("file") or entry["path"])
            unit = path.parent if path.parts[0] == "clips" and len(path.parts) > 2 else path
            named.setdefault(unit, (entry["split"], []))[1].append(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder}/manifest.json: not read ({type(error).__name__}: {error})") from None
    photos, clips, held_out = [], [], []
    for unit, (split, paths) in sorted(named.items()):
        there = sum((folder / path).exists() for path in paths)
        if unit.parts[0] == "clips" and 0 < there < len(paths):
            raise DataError(f"{folder}/{unit}: {there} of {len(paths)} frames are there")
        if there:
            kind = clips if unit.parts[0] == "clips" else photos
            if split == "train":
                kind.append(folder / unit)
            elif kind is clips:
                held_out.append(folder / unit)
    return photos, clips, held_out


def read_clip(folder, limit=None):
    """A clip's frames as uint8 (T,3,H,W), in the order of their names."""
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in (".png", ".jpg", ".jpeg"))[:limit]
    if not paths:
        raise DataError(f"{folder}: no frames")
    frames = decode_all(paths)
    if any(frame.shape != frames[0].shape for frame in frames):
        raise DataError(f"{folder}: frames of several sizes")
    return torch.stack(frames)


# ---- Motion -----------------------------------------------------------------------------------------------------

def uniform(generator, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=generator)


def motion(generator, count, frames, crop, speed):
    """Smooth paths of similarity transforms: (count, frames, 3, 3), from frame to scene, both in HR pixels about the
    crop's centre. speed (count,): HR pixels a frame, typical."""
    time = torch.arange(frames, dtype=torch.float32) - (frames - 1) / 2

    def path(amplitude):
        """Steady movement, an acceleration, a slow swing and a little jitter; amplitude (count,) a frame."""
        a = amplitude[:, None]
        steady = torch.randn(count, 1, generator=generator) * time
        turn = torch.randn(count, 1, generator=generator) * time * time.abs() / frames
        swing = torch.randn(count, 1, generator=generator) * torch.sin(
            uniform(generator, 0.2, 1.2, count, 1) * time + uniform(generator, 0, 6.3, count, 1))
        jitter = torch.randn(count, frames, generator=generator) * uniform(generator, 0, 1, count, 1) ** 4 * 0.5
        return a * (0.7 * steady + 0.5 * turn + 0.7 * swing + jitter)

    dx, dy = path(speed), path(speed)
    # Zoom and rotation of about the same speed at the crop's edge, absent in half of the clips.
    present = (torch.rand(2, count, generator=generator) < 0.5).float()
    zoom = path(speed * 0.35 * present[0] / crop).clamp(-0.5, 0.5)
    angle = path(speed * 0.35 * present[1] / crop)
    scale = torch.exp(zoom)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    zero, one = torch.zeros_like(cos), torch.ones_like(cos)
    rows = (cos, -sin, dx, sin, cos, dy, zero, zero, one)
    return torch.stack(rows, -1).view(count, frames, 3, 3)


def about(generator, count, scale, angle):
    """A still transform of each clip: scale (count,), rotation up to +-angle, flips and quarter turns."""
    turn = uniform(generator, -angle, angle, count) + torch.randint(0, 4, (count,), generator=generator) * (math.pi / 2)
    flip = torch.randint(0, 2, (count,), generator=generator) * 2.0 - 1
    out = torch.zeros(count, 3, 3)
    out[:, 0, 0], out[:, 0, 1] = scale * torch.cos(turn) * flip, -scale * torch.sin(turn)
    out[:, 1, 0], out[:, 1, 1] = scale * torch.sin(turn) * flip, scale * torch.cos(turn)
    out[:, 2, 2] = 1
    return out


def apply(matrix, x, y):
    """matrix (N,T,3,3) on points x, y that broadcast to (N,T,h,w)."""
    m = matrix[..., None, None]
    return m[:, :, 0, 0] * x + m[:, :, 0, 1] * y + m[:, :, 0, 2], m[:, :, 1, 0] * x + m[:, :, 1, 1] * y + m[:, :, 1, 2]


# ---- The stock --------------------------------------------------------------------------------------------------

CELL = 32  # side of the squares by which detail is known


def detail(picture):
    """Mean absolute gradient of a picture (3,H,W), bytes, by cells: (H/CELL, W/CELL) on the CPU."""
    grey = picture.float().mean(0)
    slope = (grey[1:, 1:] - grey[:-1, 1:]).abs() + (grey[1:, 1:] - grey[1:, :-1]).abs()
    return F.avg_pool2d(slope[None, None], CELL, ceil_mode=True)[0, 0].cpu()


def detail_within(cells, y, x, side):
    y, x = (min(at, (length - 1) * CELL) for at, length in zip((y, x), cells.shape))  # a window may be wider than a still
    return float(cells[y // CELL:(y + side) // CELL + 1, x // CELL:(x + side) // CELL + 1].mean())


def most_detailed(generator, draw):
    """One of the places that `draw` proposes as (detail, ...): in two cases of three the best out of four."""
    return max((draw() for _ in range(4 if torch.rand((), generator=generator) < 0.67 else 1)), key=lambda place: place[0])


def below(generator, limit):
    return int(torch.randint(0, max(1, limit), (), generator=generator))


class Stock:
    """The training pictures on the device, and the clips made from them."""

    def __init__(self, folder, device):
        photos, clips, _ = read_manifest(folder)
        if not photos:
            raise DataError(f"{folder}: no still to train on")
        self.device = torch.device(device)
        self.stills = [still.to(self.device) for still in decode_all(photos)]
        self.still_detail = [detail(still) for still in self.stills]
        # A large still is likelier, but not in proportion to its area.
        self.chance = torch.tensor([still.shape[1] * still.shape[2] for still in self.stills]).double().sqrt()
        self.clips = [read_clip(clip).to(self.device) for clip in clips]
        # Of every eighth frame.
        self.clip_detail = [[detail(frame) for frame in clip[::8]] for clip in self.clips]

    def describe(self):
        frames = sum(len(clip) for clip in self.clips)
        size = sum(pictures.numel() for pictures in self.stills + self.clips)
        return f"{len(self.stills)} stills, {len(self.clips)} clips of {frames} frames, {size / 2**20:.0f} MiB"

    def windows(self, generator, count, size):
        """size x size windows of stills, uint8 (count,3,size,size); a small still is mirrored to fill."""
        out = torch.empty((count, 3, size, size), dtype=torch.uint8, device=self.device)

        def draw():
            which = int(torch.multinomial(self.chance, 1, generator=generator))
            y, x = (below(generator, side - size + 1) for side in self.stills[which].shape[1:])
            # A clip shows the window's middle for the most part.
            return detail_within(self.still_detail[which], y + size // 4, x + size // 4, size // 2), which, y, x

        for i in range(count):
            _, which, y, x = most_detailed(generator, draw)
            still = self.stills[which]
            height, width = still.shape[1:]
            piece = still[:, y:y + size, x:x + size]
            for axis, length in ((1, height), (2, width)):
                while piece.shape[axis] < size:
                    more = min(piece.shape[axis], size - piece.shape[axis])
                    piece = torch.cat((piece, piece.flip(axis).narrow(axis, 0, more)), axis)
            out[i] = piece
        return out

    # ---- Synthetic clips ----

    def synthetic(self, generator, count, frames, crop):
        """Clips (count,frames,3,crop,crop), and for each frame but the last the true flow to its successor, for each
        but the first to its predecessor, at a quarter of the size: (count, frames-1, 3, crop/4, crop/4) each, the
        third channel being 1 where the point is seen in both.

        A still moves as the background; up to two shapes cut out of other stills move over it on their own.
        """
        layers = 3
        stills = self.windows(generator, count, 3 * crop).float() / 255
        speed = torch.exp(uniform(generator, math.log(0.5), math.log(20), layers, count))
        speed[torch.rand(layers, count, generator=generator) < 0.08] = 0.0
        moves, sources, shapes = [], [], []
        for layer in range(layers):
            path = motion(generator, count, frames, crop, speed[layer])
            if layer:  # carried along by the background in part, so that shapes do not just fly off
                path = moves[0] @ path if layer == 1 else path
            moves.append(path)
            # Scene to still: 1.2 to 2.6 pixels of the still for one of the clip, so that the truth is sharp.
            sources.append(about(generator, count, uniform(generator, 1.2, 2.6, count), 0.3))
            shapes.append(self.shape_numbers(generator, count, crop))
        present = torch.rand(layers, count, generator=generator) < torch.tensor((2.0, 0.6, 0.3))[:, None]
        clips = self.render(stills, moves, sources, shapes, present, crop)
        clips = self.recolour(generator, clips)
        moves = [move.to(self.device) for move in moves]
        shapes = [self.to_device(shape) for shape in shapes]
        present = present.to(self.device)
        backward = self.true_flow(moves, shapes, present, crop, slice(None, -1), slice(1, None))
        forward = self.true_flow(moves, shapes, present, crop, slice(1, None), slice(None, -1))
        return clips, backward, forward

    def to_device(self, numbers, rows=slice(None)):
        return [number[rows].to(self.device) for number in numbers]

    def recolour(self, generator, clips):
        """Contrast, gamma, and now and then exchanged colours: stands for more stills than there are."""
        count = len(clips)
        gamma = torch.exp(uniform(generator, -0.35, 0.35, count))
        gain = uniform(generator, 0.7, 1.0, count)
        lift = (1 - gain) * torch.rand(count, generator=generator)
        gamma, gain, lift = (number.view(-1, 1, 1, 1, 1).to(self.device) for number in (gamma, gain, lift))
        clips = (clips + 1e-3).pow_(gamma).mul_(gain).add_(lift).clamp_(0, 1)
        for clip in clips:
            order = torch.randperm(3, generator=generator)
            if torch.rand((), generator=generator) < 0.15:
                clip.copy_(clip[:, order.to(self.device)])
        return clips

    @staticmethod
    def shape_numbers(generator, count, crop):
        """A closed shape with an uneven outline: centre, radius, and four waves around it."""
        centre = uniform(generator, -0.4, 0.4, count, 2) * crop
        radius = uniform(generator, 0.08, 0.4, count) * crop
        waves = torch.randn(count, 4, generator=generator) * torch.tensor((0.25, 0.2, 0.12, 0.08))
        phase = uniform(generator, 0, 6.3, count, 4)
        return centre, radius, waves, phase

    @staticmethod
    def inside(shape, x, y):
        """Signed distance, about, from the outline in HR pixels; positive inside. x, y: (N,T,h,w) in the scene."""
        centre, radius, waves, phase = shape
        x, y = x - centre[:, 0].view(-1, 1, 1, 1), y - centre[:, 1].view(-1, 1, 1, 1)
        angle = torch.atan2(y, x)
        edge = torch.ones_like(angle)
        for k in range(4):
            edge = edge + waves[:, k].view(-1, 1, 1, 1) * torch.sin((k + 1) * angle + phase[:, k].view(-1, 1, 1, 1))
        return edge.clamp_min(0.2) * radius.view(-1, 1, 1, 1) - torch.hypot(x, y)

    def render(self, stills, moves, sources, shapes, present, crop):
        """Texture at twice the resolution, then the mean of 2x2: antialiased alike in every frame."""
        count, _, size, _ = stills.shape
        frames = moves[0].shape[1]
        at = torch.arange(crop, device=self.device, dtype=torch.float32) + 0.5 - crop / 2
        x, y = at[None, None, None, :], at[None, None, :, None]
        picture = None
        for layer, (move, source, shape) in enumerate(zip(moves, sources, shapes)):
            rows = present[layer].nonzero()[:, 0]  # only the clips that have this layer
            if not len(rows):
                continue
            to_still = (source[rows, None] @ move[rows])[:, :, :2] * (2 / size)
            to_still[..., :2] *= crop / 2  # from -1..1 over the crop to -1..1 over the still
            shape_of_all = [len(rows) * frames, 3, 2 * crop, 2 * crop]
            grid = F.affine_grid(to_still.flatten(0, 1).to(self.device), shape_of_all, align_corners=False)
            # Frames below each other: one call, and the still is not repeated for each.
            texture = F.grid_sample(stills[((rows - layer) % count).to(self.device)],
                                    grid.view(len(rows), frames * 2 * crop, 2 * crop, 2), mode="bicubic",
                                    padding_mode="reflection", align_corners=False)
            texture = F.avg_pool2d(texture, 2).view(len(rows), 3, frames, crop, crop)
            if layer == 0:
                picture = texture
                continue
            inside = self.inside(self.to_device(shape, rows), *apply(move[rows].to(self.device), x, y))
            alpha = (inside + 0.5).clamp(0, 1)[:, None]
            rows = rows.to(self.device)
            below = picture[rows]
            picture[rows] = below + alpha * (texture - below)
        return picture.transpose(1, 2).clamp(0, 1)

    def true_flow(self, moves, shapes, present, crop, here, there):
        """From frames `here` to frames `there`, on the grid of the quarter size and in its pixels."""
        at = (torch.arange(crop // 4, device=self.device, dtype=torch.float32) + 0.5) * 4 - crop / 2
        x, y = at[None, None, None, :], at[None, None, :, None]
        flow, top = None, None
        for layer, (move, shape) in enumerate(zip(moves, shapes)):
            to = torch.linalg.inv(move[:, there]) @ move[:, here]
            u, v = apply(to, x, y)
            if flow is None:
                flow, top = torch.stack((u - x, v - y), 2), torch.zeros_like(u)
                continue
            covers = (self.inside(shape, *apply(move[:, here], x, y)) > 0) & present[layer].view(-1, 1, 1, 1)
            flow = torch.where(covers[:, :, None], torch.stack((u - x, v - y), 2), flow)
            top = torch.where(covers, layer, top)
        # Seen there too: within the picture, and under no other layer.
        u, v = flow[:, :, 0] + x, flow[:, :, 1] + y
        seen = (u.abs() < crop / 2) & (v.abs() < crop / 2)
        for layer, (move, shape) in enumerate(zip(moves, shapes)):
            if layer:
                hidden = (self.inside(shape, *apply(move[:, there], u, v)) > 0) & present[layer].view(-1, 1, 1, 1)
                seen &= ~hidden | (top >= layer)
        return torch.cat((flow / 4, seen[:, :, None].float()), 2)

    # ---- Real clips ----

    def real(self, generator, count, frames, crop):
        """Pieces of the real clips (count,frames,3,crop,crop): at full or half size, flipped, turned, reversed."""
        fit = [i for i, clip in enumerate(self.clips) if len(clip) >= frames and min(clip.shape[-2:]) >= crop]
        if not fit:
            raise DataError(f"no training clip has {frames} frames of {crop}x{crop} or more")
        chance = torch.tensor([float(len(self.clips[i])) ** 0.5 for i in fit])

        pieces = []
        for _ in range(count):
            which = fit[int(torch.multinomial(chance, 1, generator=generator))]
            clip = self.clips[which]
            half = min(clip.shape[-2:]) >= 2 * crop and below(generator, 2)
            side = crop * 2 if half else crop
            stride = 2 if len(clip) >= 2 * frames and below(generator, 4) == 0 else 1

            def draw():
                start = below(generator, len(clip) - stride * (frames - 1))
                y, x = (below(generator, length - side + 1) for length in clip.shape[-2:])
                return detail_within(self.clip_detail[which][start // 8], y, x, side), start, y, x

            _, start, y, x = most_detailed(generator, draw)
            piece = clip[start:start + stride * (frames - 1) + 1:stride, :, y:y + side, x:x + side].float() / 255
            if half:
                piece = F.avg_pool2d(piece, 2)
            piece = piece.flip([axis for axis in (0, 2, 3) if below(generator, 2)])
            pieces.append(piece.transpose(2, 3) if below(generator, 2) else piece)
        return torch.stack(pieces)
