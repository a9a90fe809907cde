"""Training of the saliency network on images and class-agnostic masks."""

import logging
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from getam_core.checkpoint import load_resumable, save_checkpoint
from getam_core.data import resize, resize_to_stride
from getam_core.data.loader import image_loader
from getam_core.data.tensors import to_tensor
from getam_core.errors import InputError
from getam_core.saliency.loss import structure_loss
from getam_core.saliency.network import SaliencyNetwork, predict_saliency
from getam_core.saliency.pairs import Pair, PairCrops, read_pair
from getam_core.saliency.scores import SaliencyScore

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
        Share of the pairs that is not trained on, 0..1; one pair at least.
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
        """Return plain values, as they come back from a file."""
        values = asdict(self) | {"scale_range": list(self.scale_range)}
        names = "\n".join(image.name for image, _ in pairs)
        values["images"] = f"{len(pairs)} with checksum {zlib.crc32(names.encode()):08x}"
        values["parameters"] = sum(p.numel() for p in network.parameters())
        return values


def train_saliency(
    pairs: Sequence[Pair],
    network: SaliencyNetwork,
    plan: SaliencyPlan,
    *,
    out: Path,
    state: Path,
    workers: int = 0,
    device: torch.device | str = "cpu",
    identity: Mapping[str, Any] | None = None,
) -> dict[str, float]:
    """Train, measure on held-out pairs, and write the network.

    Parameters
    ----------
    pairs : sequence of (Path, Path)
        Image and mask, from `find_pairs`.
    network : SaliencyNetwork
        Trained in place; on the CPU and in eval mode afterwards.
    plan : SaliencyPlan
    out : Path
        Written when training is complete: `model`, `settings`, `held_out` (torch file of plain
        values).
    state : Path
        Rewritten every epoch; an interrupted training resumes from it if its settings agree, and
        it is removed at the end.
    workers : int
        Processes that read images; 0 reads in this one.
    device : torch.device or str
    identity : mapping, optional
        What else a saved state must agree with: the settings that the encoder was built by.

    Returns
    -------
    dict
        `mae`, `max_f`, `s_measure`, `threshold`, `images` of the held-out pairs (`SaliencyScore`).
    """
    training, testing = _split(pairs, plan.held_out, plan.seed)
    network.to(device)
    optimizer = _optimizer(network, plan.learning_rate, plan.encoder_rate)
    settings = plan.settings(network, training) | {"identity": dict(identity or {})}
    first = _resume(state, settings, network, optimizer)
    steps = _steps(len(training), plan.batch_size)
    total, initial = plan.epochs * steps, first * steps
    with tqdm(total=total, initial=initial, desc="saliency network", unit="step") as bar:
        for epoch in range(first, plan.epochs):
            _train_epoch(network, optimizer, training, plan, epoch, workers, bar)
            model, moments = network.state_dict(), optimizer.state_dict()
            saved = {"epoch": epoch + 1, "model": model, "optimizer": moments}
            save_checkpoint(state, saved | {"settings": settings})
    score = measure(network, testing, plan.size)
    log.info(SCORES, score)
    content = {"model": network.cpu().state_dict(), "settings": settings, "held_out": score}
    save_checkpoint(out, content)
    state.unlink(missing_ok=True)
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


def _split(pairs: Sequence[Pair], held_out: float, seed: int) -> tuple[list[Pair], list[Pair]]:
    count = max(1, round(held_out * len(pairs)))
    if count >= len(pairs):
        raise InputError(f"{len(pairs)} saliency pairs, {count} held out: none is left to train on")
    order = np.random.default_rng(seed).permutation(len(pairs))
    chosen = [pairs[i] for i in order]
    return chosen[count:], chosen[:count]


def _optimizer(network: SaliencyNetwork, rate: float, encoder_rate: float) -> torch.optim.Optimizer:
    groups = [(network.encoder, rate * encoder_rate), (network.decoder, rate)]
    return torch.optim.AdamW(
        [{"params": list(m.parameters()), "lr": lr, "highest": lr} for m, lr in groups],
        weight_decay=WEIGHT_DECAY,
    )


def _resume(
    state: Path,
    settings: dict[str, Any],
    network: SaliencyNetwork,
    optimizer: torch.optim.Optimizer,
) -> int:
    """Load the state of an interrupted training; returns the first epoch that is left."""
    saved = load_resumable(state, settings)
    if saved is None:
        return 0
    network.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    log.info("%s: training goes on after epoch %d", state, saved["epoch"])
    return saved["epoch"]


def _steps(images: int, batch_size: int) -> int:
    """Return full batches an epoch; a set smaller than a batch is one batch."""
    return max(1, images // batch_size)


def _train_epoch(
    network: SaliencyNetwork,
    optimizer: torch.optim.Optimizer,
    pairs: Sequence[Pair],
    plan: SaliencyPlan,
    epoch: int,
    workers: int,
    bar: tqdm,
) -> None:
    network.train()
    steps = _steps(len(pairs), plan.batch_size)
    device = next(network.parameters()).device
    for step, batch in enumerate(_batches(pairs, plan, epoch, workers)):
        images, target, valid = (tensor.to(device) for tensor in batch)
        share = _rate((epoch * steps + step) / (plan.epochs * steps))
        for group in optimizer.param_groups:
            group["lr"] = group["highest"] * share
        loss = structure_loss(network(images), target, valid)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bar.set_postfix(loss=f"{loss.item():.3f}", refresh=False)
        bar.update()


def _rate(progress: float) -> float:
    """Share of the highest learning rate at `progress` 0..1: a linear rise, then poly 0.9."""
    return min(1.0, progress / WARMUP + 0.1) * math.pow(1 - progress, 0.9)


def _batches(pairs: Sequence[Pair], plan: SaliencyPlan, epoch: int, workers: int) -> Iterator:
    crops = PairCrops(
        pairs, size=plan.size, scale_range=plan.scale_range, seed=plan.seed, epoch=epoch
    )
    order = np.random.default_rng([plan.seed, epoch]).permutation(len(pairs))
    return iter(
        image_loader(
            crops,
            batch_size=plan.batch_size,
            sampler=order.tolist(),
            drop_last=len(pairs) >= plan.batch_size,
            num_workers=workers,
            generator=torch.Generator(),  # its own: the global one belongs to the network
        )
    )
