"""From high resolution to what the network is given: resampling, and the marks of an old film on a DVD.

Pictures are (..., 3, H, W), RGB, 0..1, float32. Nothing here is differentiated. Everything runs in batch on the
device of its input; random numbers come from the generator that is handed in, which lives on that device.
"""

import functools
import math

import torch
import torch.nn.functional as F


# ---- Resampling -------------------------------------------------------------------------------------------------

def cubic(x):
    """Keys' kernel with a = -0.5, which is what MATLAB's imresize and the REDS BI pictures use."""
    x = x.abs()
    near = 1.5 * x**3 - 2.5 * x**2 + 1
    far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def lanczos3(x):
    value = torch.sinc(x) * torch.sinc(x / 3)
    return torch.where(x.abs() < 3, value, torch.zeros_like(x))


KERNELS = {"bicubic": (cubic, 2), "lanczos": (lanczos3, 3)}


@functools.lru_cache(maxsize=64)
def resampling_matrix(length, to, kernel, device):
    """(to, length). Shrinking widens the kernel (antialiasing); beyond the edge the picture is mirrored, edge included."""
    function, support = KERNELS[kernel]
    scale = to / length
    wide = max(1.0, 1 / scale)
    centre = (torch.arange(to, dtype=torch.float64) + 0.5) / scale - 0.5
    reach = math.ceil(support * wide) + 1
    index = centre.floor().long()[:, None] + torch.arange(-reach, reach + 1)
    weight = function((index - centre[:, None]) / wide)
    weight = weight / weight.sum(1, keepdim=True)
    index = index.remainder(2 * length)
    index = torch.where(index < length, index, 2 * length - 1 - index)
    matrix = torch.zeros(to, length, dtype=torch.float64).scatter_add_(1, index, weight)
    return matrix.float().to(device)


def resample(pictures, height, width, kernel):
    """To any size. Not clamped, not rounded."""
    rows = resampling_matrix(pictures.shape[-2], height, kernel, pictures.device)
    columns = resampling_matrix(pictures.shape[-1], width, kernel, pictures.device)
    return rows @ pictures @ columns.T


