"""Affinity of patches from raw attention (AFA; Ru et al. 2022, Section 3.3).

Shapes: B images, H heads of all blocks together, D head dimension, N patches, T prefix tokens.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AffinityHead(nn.Module):
    """Sum symmetric scores with one weight per head: `sigmoid(sum_h w_h (S_h + S_h^T) + b)`.

    `S_h = Q_h K_h^T` are a head's raw scores, neither scaled nor normalised. A weighted sum of
    products is one product of longer vectors, `sum_h w_h S_h = [w_1 Q_1, ...] [K_1, ...]^T`, so the
    matrix of every head is never formed: memory is that of one (N, N) matrix, not of H.

    Parameters
    ----------
    heads : int
        H, the total over all blocks that are read.
    """

    def __init__(self, heads: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(heads))
        self.bias = nn.Parameter(torch.zeros(()))
        nn.init.normal_(self.weight, std=3**-0.5)  # the released code's, for one output channel

    def forward(self, blocks: Sequence[tuple[Tensor, Tensor]], prefix: int = 0) -> Tensor:
        """Compare every patch with every other.

        Parameters
        ----------
        blocks : (query, key)
            (B, heads, T + N, D) each, with their graph.
        prefix : int
            T.

        Returns
        -------
        (B, N, N) Tensor, symmetric, 0..1, in the precision of the parameters even under autocast:
        raw scores may be large, and small differences between them matter to a sigmoid.
        """
        weights = self.weight.split([query.shape[1] for query, _ in blocks])
        with torch.autocast(self.weight.device.type, enabled=False):
            queries = [
                _side_by_side(query[:, :, prefix:].to(weight.dtype) * weight[:, None, None])
                for (query, _), weight in zip(blocks, weights, strict=True)
            ]
            keys = [_side_by_side(key[:, :, prefix:].to(self.weight.dtype)) for _, key in blocks]
            scores_BNN = torch.cat(queries, -1) @ torch.cat(keys, -1).mT
            return (scores_BNN + scores_BNN.mT + self.bias).sigmoid()


def _side_by_side(heads_BHND: Tensor) -> Tensor:
    """Concatenate the vectors of a token's heads, (B, N, H * D)."""
    return heads_BHND.transpose(1, 2).flatten(2)
