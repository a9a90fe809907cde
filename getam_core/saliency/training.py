"""Training of the saliency network on images and class-agnostic masks, by the common loop."""

import logging
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from getam_core.checkpoint import save_checkpoint
from getam_core.data import resize, resize_to_stride
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError
from getam_core.saliency.loss import structure_loss
from getam_core.saliency.network import SaliencyNetwork, predict_saliency
from getam_core.saliency.pairs import Pair, PairCrops, read_pair
from getam_core.saliency.scores import SaliencyScore
from getam_core.training import Plan, Processes, States, Trainer
from getam_core.training.losses import Count, alone

log = logging.getLogger(__name__)

WARMUP = 0.05  # share of the steps in which the learning rate rises
WEIGHT_DECAY = 1e-4
SCORES = (
    "saliency on %(images)d held-out images: MAE %(mae).3f, max F %(max_f).3f, S %(s_measure).3f"
)


@dataclass(frozen=True)
class SaliencyPlan:
    """How long and how to train; also what a saved state must agree with to be resumed.

    Attributes
    ----------
    size : int
        Side of the training crops, and long side of the held-out images, pixels.
    scale_range : (int, int)
        Range of the long side before a crop, pixels.
    epochs, batch_size : int
    learning_rate : float
        Highest rate of AdamW, for the decoder; it warms up and then falls to 0 (poly 0.9).
    encoder_rate : float
        Factor on the encoder's learning rate: 0.1 suits a pretrained encoder, 1 a random one.
    held_out : float
        Share of the pairs that is not trained on, 0..1; at least one pair.
    seed : int
        Of the held-out choice, the crops and their order.
    """

    size: int
    scale_range: tuple[int, int]
    epochs: int
    batch_size: int
    learning_rate: float
    encoder_rate: float
    held_out: float
    seed: int

    def settings(self, network: SaliencyNetwork, pairs: Sequence[Pair]) -> dict[str, Any]:
        """Return the settings as plain values, as they are read back from a file."""
        values = asdict(self) | {"scale_range": list(self.scale_range)}
        files = [f"{file.name} {file.stat().st_size}" for pair in pairs for file in pair]
        checksum = zlib.crc32("\n".join(files).encode())
        values["images"] = f"{len(pairs)} with checksum {checksum:08x}"
        values["parameters"] = sum(p.numel() for p in network.parameters())
        return values

    def of_loop(self, precision: str, checkpoint_minutes: float) -> Plan:
        """Return the plan of the loop: AdamW, poly, full batches."""
        rate = self.learning_rate
        return Plan(
            epochs=self.epochs,
            batch_size=self.batch_size,
            optimizer="adamw",
            learning_rate={"encoder": rate * self.encoder_rate, "decoder": rate},
            second_half=self.epochs,
            second_half_scale={},
            schedule="ramped_poly",
            warmup=WARMUP,
            weight_decay=WEIGHT_DECAY,
            decay_vectors=True,
            precision=precision,
            drop_last=True,
            shuffle=shuffled,
            seed=self.seed,
            reseed=False,
            checkpoint_minutes=checkpoint_minutes,
            remedy="lower saliency.learning_rate",
        )


@dataclass(frozen=True)
class Batch:
    """What training sees of B pairs, all on the device."""

    images: Tensor  # (B, 3, H, W) RGB 0..1
    target: Tensor  # (B, H, W) float, 0 or 1
    valid: Tensor  # (B, H, W) bool, False in padding


