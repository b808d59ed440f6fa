"""The sampling of the alignment in Triton: what a GPU spends most of a training step on, in two kernels each way.

`columns` makes, from the raw output of the offset convolutions, the matrix that the deformable convolution multiplies
its weights with: offsets, masks and the modulated samples in one pass. `warp` is the plain warping of features.
Both read and write channels-last tensors, keep positions in float32, and run on PyTorch's current stream (which a
CUDA graph needs; torchvision's deform_conv2d 0.26 launches on the legacy default stream instead).

Gradients by the picture are added up in float32 with atomics, so their order, and the last bits, differ by run.
"""

import torch

try:
    import triton
    import triton.language as tl
except ImportError:
    triton = None

GROUPS = 16
TAPS = 9
RAW = 3 * TAPS * GROUPS  # channels of the offset convolution: 2 for each offset, 1 for each mask
PIXELS = 16  # a program's


def available(device, channels):
    """Channels of a group must be a power of two (Triton's blocks)."""
    part = 2 * channels // GROUPS
    return triton is not None and device.type == "cuda" and part > 0 and part & (part - 1) == 0


if triton is not None:
    @triton.jit
    def corner(x, base, iy, ix, inside, height, width, stride, channel):
        """The value of every channel at one corner, 0 outside the picture."""
        valid = inside & (iy >= 0) & (iy < height) & (ix >= 0) & (ix < width)
        at = base + (iy * width + ix) * stride
        return tl.load(x + at[:, :, None] + channel, mask=valid[:, :, None], other=0.0).to(tl.float32), at, valid

    @triton.jit
    def sigmoid(x):
        return 1 / (1 + tl.exp(-x))

    @triton.jit
    def place(p, height, width):
        """Row, column and picture of a pixel's number."""
        return (p // width) % height, p % width, p // (width * height)

    @triton.jit
    def tap_of(raw, flow_y, flow_x, p, g, row, column, inside, tap: tl.constexpr, residue: tl.constexpr):
        """Position and mask of one tap of eight groups, and what their derivatives need."""
        here = p[:, None] * 432 + (g * 18 + 2 * tap)[None, :]
        slope_y = 2 * sigmoid(2 * tl.load(raw + here, mask=inside, other=0.0).to(tl.float32)) - 1
        slope_x = 2 * sigmoid(2 * tl.load(raw + here + 1, mask=inside, other=0.0).to(tl.float32)) - 1
        mask_at = p[:, None] * 432 + 288 + (g * 9 + tap)[None, :]
        mask = sigmoid(tl.load(raw + mask_at, mask=inside, other=0.0).to(tl.float32))
        y = (row + (tap // 3 - 1))[:, None].to(tl.float32) + flow_y[:, None] + residue * slope_y
        x = (column + (tap % 3 - 1))[:, None].to(tl.float32) + flow_x[:, None] + residue * slope_x
        # Far outside is outside: keeps the conversion to integers defined.
        y, x = tl.minimum(tl.maximum(y, -2.0e6), 2.0e6), tl.minimum(tl.maximum(x, -2.0e6), 2.0e6)
        return y, x, slope_y, slope_x, mask, here, mask_at

    @triton.jit
    def columns_kernel(x1, x2, raw, f1, f2, out, count, height, width,
                       C: tl.constexpr, PART: tl.constexpr, BLOCK: tl.constexpr, RESIDUE: tl.constexpr):
        half = tl.program_id(1)
        if half == 0:
            x, flow = x1, f1
        else:
            x, flow = x2, f2
        p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        known = p < count
        g = tl.arange(0, 8)
        inside = known[:, None] & (g >= 0)[None, :]
        row, column, picture = place(p, height, width)
        at_flow = (picture * 2 * height + row) * width + column
        flow_x = tl.load(flow + at_flow, mask=known, other=0.0)
        flow_y = tl.load(flow + at_flow + height * width, mask=known, other=0.0)
        channel = (g * PART)[None, :, None] + tl.arange(0, PART)[None, None, :]
        base = (picture * height * width * C)[:, None]
        for tap in tl.static_range(9):
            y, px, _, _, mask, _, _ = tap_of(raw, flow_y, flow_x, p, half * 8 + g, row, column, inside, tap, RESIDUE)
            top, left = tl.floor(y), tl.floor(px)
            fy, fx = (y - top)[:, :, None], (px - left)[:, :, None]
            iy, ix = top.to(tl.int32), left.to(tl.int32)
            a, _, _ = corner(x, base, iy, ix, inside, height, width, C, channel)
            b, _, _ = corner(x, base, iy, ix + 1, inside, height, width, C, channel)
            c, _, _ = corner(x, base, iy + 1, ix, inside, height, width, C, channel)
            d, _, _ = corner(x, base, iy + 1, ix + 1, inside, height, width, C, channel)
            value = (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d)
            to = out + p.to(tl.int64)[:, None, None] * (18 * C) + tap * 2 * C + half * C + channel
            tl.store(to, value * mask[:, :, None], mask=inside[:, :, None])

    @triton.jit
    def columns_backward_kernel(x1, x2, raw, f1, f2, gradient, dx1, dx2, draw, df1, df2, count, height, width,
                                C: tl.constexpr, PART: tl.constexpr, BLOCK: tl.constexpr, RESIDUE: tl.constexpr):
        half = tl.program_id(1)
        if half == 0:
            x, flow, dx, dflow = x1, f1, dx1, df1
        else:
            x, flow, dx, dflow = x2, f2, dx2, df2
        p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        known = p < count
        g = tl.arange(0, 8)
        inside = known[:, None] & (g >= 0)[None, :]
        row, column, picture = place(p, height, width)
        at_flow = (picture * 2 * height + row) * width + column
        flow_x = tl.load(flow + at_flow, mask=known, other=0.0)
        flow_y = tl.load(flow + at_flow + height * width, mask=known, other=0.0)
        channel = (g * PART)[None, :, None] + tl.arange(0, PART)[None, None, :]
        base = (picture * height * width * C)[:, None]
        sum_x, sum_y = tl.zeros((BLOCK,), tl.float32), tl.zeros((BLOCK,), tl.float32)
        for tap in tl.static_range(9):
            y, px, slope_y, slope_x, mask, here, mask_at = tap_of(
                raw, flow_y, flow_x, p, half * 8 + g, row, column, inside, tap, RESIDUE)
            top, left = tl.floor(y), tl.floor(px)
            fy, fx = (y - top)[:, :, None], (px - left)[:, :, None]
            iy, ix = top.to(tl.int32), left.to(tl.int32)
            a, at_a, in_a = corner(x, base, iy, ix, inside, height, width, C, channel)
            b, at_b, in_b = corner(x, base, iy, ix + 1, inside, height, width, C, channel)
            c, at_c, in_c = corner(x, base, iy + 1, ix, inside, height, width, C, channel)
            d, at_d, in_d = corner(x, base, iy + 1, ix + 1, inside, height, width, C, channel)
            at = gradient + p.to(tl.int64)[:, None, None] * (18 * C) + tap * 2 * C + half * C + channel
            given = tl.load(at, mask=inside[:, :, None], other=0.0).to(tl.float32)
            value = (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d)
            dmask = tl.sum(given * value, 2) * mask * (1 - mask)
            gy = tl.sum(given * ((1 - fx) * (c - a) + fx * (d - b)), 2) * mask
            gx = tl.sum(given * ((1 - fy) * (b - a) + fy * (d - c)), 2) * mask
            tl.store(draw + mask_at, dmask, mask=inside)
            tl.store(draw + here, gy * RESIDUE * (1 - slope_y * slope_y), mask=inside)
            tl.store(draw + here + 1, gx * RESIDUE * (1 - slope_x * slope_x), mask=inside)
            sum_y += tl.sum(gy, 1)
            sum_x += tl.sum(gx, 1)
            given *= mask[:, :, None]
            tl.atomic_add(dx + at_a[:, :, None] + channel, given * (1 - fy) * (1 - fx), mask=in_a[:, :, None], sem="relaxed")
            tl.atomic_add(dx + at_b[:, :, None] + channel, given * (1 - fy) * fx, mask=in_b[:, :, None], sem="relaxed")
            tl.atomic_add(dx + at_c[:, :, None] + channel, given * fy * (1 - fx), mask=in_c[:, :, None], sem="relaxed")
            tl.atomic_add(dx + at_d[:, :, None] + channel, given * fy * fx, mask=in_d[:, :, None], sem="relaxed")
        tl.store(dflow + at_flow, sum_x, mask=known)
        tl.store(dflow + at_flow + height * width, sum_y, mask=known)

    @triton.jit
    def warp_kernel(x, flow, out, count, height, width, C: tl.constexpr, BLOCK: tl.constexpr):
        p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        known = p < count
        row, column, picture = place(p, height, width)
        at_flow = (picture * 2 * height + row) * width + column
        px = column + tl.load(flow + at_flow, mask=known, other=0.0)
        y = row + tl.load(flow + at_flow + height * width, mask=known, other=0.0)
        y, px = tl.minimum(tl.maximum(y, -2.0e6), 2.0e6)[:, None], tl.minimum(tl.maximum(px, -2.0e6), 2.0e6)[:, None]
        channel = tl.arange(0, C)[None, None, :]
        base, inside = (picture * height * width * C)[:, None], known[:, None]
        top, left = tl.floor(y), tl.floor(px)
        fy, fx = (y - top)[:, :, None], (px - left)[:, :, None]
        iy, ix = top.to(tl.int32), left.to(tl.int32)
        a, _, _ = corner(x, base, iy, ix, inside, height, width, C, channel)
        b, _, _ = corner(x, base, iy, ix + 1, inside, height, width, C, channel)
        c, _, _ = corner(x, base, iy + 1, ix, inside, height, width, C, channel)
        d, _, _ = corner(x, base, iy + 1, ix + 1, inside, height, width, C, channel)
        value = (1 - fy) * ((1 - fx) * a + fx * b) + fy * ((1 - fx) * c + fx * d)
        tl.store(out + p[:, None, None] * C + channel, value, mask=inside[:, :, None])

    @triton.jit
    def warp_backward_kernel(x, flow, gradient, dx, dflow, count, height, width, C: tl.constexpr, BLOCK: tl.constexpr):
        p = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        known = p < count
        row, column, picture = place(p, height, width)
        at_flow = (picture * 2 * height + row) * width + column
        px = column + tl.load(flow + at_flow, mask=known, other=0.0)
        y = row + tl.load(flow + at_flow + height * width, mask=known, other=0.0)
        y, px = tl.minimum(tl.maximum(y, -2.0e6), 2.0e6)[:, None], tl.minimum(tl.maximum(px, -2.0e6), 2.0e6)[:, None]
        channel = tl.arange(0, C)[None, None, :]
        base, inside = (picture * height * width * C)[:, None], known[:, None]
        top, left = tl.floor(y), tl.floor(px)
        fy, fx = (y - top)[:, :, None], (px - left)[:, :, None]
        iy, ix = top.to(tl.int32), left.to(tl.int32)
        a, at_a, in_a = corner(x, base, iy, ix, inside, height, width, C, channel)
        b, at_b, in_b = corner(x, base, iy, ix + 1, inside, height, width, C, channel)
        c, at_c, in_c = corner(x, base, iy + 1, ix, inside, height, width, C, channel)
        d, at_d, in_d = corner(x, base, iy + 1, ix + 1, inside, height, width, C, channel)
        given = tl.load(gradient + p[:, None, None] * C + channel, mask=inside[:, :, None], other=0.0).to(tl.float32)
        gy = tl.sum(tl.sum(given * ((1 - fx) * (c - a) + fx * (d - b)), 2), 1)
        gx = tl.sum(tl.sum(given * ((1 - fy) * (b - a) + fy * (d - c)), 2), 1)
        tl.store(dflow + at_flow, gx, mask=known)
        tl.store(dflow + at_flow + height * width, gy, mask=known)
        tl.atomic_add(dx + at_a[:, :, None] + channel, given * (1 - fy) * (1 - fx), mask=in_a[:, :, None], sem="relaxed")
        tl.atomic_add(dx + at_b[:, :, None] + channel, given * (1 - fy) * fx, mask=in_b[:, :, None], sem="relaxed")
        tl.atomic_add(dx + at_c[:, :, None] + channel, given * fy * (1 - fx), mask=in_c[:, :, None], sem="relaxed")
        tl.atomic_add(dx + at_d[:, :, None] + channel, given * fy * fx, mask=in_d[:, :, None], sem="relaxed")


def channels_last(tensor):
    return tensor.contiguous(memory_format=torch.channels_last)


def zeros_like(tensor):
    return torch.zeros_like(tensor, dtype=torch.float32, memory_format=torch.channels_last)


class Columns(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x1, x2, raw, f1, f2, residue):
        x1, x2, raw = channels_last(x1), channels_last(x2), channels_last(raw)
        f1, f2 = f1.float().contiguous(), f2.float().contiguous()
        n, c, h, w = x1.shape
        out = torch.empty((n * h * w, 2 * TAPS * c), dtype=x1.dtype, device=x1.device)
        grid = (triton.cdiv(n * h * w, PIXELS), 2)
        columns_kernel[grid](x1, x2, raw, f1, f2, out, n * h * w, h, w,
                             C=c, PART=2 * c // GROUPS, BLOCK=PIXELS, RESIDUE=residue)
        ctx.save_for_backward(x1, x2, raw, f1, f2)
        ctx.residue = residue
        return out

    @staticmethod
    def backward(ctx, gradient):
        x1, x2, raw, f1, f2 = ctx.saved_tensors
        n, c, h, w = x1.shape
        dx1, dx2 = zeros_like(x1), zeros_like(x2)
        draw = torch.empty_like(raw, memory_format=torch.channels_last)
        df1, df2 = torch.empty_like(f1), torch.empty_like(f2)
        grid = (triton.cdiv(n * h * w, PIXELS), 2)
        columns_backward_kernel[grid](x1, x2, raw, f1, f2, gradient.contiguous(), dx1, dx2, draw, df1, df2, n * h * w, h, w,
                                      C=c, PART=2 * c // GROUPS, BLOCK=PIXELS, RESIDUE=ctx.residue)
        return dx1.to(x1.dtype), dx2.to(x2.dtype), draw, df1, df2, None


class Warp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, flow):
        x, flow = channels_last(x), flow.float().contiguous()
        n, c, h, w = x.shape
        out = torch.empty_like(x, memory_format=torch.channels_last)
        warp_kernel[(triton.cdiv(n * h * w, PIXELS),)](x, flow, out, n * h * w, h, w, C=c, BLOCK=PIXELS)
        ctx.save_for_backward(x, flow)
        return out

    @staticmethod
    def backward(ctx, gradient):
        x, flow = ctx.saved_tensors
        n, c, h, w = x.shape
        dx, dflow = zeros_like(x), torch.empty_like(flow)
        warp_backward_kernel[(triton.cdiv(n * h * w, PIXELS),)](x, flow, channels_last(gradient), dx, dflow, n * h * w, h, w,
                                                                C=c, BLOCK=PIXELS)
        return dx.to(x.dtype), dflow


def align(x1, x2, raw, f1, f2, weight, bias, residue):
    """The deformable 3x3 convolution of x1 and x2 (N,c,h,w): out (N,co,h,w), channels last.

    raw (N,432,h,w): the offset convolutions' output; f1, f2 (N,2,h,w); weight (co,2c,3,3).
    """
    n, _, h, w = x1.shape
    columns = Columns.apply(x1, x2, raw, f1, f2, residue)
    flat = weight.permute(0, 2, 3, 1).reshape(weight.shape[0], -1)
    out = torch.nn.functional.linear(columns, flat.to(columns.dtype), bias.to(columns.dtype))
    return out.view(n, h, w, -1).permute(0, 3, 1, 2)


def warp(x, flow):
    """out[p] = x[p + flow[p]], 0 outside; channels must be a power of two."""
    return Warp.apply(x, flow)
