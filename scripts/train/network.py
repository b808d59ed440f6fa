"""The BasicVSR++ network for x4, as docs/network.md has it, in a form that trains fast.

State-dict names are those of the released checkpoints without their `generator.` prefix (export.py adds it).
Frames are RGB, 0..1. Inside, tensors are frame-major (T, N, channels, h, w), so that what needs no hidden
state runs once for all frames: features, flow of all pairs, composition of flows, reconstruction.

Under autocast the convolutions run in the lower precision; flow, sampling positions, masks and the deformable
sampling stay in float32 throughout.
"""

import torch
import torch.nn.functional as F
from torch import nn

import fused

BRANCHES = ("backward_1", "forward_1", "backward_2", "forward_2")
GROUPS = 16  # of the deformable convolution: the first half samples X1, the second X2
TAPS = 9
MAX_RESIDUE = 10.0
FLOW_LEVELS = 6


def full_precision(tensor):
    """A context in which autocast leaves float32 alone."""
    return torch.autocast(tensor.device.type, enabled=False)


def sample(picture, x, y, padding):
    """picture (N,C,H,W) at pixel coordinates x, y (N,h,w), bilinear, float32. padding: 'zeros' or 'border'."""
    height, width = picture.shape[-2:]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), -1)
    return F.grid_sample(picture.float(), grid, mode="bilinear", padding_mode=padding, align_corners=False)


def pixel_grid(height, width, device):
    """The x and y coordinate of every pixel: two tensors that broadcast to (height, width)."""
    x = torch.arange(width, device=device, dtype=torch.float32)[None, :]
    y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
    return x, y


def warp(picture, flow, padding="zeros"):
    """out[p] = picture[p + flow[p]]; flow (N,2,h,w): channel 0 horizontal, 1 vertical, in pixels."""
    x, y = pixel_grid(*flow.shape[-2:], flow.device)
    return sample(picture, x + flow[:, 0], y + flow[:, 1], padding)


def resize(picture, height, width):
    """Half-pixel bilinear without antialiasing."""
    if picture.shape[-2:] == (height, width):
        return picture
    return F.interpolate(picture, (height, width), mode="bilinear", align_corners=False)


