"""A network's weights in one row of numbers, and Adam on it."""

import torch

BETA_M, BETA_V, EPSILON = 0.9, 0.99, 1e-8


class Flat:
    """All parameters of a network as views of one row of numbers, their gradients of another: clipping, Adam, the
    running average and the state are then a few operations each."""

    def __init__(self, network, device, channels_last):
        parameters = list(network.parameters())
        self.sizes = [p.numel() for p in parameters]
        self.w = torch.cat([self.as_row(p.detach(), channels_last) for p in parameters]).to(device)
        self.grad = torch.zeros_like(self.w)
        for p, w, grad in zip(parameters, self.w.split(self.sizes), self.grad.split(self.sizes)):
            p.data, p.grad = self.as_view(w, p.shape, channels_last), self.as_view(grad, p.shape, channels_last)
        self.ema, self.m, self.v = self.w.clone(), torch.zeros_like(self.w), torch.zeros_like(self.w)
        self.flow_part = sum(p.numel() for p in network.spynet.parameters())  # they come first
        self.adam_step = 0

    @staticmethod
    def as_row(tensor, channels_last):
        return (tensor.permute(0, 2, 3, 1) if channels_last and tensor.dim() == 4 else tensor).flatten()

    @staticmethod
    def as_view(row, shape, channels_last):
        if not (channels_last and len(shape) == 4):
            return row.view(shape)
        return row.view(shape[0], shape[2], shape[3], shape[1]).permute(0, 3, 1, 2)

    def update(self, lr, flow_lr, clip_norm, ema):
        """One step of Adam on the clipped gradient. A step with a gradient that is not finite is left out."""
        self.adam_step += 1
        norm = self.grad.norm()
        scale = torch.where(norm.isfinite(), (clip_norm / (norm + 1e-12)).clamp_max(1.0), torch.zeros_like(norm))
        self.grad.nan_to_num_(0.0, 0.0, 0.0).mul_(scale)
        self.m.lerp_(self.grad, 1 - BETA_M)
        self.v.mul_(BETA_V).addcmul_(self.grad, self.grad, value=1 - BETA_V)
        size = (self.v / (1 - BETA_V**self.adam_step)).sqrt_().add_(EPSILON)
        move = self.m / size / (1 - BETA_M**self.adam_step)
        cut = self.flow_part
        self.w[:cut].sub_(move[:cut], alpha=flow_lr)
        self.w[cut:].sub_(move[cut:], alpha=lr)
        # A young average would remember the random start.
        self.ema.lerp_(self.w, 1 - min(ema, (1 + self.adam_step) / (10 + self.adam_step)))
        return norm

    def forget(self):
        """The moments start anew: another loss begins."""
        self.m.zero_(), self.v.zero_()
        self.adam_step = 0

    # The state's order of weights is that of state dicts, whatever the memory format here.

    def rows(self, network, channels_last, back=False):
        shapes = [p.shape for p in network.parameters()]

        def turn(row):
            if not channels_last:
                return row
            parts = row.split(self.sizes)
            if back:
                return torch.cat([self.as_row(part.view(shape), True) for part, shape in zip(parts, shapes)])
            return torch.cat([self.as_view(part, shape, True).flatten() for part, shape in zip(parts, shapes)])

        return turn
