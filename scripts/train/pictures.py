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
    """Paths of the training stills, the training clips and the held-out clips."""
    folder = Path(folder)
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError) as error:
        raise DataError(f"{folder}/manifest.json: {error}") from None
    entries = [entry for key in ("files", "photos", "clips") for entry in manifest.get(key, [])]
    photos, clips, held_out = [], [], []
    for entry in entries:
        path = folder / entry.get("path", entry.get("name", ""))
        if not path.exists():
            raise DataError(f"{path}: named in the manifest, not there")
        train = entry.get("split") == "train"
        if path.is_dir():
            (clips if train else held_out).append(path)
        elif train and path.suffix.lower() in (".jpg", ".jpeg", ".png"):
            photos.append(path)
    return sorted(photos), sorted(clips), sorted(held_out)


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

class Stock:
    """The training pictures on the device, and the clips made from them."""

    def __init__(self, folder, device, limit=None):
        photos, clips, _ = read_manifest(folder)
        if not photos:
            raise DataError(f"{folder}: no still to train on")
        self.device = torch.device(device)
        stills = decode_all(photos[:limit])
        self.sizes = torch.tensor([still.shape[1:] for still in stills])
        # All stills in one row of bytes, RGB planes each, found by offset: any batch of windows is one gather.
        lengths = torch.tensor([still.numel() for still in stills])
        self.offsets = torch.cat((torch.zeros(1, dtype=torch.long), lengths.cumsum(0)[:-1]))
        self.bytes = torch.cat([still.flatten() for still in stills]).to(self.device)
        # A large still is likelier, but not in proportion to its area.
        self.chance = self.sizes.prod(1).double().sqrt()
        self.clips = [read_clip(clip).to(self.device) for clip in clips[:limit]]

    def describe(self):
        frames = sum(len(clip) for clip in self.clips)
        size = self.bytes.numel() + sum(clip.numel() for clip in self.clips)
        return f"{len(self.sizes)} stills, {len(self.clips)} clips of {frames} frames, {size / 2**20:.0f} MiB"

    def windows(self, generator, count, size):
        """Random size x size windows of stills, uint8 (count,3,size,size); a small still is mirrored to fill."""
        which = torch.multinomial(self.chance, count, replacement=True, generator=generator)
        room = (self.sizes[which] - size).clamp_min(0)
        corner = (torch.rand(count, 2, generator=generator) * (room + 1)).long()
        high, wide = self.sizes[which].T

        def along(start, length):
            index = (start[:, None] + torch.arange(size)).remainder(2 * length[:, None])
            return torch.where(index < length[:, None], index, 2 * length[:, None] - 1 - index)

        rows = along(corner[:, 0], high) * wide[:, None] + self.offsets[which][:, None]
        columns = along(corner[:, 1], wide)
        plane = (high * wide)[:, None] * torch.arange(3)
        rows, columns, plane = (index.to(self.device) for index in (rows, columns, plane))
        return self.bytes[plane[:, :, None, None] + rows[:, None, :, None] + columns[:, None, None, :]]

    # ---- Synthetic clips ----

    def synthetic(self, generator, count, frames, crop):
        """Clips (count,frames,3,crop,crop), and for each frame but the last the true flow to its successor, for each
        but the first to its predecessor, at a quarter of the size: (count, frames-1, 3, crop/4, crop/4) each, the
        third channel being 1 where the point is seen in both.

        A still moves as the background; up to two shapes cut out of other stills move over it on their own.
        """
        layers = 3
        size = 3 * crop
        stills = self.windows(generator, count, size).float() / 255
        stills = self.recolour(generator, stills)
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
        moves = [move.to(self.device) for move in moves]
        sources = [source.to(self.device) for source in sources]
        shapes = [[number.to(self.device) for number in shape] for shape in shapes]
        present = present.to(self.device)
        clips = self.render(stills, moves, sources, shapes, present, crop)
        backward = self.true_flow(moves, shapes, present, crop, slice(None, -1), slice(1, None))
        forward = self.true_flow(moves, shapes, present, crop, slice(1, None), slice(None, -1))
        return clips, backward, forward

    def recolour(self, generator, pictures):
        """Contrast, gamma, and now and then exchanged colours: stands for more stills than there are."""
        count = len(pictures)
        gamma = torch.exp(uniform(generator, -0.35, 0.35, count)).view(-1, 1, 1, 1).to(self.device)
        gain = uniform(generator, 0.7, 1.0, count).view(-1, 1, 1, 1)
        lift = (1 - gain) * torch.rand(count, 1, 1, 1, generator=generator)
        order = torch.stack([torch.randperm(3, generator=generator) for _ in range(count)])
        order = torch.where(torch.rand(count, 1, generator=generator) < 0.15, order, torch.arange(3)).to(self.device)
        pictures = pictures.gather(1, order[:, :, None, None].expand_as(pictures))
        return (pictures + 1e-3) ** gamma * gain.to(self.device) + lift.to(self.device)

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
        """Twice the resolution, then the mean of 2x2: edges and texture are antialiased alike in every frame."""
        count, _, size, _ = stills.shape
        frames = moves[0].shape[1]
        at = (torch.arange(2 * crop, device=self.device, dtype=torch.float32) + 0.5) / 2 - crop / 2
        x, y = at[None, None, None, :], at[None, None, :, None]
        picture = None
        for layer, (move, source, shape) in enumerate(zip(moves, sources, shapes)):
            u, v = apply(source[:, None] @ move, x, y)
            # Frames below each other: one call, and the still is not repeated for each.
            grid = torch.stack((u, v), -1).view(count, frames * 2 * crop, 2 * crop, 2) * (2 / size)
            texture = F.grid_sample(stills.roll(layer, 0), grid, mode="bicubic", padding_mode="reflection",
                                    align_corners=False).view(count, 3, frames, 2 * crop, 2 * crop)
            if picture is None:
                picture = texture
                continue
            alpha = (self.inside(shape, *apply(move, x, y)) * 2 + 0.5).clamp(0, 1) * present[layer].view(-1, 1, 1, 1)
            picture = picture + alpha[:, None] * (texture - picture)
        return F.avg_pool2d(picture.transpose(1, 2).flatten(0, 1), 2).clamp(0, 1).view(count, frames, 3, crop, crop)

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
        fit = [clip for clip in self.clips if len(clip) >= frames and min(clip.shape[-2:]) >= crop]
        if not fit:
            raise DataError(f"no training clip has {frames} frames of {crop}x{crop} or more")
        chance = torch.tensor([float(len(clip)) ** 0.5 for clip in fit])

        def below(limit):
            return int(torch.randint(0, limit, (), generator=generator))

        pieces = []
        for _ in range(count):
            clip = fit[int(torch.multinomial(chance, 1, generator=generator))]
            half = min(clip.shape[-2:]) >= 2 * crop and below(2)
            side = crop * 2 if half else crop
            stride = 2 if len(clip) >= 2 * frames and below(4) == 0 else 1
            start = below(len(clip) - stride * (frames - 1))
            y, x = below(clip.shape[-2] - side + 1), below(clip.shape[-1] - side + 1)
            piece = clip[start:start + stride * (frames - 1) + 1:stride, :, y:y + side, x:x + side].float() / 255
            if half:
                piece = F.avg_pool2d(piece, 2)
            piece = piece.flip([axis for axis in (0, 2, 3) if below(2)])
            pieces.append(piece.transpose(2, 3) if below(2) else piece)
        return torch.stack(pieces)