class SaliencyObjective(nn.Module):
    """The structure loss of a batch, as the loop expects it (`training.Objective`)."""

    terms = ()  # it is one loss

    def __init__(self, network: SaliencyNetwork, count: Count = alone):
        super().__init__()
        self.network, self.count = network, count

    def phase(self, epochs: float) -> str:
        """Return the only phase."""
        return "saliency"

    def leaves_out(self, phase: str) -> bool:
        """Whether parameters have no part in the loss: encoders may have layers after the maps."""
        return True

    def batch(self, samples: Sequence[Tensor], device: torch.device, *, idle: bool) -> Batch:
        """Put samples of `PairCrops` on a device; in an idle part no pixel counts."""
        images, target, valid = (tensor.to(device, non_blocking=True) for tensor in samples)
        return Batch(images, target, torch.zeros_like(valid) if idle else valid)

    def forward(self, batch: Batch, phase: str) -> tuple[Tensor, Tensor]:
        """Return the loss with its graph, and detached, in a vector of one."""
        logits = self.network(batch.images).float()
        loss = structure_loss(logits, batch.target, batch.valid, self.count)
        return loss, loss.detach()[None]


def train_saliency(
    pairs: Sequence[Pair],
    network: SaliencyNetwork,
    plan: SaliencyPlan,
    *,
    out: Path,
    state: Path,
    events: Path | None = None,
    precision: str = "float32",
    checkpoint_minutes: float = 10.0,
    workers: int = 0,
    device: torch.device | str = "cpu",
    processes: Processes | None = None,
    identity: Mapping[str, Any] | None = None,
) -> dict[str, float] | None:
    """Train, measure on held-out pairs, and write the network.

    Parameters
    ----------
    pairs : sequence of Pair
        Image and mask, (Path, Path) each, from `find_pairs`.
    network : SaliencyNetwork
        Trained in place; on the CPU and in eval mode afterwards.
    out : Path
        Written when training is complete: `model`, `normalise`, `settings`, `held_out` (torch file
        of plain values).
    state : Path
        An interrupted training resumes from it if its settings agree.
    events : Path or None
        Folder of the TensorBoard events.
    precision, checkpoint_minutes
        See `training.Plan`.
    workers : int
        Processes that read images; 0 reads in this one.
    processes : Processes or None
        Those that train together.
    identity : mapping or None
        What else a saved state must agree with: the settings of the encoder.

    Returns
    -------
    dict
        `mae`, `max_f`, `s_measure`, `threshold`, `images` of the held-out pairs (`SaliencyScore`);
        None in all processes but the first.
    """
    processes = processes or Processes()
    training, testing = _split(pairs, plan.held_out, plan.seed)
    settings = plan.settings(network, training) | {"identity": dict(identity or {})}
    trainer = Trainer(
        SaliencyObjective(network, processes.count),
        PairCrops(training, size=plan.size, scale_range=plan.scale_range, seed=plan.seed),
        plan.of_loop(precision, checkpoint_minutes),
        states=States(state, settings),
        events=events,
        device=torch.device(device),
        workers=workers,
        processes=processes,
    )
    trainer.run()
    if not processes.is_first:
        return None
    score = measure(network, testing, plan.size)
    log.info(SCORES, score)
    normalise = network.encoder.normalise.description()
    content = {"model": network.cpu().state_dict(), "normalise": normalise}
    save_checkpoint(out, content | {"settings": settings, "held_out": score})
    return score


def measure(network: SaliencyNetwork, pairs: Sequence[Pair], size: int) -> dict[str, float]:
    """Return the scores of `network` on `pairs`, seen at long side `size`; sets eval mode."""
    network.eval()
    score = SaliencyScore()
    for pair in pairs:
        image, mask = read_pair(pair)
        tensor = to_tensor(resize_to_stride(image, size, network.stride))[None]
        saliency = predict_saliency(network, tensor)[0].numpy()
        score.update(resize(saliency, *mask.shape), mask > 0)
    return score.compute()


def shuffled(images: int, seed: int, epoch: int) -> list[int]:
    """Return the indices of the pairs in the order of an epoch."""
    return np.random.default_rng([seed, epoch]).permutation(images).tolist()


def _split(pairs: Sequence[Pair], held_out: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    count = max(1, round(held_out * len(pairs)))
    if count >= len(pairs):
        raise InputError(f"{len(pairs)} saliency pairs, {count} held out: none is left to train on")
    order = np.random.default_rng(seed).permutation(len(pairs))
    chosen = [pairs[i] for i in order]
    return chosen[count:], chosen[:count]