def deform(x, offset, mask, weight, bias):
    """The deformable 3x3 convolution through one grid_sample: differentiable, on any device, torch alone.

    offset (N, 2*9*16, h, w): y before x for each group and tap; mask (N, 9*16, h, w).
    """
    n, channels, height, width = x.shape
    part = channels // GROUPS
    tap = torch.arange(TAPS, device=x.device)
    grid_x, grid_y = pixel_grid(height, width, x.device)
    offset = offset.view(n, GROUPS, TAPS, 2, height, width)
    at_y = offset[:, :, :, 0] + (tap // 3 - 1).view(TAPS, 1, 1) + grid_y
    at_x = offset[:, :, :, 1] + (tap % 3 - 1).view(TAPS, 1, 1) + grid_x
    shape = (n * GROUPS, TAPS * height, width)
    columns = sample(x.reshape(n * GROUPS, part, height, width), at_x.reshape(shape), at_y.reshape(shape), "zeros")
    columns = columns.view(n, GROUPS, part, TAPS, height, width) * mask.view(n, GROUPS, 1, TAPS, height, width)
    out = weight.view(weight.shape[0], -1) @ columns.view(n, channels * TAPS, height * width)
    return out.view(n, -1, height, width) + bias.view(-1, 1, 1)


def conv(ci, co, kernel=3):
    return nn.Conv2d(ci, co, kernel, padding=kernel // 2)


def lrelu():
    return nn.LeakyReLU(0.1, inplace=True)


class ResidualBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(channels, channels)
        for layer in (self.conv1, self.conv2):  # small at first: a stack of blocks begins near the identity
            nn.init.kaiming_normal_(layer.weight)
            layer.weight.data *= 0.1
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


class Res(nn.Module):
    """Convolution, lrelu, residual blocks."""

    def __init__(self, ci, co, blocks):
        super().__init__()
        self.main = nn.Sequential(conv(ci, co), lrelu(), nn.Sequential(*(ResidualBlock(co) for _ in range(blocks))))

    def forward(self, x):
        return self.main(x)


class ConvUnderName(nn.Module):
    """A convolution one name deeper, as the released keys have it."""

    def __init__(self, ci, co):
        super().__init__()
        self.conv = conv(ci, co, 7)


class FlowLevel(nn.Module):
    def __init__(self):
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        self.basic_module = nn.ModuleList(ConvUnderName(a, b) for a, b in zip(widths, widths[1:]))
        for layer in self.basic_module:
            nn.init.kaiming_normal_(layer.conv.weight, nonlinearity="relu")
            nn.init.zeros_(layer.conv.bias)
        self.basic_module[-1].conv.weight.data *= 0.1

    def forward(self, x):
        for layer in self.basic_module[:-1]:
            x = F.relu(layer.conv(x), inplace=True)
        with full_precision(x):
            return self.basic_module[-1].conv(x.float())


class SpyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.basic_module = nn.ModuleList(FlowLevel() for _ in range(FLOW_LEVELS))
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))

    def pyramid(self, a, b):
        """The flow of every level, smallest first, in its level's pixels and on the enlarged grid."""
        height, width = ((size + 31) // 32 * 32 for size in a.shape[-2:])
        levels = [tuple((resize(picture, height, width) - self.mean) / self.std for picture in (a, b))]
        for _ in range(FLOW_LEVELS - 1):
            levels.append(tuple(F.avg_pool2d(picture, 2) for picture in levels[-1]))
        flow = a.new_zeros((a.shape[0], 2, height // 32, width // 32), dtype=torch.float32)
        flows = []
        for module, (near, far) in zip(self.basic_module, reversed(levels)):
            if flows:
                flow = 2 * F.interpolate(flow, near.shape[-2:], mode="bilinear", align_corners=True)
            flow = flow + module(torch.cat((near, warp(far, flow, "border"), flow), 1))
            flows.append(flow)
        return flows

    def forward(self, a, b):
        """(N,2,h,w) on a's grid: b sampled at p + flow(p) looks like a at p."""
        flow = self.pyramid(a, b)[-1]
        height, width = a.shape[-2:]
        if flow.shape[-2:] == (height, width):
            return flow
        factor = flow.new_tensor((width / flow.shape[-1], height / flow.shape[-2])).view(1, 2, 1, 1)
        return resize(flow, height, width) * factor


class Align(nn.Module):
    """Second-order flow-guided deformable convolution."""

    def __init__(self, c):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(c, 2 * c, 3, 3))
        self.bias = nn.Parameter(torch.zeros(c))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.conv_offset = nn.Sequential(conv(3 * c + 4, c), lrelu(), conv(c, c), lrelu(), conv(c, c), lrelu(),
                                         conv(c, 3 * TAPS * GROUPS))
        nn.init.zeros_(self.conv_offset[-1].weight)
        nn.init.zeros_(self.conv_offset[-1].bias)

    @staticmethod
    def warp(x, flow, fuse):
        return fused.warp(x, flow) if fuse else warp(x, flow)

    def forward(self, x1, x2, s, f1, f2, fuse):
        """x2 is None on a branch's second visit, where there is one neighbour."""
        if x2 is None:
            g1, g2 = self.warp(x1, f1, fuse).to(s.dtype), torch.zeros_like(s)
            x2, f2 = torch.zeros_like(x1), torch.zeros_like(f1)
        else:
            g1, g2 = self.warp(torch.cat((x1, x2)), torch.cat((f1, f2)), fuse).to(s.dtype).chunk(2)
        raw = self.conv_offset(torch.cat((g1, s, g2, f1.to(s.dtype), f2.to(s.dtype)), 1))
        if fuse:
            return fused.align(x1, x2, raw, f1, f2, self.weight, self.bias, MAX_RESIDUE)
        with full_precision(raw):
            raw = raw.float()
            half = TAPS * GROUPS
            flows = torch.cat((f1.flip(1).repeat(1, half // 2, 1, 1), f2.flip(1).repeat(1, half // 2, 1, 1)), 1)
            offset = MAX_RESIDUE * torch.tanh(raw[:, :2 * half]) + flows
            mask = torch.sigmoid(raw[:, 2 * half:])
            x = torch.cat((x1, x2), 1).float()
            return deform(x, offset, mask, self.weight, self.bias)


class Upsample(nn.Module):
    def __init__(self, ci, co):
        super().__init__()
        self.upsample_conv = conv(ci, 4 * co)

    def forward(self, x):
        return F.leaky_relu(F.pixel_shuffle(self.upsample_conv(x), 2), 0.1, inplace=True)


class Network(nn.Module):
    def __init__(self, channels=64, blocks=7):
        super().__init__()
        c = channels
        if c < 8 or c % 8 or blocks < 1:
            raise ValueError(f"network of {c} channels and {blocks} blocks: channels must be a multiple of 8, blocks at least 1")
        self.channels, self.blocks = c, blocks
        self.fuse = False  # the alignment by the kernels of fused.py, where available() says so
        self.spynet = SpyNet()
        self.feat_extract = Res(3, c, 5)
        self.deform_align = nn.ModuleDict({name: Align(c) for name in BRANCHES})
        self.backbone = nn.ModuleDict({name: Res((2 + q) * c, c, blocks) for q, name in enumerate(BRANCHES)})
        self.reconstruction = Res(5 * c, c, 5)
        self.upsample1 = Upsample(c, c)
        self.upsample2 = Upsample(c, 64)
        self.conv_hr = conv(64, 64)
        self.conv_last = conv(64, 3)

    def flows(self, frames):
        """frames (T,N,3,h,w) -> backward and forward flow, (T-1,N,2,h,w) each, float32."""
        t, n, _, h, w = frames.shape
        if t == 1:
            none = frames.new_zeros((0, n, 2, h, w), dtype=torch.float32)
            return none, none
        a, b = frames[:-1].flatten(0, 1), frames[1:].flatten(0, 1)
        both = self.spynet(torch.cat((a, b)), torch.cat((b, a)))
        return both[:len(a)].view(t - 1, n, 2, h, w), both[len(a):].view(t - 1, n, 2, h, w)

    def branch(self, name, known, first, second):
        """The features of one branch in running order.

        known: for each visit the list S, P_0.. of its frame; first, second: flow to the frame visited just
        before and to the one before that, by visit, less the visits that have none.
        """
        align, res = self.deform_align[name], self.backbone[name]
        out = []
        for visit, have in enumerate(known):
            s = have[0]
            if visit == 0:
                aligned = torch.zeros_like(s)
            else:
                x2, f2 = (out[-2], second[visit - 2]) if visit > 1 else (None, None)
                aligned = align(out[-1], x2, s, first[visit - 1], f2, self.fuse).to(s.dtype)
            out.append(aligned + res(torch.cat((*have, aligned), 1)))
        return out

    def features(self, frames, flows):
        """For each frame the list S, P_0 .. P_3."""
        t, n = frames.shape[:2]
        spatial = self.feat_extract(frames.flatten(0, 1)).unflatten(0, (t, n))
        known = [[s] for s in spatial.unbind()]
        # By visit: from a frame to the one visited before it, and on to the one before that.
        backward, forward = flows[0].flip(0), flows[1]
        for q, name in enumerate(BRANCHES):
            first = backward if name.startswith("backward") else forward
            second = first[1:]
            if t > 2:
                second = second + warp(first[:-1].flatten(0, 1), first[1:].flatten(0, 1)).unflatten(0, (t - 2, n))
            order = known[::-1] if name.startswith("backward") else known
            for have, feature in zip(order, self.branch(name, order, first, second)):
                have.append(feature)
        return known

    def reconstruct(self, frames, known):
        """frames (T,N,3,h,w) -> (T,N,3,4h,4w), float32."""
        t, n, _, h, w = frames.shape
        x = torch.cat([torch.cat(have, 1) for have in known])
        x = self.upsample2(self.upsample1(self.reconstruction(x)))
        x = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.1, inplace=True))
        out = resize(frames.flatten(0, 1).float(), 4 * h, 4 * w) + x
        return out.unflatten(0, (t, n))

    def forward(self, clips, frames_at_once=None):
        """clips (N,T,3,h,w) -> (N,T,3,4h,4w), not clamped. frames_at_once bounds the memory of the last part."""
        frames = clips.transpose(0, 1).contiguous()
        known = self.features(frames, self.flows(frames))
        step = frames_at_once or len(known)
        out = [self.reconstruct(frames[i:i + step], known[i:i + step]) for i in range(0, len(known), step)]
        return torch.cat(out).transpose(0, 1)


def shape_of(state):
    """Channels and blocks of a network, from its tensors."""
    blocks = {key.split(".")[4] for key in state if key.startswith("backbone.backward_1.main.2.")}
    return state["backbone.backward_1.main.0.weight"].shape[0], len(blocks)


def load_checkpoint(path):
    """A network with the weights of a checkpoint file: with or without wrapper and prefix, any float type."""
    content = torch.load(path, map_location="cpu", weights_only=True)
    for wrapper in ("state_dict", "params_ema", "params"):
        if wrapper in content:
            content = content[wrapper]
            break
    state = {key.removeprefix("generator."): value.float() for key, value in content.items() if key != "step_counter"}
    network = Network(*shape_of(state))
    network.load_state_dict(state, strict=True)
    return network
