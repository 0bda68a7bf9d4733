"""The network that names the sound of each moment, and its training."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grammars.build.corpus import STEP, Recording
from grammars.build.features import SIZE

AROUND = 2  # input frames on either side that the first layer sees
CHUNK = 100  # output frames trained at once
BATCH = 32


@dataclass(frozen=True)
class Affine:
    """One trained layer as a matrix over its spliced input."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


class Network(nn.Module):
    """Spliced frames, `layers` layers that see one output frame on either side, sounds."""

    def __init__(self, sounds: int, width: int, layers: int) -> None:
        super().__init__()
        self.layers = layers
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        sizes = [(SIZE, 2 * AROUND + 1), *[(width, 3)] * layers]
        self.affine = nn.ModuleList(
            nn.Conv1d(size, width, kernel, stride=STEP if n == 0 else 1)
            for n, (size, kernel) in enumerate(sizes)
        )
        self.norm = nn.ModuleList(nn.BatchNorm1d(width, affine=False) for _ in sizes)
        self.last = nn.Conv1d(width, sounds, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Log-likelihoods, unnormalised, from frames (batch, time, SIZE)."""
        hidden = ((frames - self.mean) * self.scale).transpose(1, 2)
        for affine, norm in zip(self.affine, self.norm, strict=True):
            hidden = norm(torch.relu(affine(hidden)))
        out: Tensor = self.last(hidden)
        return out

    def folded(self) -> list[Affine]:
        """The layers without the normalisation between them, which is moved into them."""
        offset, scale = -self.mean * self.scale, self.scale
        done = []
        for affine, norm in zip(self.affine, self.norm, strict=True):
            done.append(_folded(affine, scale, offset))
            scale = torch.rsqrt(norm.running_var + norm.eps)
            offset = -norm.running_mean * scale
        done.append(_folded(self.last, scale, offset))
        return done


def _folded(layer: nn.Module, scale: Tensor, offset: Tensor) -> Affine:
    weight, bias = layer.weight, layer.bias
    with torch.no_grad():
        scaled = weight * scale[None, :, None]
        moved = bias + (weight * offset[None, :, None]).sum((1, 2))
        flat = scaled.transpose(1, 2).reshape(weight.shape[0], -1)
    return Affine(flat.numpy().astype(np.float32), moved.numpy().astype(np.float32))


class Material:
    """Recordings as one long stream, cut anew for every pass."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._recordings = recordings

    def counts(self, sounds: int) -> NDArray[np.int64]:
        """How many output frames each sound has."""
        return sum(
            (np.bincount(one.labels[0], minlength=sounds) for one in self._recordings),
            np.zeros(sounds, np.int64),
        )

    def moments(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and deviation of each feature."""
        some = np.concatenate([one.features for one in self._recordings[:2000]]).astype(np.float32)
        return some.mean(0), some.std(0)

    def stream(self, rng: np.random.Generator) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
        """Everything in a new order and at new phases: input frames, labels of output frames."""
        features, labels = [], []
        for place in rng.permutation(len(self._recordings)):
            one, phase = self._recordings[place], int(rng.integers(STEP))
            count = (len(one.features) - phase) // STEP
            features.append(one.features[phase : phase + count * STEP])
            labels.append(one.labels[phase][:count])
        return np.concatenate(features), np.concatenate(labels)


def train(
    recordings: Sequence[Recording],
    sounds: int,
    *,
    width: int,
    layers: int,
    passes: int,
    seed: int,
    tell: Callable[[str], None],
) -> tuple[Network, NDArray[np.float32]]:
    """The trained network and the share of each sound in the material."""
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # more threads wait for each other on a busy machine
    rng = np.random.default_rng(seed)
    material = Material(recordings)
    network = Network(sounds, width, layers)
    mean, deviation = material.moments()
    network.mean.copy_(torch.from_numpy(mean))
    network.scale.copy_(torch.from_numpy(1 / deviation))
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-3)
    length = sum(len(one.labels[0]) for one in recordings)
    steps = passes * (length // (CHUNK * BATCH) + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + passes)
    for number in range(passes):
        begun = time.monotonic()
        loss, right = _one_pass(network, material.stream(rng), rng, optimiser, schedule)
        tell(
            f"pass {number + 1} of {passes}: loss {loss:.3f}, "
            f"{right:.1%} of frames right, {time.monotonic() - begun:.0f} s"
        )
    network.eval()
    counted = material.counts(sounds) + 1.0
    return network, (counted / counted.sum()).astype(np.float32)


def _one_pass(
    network: Network,
    stream: tuple[NDArray[np.float16], NDArray[np.uint8]],
    rng: np.random.Generator,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[float, float]:
    features, labels = stream
    network.train()
    margin = network.layers  # output frames lost at either end of a chunk
    reach = CHUNK + 2 * margin
    places = np.arange(AROUND, len(labels) - reach - AROUND, CHUNK)
    rng.shuffle(places)
    losses, rights, seen = 0.0, 0.0, 0
    for begin in range(0, len(places) - BATCH + 1, BATCH):
        chosen = places[begin : begin + BATCH]
        span = np.arange(-AROUND, STEP * (reach - 1) + AROUND + 1)
        frames = torch.from_numpy(features[chosen[:, None] * STEP + span].astype(np.float32))
        target = torch.from_numpy(
            labels[chosen[:, None] + margin + np.arange(CHUNK)].astype(np.int64)
        )
        with torch.autocast("cpu", torch.bfloat16):
            scores = network(frames).float()
        loss = nn.functional.cross_entropy(scores, target)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        losses += float(loss.detach())
        rights += float((scores.argmax(1) == target).float().mean())
        seen += 1
    return losses / max(seen, 1), rights / max(seen, 1)