def shrink_x4(pictures, kernel="bicubic"):
    return resample(pictures, pictures.shape[-2] // 4, pictures.shape[-1] // 4, kernel)


def enlarge_x4(pictures, kernel="bicubic"):
    return resample(pictures, pictures.shape[-2] * 4, pictures.shape[-1] * 4, kernel)


def eight_bit(pictures):
    return (pictures.clamp(0, 1) * 255).round() / 255


# ---- Old film ---------------------------------------------------------------------------------------------------

# ITU-R BT.601: RGB 0..1 to Y 16..235 and Cb, Cr 16..240.
YCBCR = torch.tensor(((65.481, 128.553, 24.966), (-37.797, -74.203, 112.0), (112.0, -93.786, -18.214)))
YCBCR_OFFSET = torch.tensor((16.0, 128.0, 128.0))

# MPEG-2's default matrix for intra blocks (ISO/IEC 13818-2, 6.3.11).
INTRA = torch.tensor((
    (8, 16, 19, 22, 26, 27, 29, 34), (16, 16, 22, 24, 27, 29, 34, 37), (19, 22, 26, 27, 29, 34, 34, 38),
    (22, 22, 26, 27, 29, 34, 37, 40), (22, 26, 27, 29, 32, 35, 40, 48), (26, 27, 29, 32, 35, 40, 48, 58),
    (26, 27, 29, 34, 38, 46, 56, 69), (27, 29, 35, 38, 46, 56, 69, 83)), dtype=torch.float32)


@functools.lru_cache(maxsize=8)
def dct_matrix(device):
    k = torch.arange(8, dtype=torch.float64)
    matrix = torch.cos(math.pi / 8 * k[:, None] * (k + 0.5)) * 0.5
    matrix[0] /= math.sqrt(2)
    return matrix.float().to(device)


def to_ycbcr(pictures):
    matrix, offset = YCBCR.to(pictures.device), YCBCR_OFFSET.to(pictures.device)
    return torch.einsum("ij,...jhw->...ihw", matrix, pictures) + offset.view(3, 1, 1)


def to_rgb(ycbcr):
    inverse = torch.linalg.inv(YCBCR.double()).float().to(ycbcr.device)
    return torch.einsum("ij,...jhw->...ihw", inverse, ycbcr - YCBCR_OFFSET.to(ycbcr.device).view(3, 1, 1))


def quantise_blocks(planes, scale):
    """planes (B,H,W) with sides that are multiples of 8, 0..255; scale (B,): MPEG-2's quantiser_scale, 2..112.

    Each 8x8 block as MPEG-2 codes an intra block: DCT, division by matrix * scale / 16, rounding, and back.
    """
    b, h, w = planes.shape
    dct = dct_matrix(planes.device)
    blocks = (planes - 128).view(b, h // 8, 8, w // 8, 8).transpose(2, 3)
    step = INTRA.to(planes.device) * scale.view(b, 1, 1, 1, 1) / 16
    step[..., 0, 0] = 8  # intra_dc_precision of 8 bits
    blocks = dct.T @ ((dct @ blocks @ dct.T / step).round() * step) @ dct
    return blocks.transpose(2, 3).reshape(b, h, w) + 128


def compress(pictures, scale, shift):
    """What MPEG-2 makes of pictures (B,3,H,W): 4:2:0, quantised blocks, 8 bits. scale (B,) or 0 for none.

    shift (B,2): where the block grid lies. In predicted frames it moves with the motion, so training draws it.
    """
    b, _, h, w = pictures.shape
    # Room for the shift, then up to whole macroblocks.
    high, wide = ((size + 15 + 15) // 16 * 16 for size in (h, w))
    row = (torch.arange(high, device=pictures.device) - shift[:, :1]).clamp(0, h - 1)
    column = (torch.arange(wide, device=pictures.device) - shift[:, 1:]).clamp(0, w - 1)
    ycbcr = to_ycbcr(pictures)
    ycbcr = ycbcr.gather(2, row.view(b, 1, high, 1).expand(-1, 3, -1, w))
    ycbcr = ycbcr.gather(3, column.view(b, 1, 1, wide).expand(-1, 3, high, -1))
    luma, chroma = ycbcr[:, 0], F.avg_pool2d(ycbcr[:, 1:], 2).flatten(0, 1)
    coded = torch.where((scale > 0).view(b, 1, 1), quantise_blocks(luma, scale.clamp_min(1)), luma)
    twice = scale.repeat_interleave(2)
    chroma = torch.where((twice > 0).view(-1, 1, 1), quantise_blocks(chroma, twice.clamp_min(1)), chroma)
    chroma = F.interpolate(chroma.view(b, 2, high // 2, wide // 2), scale_factor=2, mode="bilinear")
    ycbcr = torch.cat((coded[:, None], chroma), 1).round().clamp(0, 255)
    row = torch.arange(h, device=pictures.device) + shift[:, :1]
    column = torch.arange(w, device=pictures.device) + shift[:, 1:]
    ycbcr = ycbcr.gather(2, row.view(b, 1, h, 1).expand(-1, 3, -1, wide))
    return to_rgb(ycbcr.gather(3, column.view(b, 1, 1, w).expand(-1, 3, h, -1)))


def gaussian_blur(pictures, sigma):
    """pictures (N,T,3,H,W), sigma (N,) in pixels; each clip by its own kernel of 13 taps."""
    n, t, c, h, w = pictures.shape
    x = torch.arange(-6, 7, device=pictures.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (x / sigma.clamp_min(1e-3)[:, None]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(t * c, 0)
    flat = pictures.reshape(1, n * t * c, h, w)
    flat = F.conv2d(F.pad(flat, (6, 6, 0, 0), "replicate"), kernel[:, None, None, :], groups=n * t * c)
    flat = F.conv2d(F.pad(flat, (0, 0, 6, 6), "replicate"), kernel[:, None, :, None], groups=n * t * c)
    return flat.view(n, t, c, h, w)


def film(hr, generator):
    """Clips (N,T,3,H,W) -> (N,T,3,H/4,W/4): soft lens or scan, grain, 4:2:0, MPEG-2, by clip more or less of each."""
    n, t = hr.shape[:2]

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator, device=hr.device)

    lr = shrink_x4(gaussian_blur(hr, uniform(0.0, 2.4, n)))
    # Grain: of half a pixel's correlation, mostly grey, strongest in the mid-tones; new in every frame.
    h, w = lr.shape[-2:]
    grey = torch.randn((n * t, 1, h, w), generator=generator, device=hr.device)
    colour = torch.randn((n * t, 3, h, w), generator=generator, device=hr.device)
    grain = grey + 0.35 * colour
    soft = F.avg_pool2d(F.pad(grain, (1, 1, 1, 1), "replicate"), 3, 1) * 2.2
    mixed = torch.where((uniform(0, 1, n) < 0.5).view(n, 1, 1, 1, 1), grain.unflatten(0, (n, t)), soft.unflatten(0, (n, t)))
    strength = uniform(0, 1, n) ** 2 * 6 / 255
    tone = 0.4 + 2.4 * (lr * (1 - lr)).clamp_min(0)
    lr = (lr + mixed * strength.view(n, 1, 1, 1, 1) * tone).clamp(0, 1)
    # One quantiser a clip, coarser in two frames of three (B), a little different in each; the block grid stays
    # in some clips and moves in others.
    scale = uniform(2, 10, n)[:, None] * uniform(0.8, 1.2, n, t)
    kind = torch.arange(t, device=hr.device)[None] + torch.randint(0, 3, (n, 1), generator=generator, device=hr.device)
    scale = scale * torch.where(kind % 3 == 0, 1.0, 1.35)
    scale = torch.where(uniform(0, 1, n, 1) < 0.1, torch.zeros_like(scale), scale)
    shift = torch.randint(0, 16, (n, t, 2), generator=generator, device=hr.device)
    fixed = (uniform(0, 1, n) < 0.5).view(n, 1, 1) | (kind % 12 == 0).unsqueeze(-1)
    shift = torch.where(fixed, torch.zeros_like(shift), shift)
    lr = compress(lr.flatten(0, 1), scale.flatten(), shift.flatten(0, 1)).unflatten(0, (n, t))
    return eight_bit(lr)


def bicubic(hr, generator):
    return eight_bit(shrink_x4(hr))


def mix(hr, generator):
    """Each clip by one or the other."""
    choose = torch.rand(len(hr), generator=generator, device=hr.device) < 0.4
    return torch.where(choose.view(-1, 1, 1, 1, 1), bicubic(hr, generator), film(hr, generator))


DEGRADATIONS = {"bi": bicubic, "film": film, "mix": mix}
