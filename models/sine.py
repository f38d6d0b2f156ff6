"""The PSANN activation, A * exp(-d * g(z)) * sin(f * z), with a backward pass of its own.

Source: ``SineParam`` and ``PhaseSineParam`` of the ``psann`` package; the values and gradients are theirs.
Written out op by op, autograd keeps ten intermediate tensors of the layer's size and walks each one back.
Here the forward pass keeps three and the backward pass reuses them, with g(z) = |z|, relu(z) or 0 and phi = 0
without a phase:

    e = A exp(-d g),  y = e sin(f z + phi),  c = e cos(f z + phi)
    dy/dz = f c - d g' y,  dy/dA = y / A,  dy/df = z c,  dy/dd = -g y,  dy/dphi = c

Differs in: under autocast the activation stays in the precision of z; the package's widens to float32.

Legend: B batch, N features.
"""

from typing import Any

import torch
from psann.activations import PhaseSineParam, SineParam
from torch import Tensor, nn
from torch.nn import functional

FREQUENCY_FLOOR = 1e-6
"""What the package adds to a frequency, so that it is never 0."""

STEEP = 1e30


class _Sine(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, a: Tensor, f: Tensor, d: Tensor, phi: Tensor | None, mode: str
    ) -> Tensor:
        """Broadcastable parameters are of z's dtype; ``mode`` is "abs", "relu" or "none"."""
        angle = z * f
        if phi is not None:
            angle += phi
        y = angle.sin()
        c = angle.cos_()
        if mode == "none":
            y *= a
            c *= a
        else:
            e = (z.abs() if mode == "abs" else z.relu()).mul_(-d).exp_().mul_(a)
            y *= e
            c *= e
        ctx.save_for_backward(z, y, c, a, f, d)
        ctx.has_phase, ctx.mode = phi is not None, mode
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of z and of each parameter, summed to the parameter's shape."""
        (grad,) = grads
        z, y, c, a, f, d = ctx.saved_tensors
        axes = [axis for axis, size in enumerate(a.shape) if size == 1]
        grad_c, grad_y = grad * c, grad * y
        d_a = grad_y.sum(axes, keepdim=True) / a
        d_f = (grad_c * z).sum(axes, keepdim=True)
        d_phi = grad_c.sum(axes, keepdim=True) if ctx.has_phase else None
        d_z = grad_c.mul_(f)
        if ctx.mode == "none":
            return d_z, d_a, d_f, torch.zeros_like(d), d_phi, None
        # g' is the sign of z, or its positive part; torch.sign takes five times as long as a clamp.
        grad_y *= (z * STEEP).clamp_(-1 if ctx.mode == "abs" else 0, 1)
        d_d = -(grad_y * z).sum(axes, keepdim=True)  # g = g' z
        d_z.addcmul_(grad_y, d, value=-1)
        return d_z, d_a, d_f, d_d, d_phi, None


class FusedSine(nn.Module):
    """Takes over the parameters of a SineParam or PhaseSineParam under the same names."""

    def __init__(self, source: SineParam) -> None:
        """Take over from the package's module, which must have no bounds."""
        super().__init__()
        assert not source.bounds
        self._A, self._f, self._d = source._A, source._f, source._d
        self._phi = source._phi if isinstance(source, PhaseSineParam) else None
        self.decay_mode = source.decay_mode
        self.feature_dim = source.feature_dim

    def forward(self, z: Tensor) -> Tensor:
        """(B, N) or (B, ..., N, ...) with N at ``feature_dim``, to the same shape."""
        shape = [1] * z.ndim
        shape[self.feature_dim] = -1
        stacked = torch.stack((self._A, self._f, self._d))
        a, f, d = functional.softplus(stacked).to(z.dtype).view(3, *shape)
        phi = None if self._phi is None else self._phi.to(z.dtype).view(shape)
        y: Tensor = _Sine.apply(z, a, f + FREQUENCY_FLOOR, d, phi, self.decay_mode)
        return y


def fuse(network: nn.Module) -> nn.Module:
    """Put a :class:`FusedSine` in place of every sine activation of a network of the package."""
    for name, child in network.named_children():
        if isinstance(child, SineParam):
            setattr(network, name, FusedSine(child))
        else:
            fuse(child)
    return network
