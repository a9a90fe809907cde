"""GETAM by its definition: attention as a matrix, one backward pass per (image, class) pair."""

import numpy as np
import torch
from torch.nn import functional as F


class ExplicitAttention:
    """Attention with its matrix A kept in the graph, in place of PyTorch's function."""

    def __init__(self):
        self.matrices = []

    def __call__(self, q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
        scores = q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)
        attention = (scores if attn_mask is None else scores + attn_mask).softmax(-1)
        self.matrices.append(attention)
        return attention @ v


def explicit_rows(model, images, targets, monkeypatch):
    """Yield, for each (image, class) pair, every block's A and dy/dA, both (H, S, S)."""
    explicit = ExplicitAttention()
    with monkeypatch.context() as patch:
        patch.setattr(F, "scaled_dot_product_attention", explicit)
        logits = model(images)
    for image, class_id in targets.nonzero().tolist():
        gradients = torch.autograd.grad(
            logits[image, class_id], explicit.matrices, retain_graph=True
        )
        yield [
            (matrix[image].detach().numpy(), gradient[image].numpy())
            for matrix, gradient in zip(explicit.matrices, gradients, strict=True)
        ]


def explicit_getam(model, images, targets, coupling, blocks, monkeypatch, prefix=1):
    """Return (M, N) maps; `monkeypatch` puts the matrix in place of PyTorch's function."""
    maps = []
    for matrices in explicit_rows(model, images, targets, monkeypatch):
        rows = [(a[:, 0, prefix:], g[:, 0, prefix:]) for a, g in matrices]
        chosen = rows if blocks is None else [rows[i] for i in blocks]
        maps.append(sum(coupled_by_loops(a, g, coupling) for a, g in chosen))
    return np.stack(maps)


def coupled_by_loops(attention, gradient, coupling):
    heads, patches = attention.shape
    out = np.zeros(patches)
    for n in range(patches):
        a, g = attention[:, n], gradient[:, n]
        if coupling == "per_head":
            out[n] = sum(max(a[h] * g[h], 0) for h in range(heads)) / heads
            out[n] *= sum(max(g[h], 0) for h in range(heads)) / heads
        else:
            mean_g, mean_a = sum(g) / heads, sum(a) / heads
            out[n] = max(mean_g * mean_a, 0) * max(mean_g, 0)
    return out


def relative_difference(got, want):
    return float(np.abs(np.asarray(got).reshape(want.shape) - want).max() / np.abs(want).max())
