"""Trains the network on recordings that keep coming, each bent anew whenever it is heard."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from grammars.build.corpus import STEP, Recording
from grammars.build.features import CEPSTRUM, SIZE
from grammars.build.network import AROUND, Network, Shape

CHUNK = 150  # output frames trained at once
BATCH = 16
FASTEST, FINISHING, SLOWEST = 2.5e-3, 7e-4, 1e-5  # steps' sizes
WARMING = 0.08  # share of the training in which steps grow
AVERAGED = 0.985  # how slowly the network that is kept follows the one that learns


@dataclass
class Counted:
    """What the material told about the sounds: frames of each, and how often each began."""

    frames: NDArray[np.float64]
    runs: NDArray[np.float64]

    def add(self, one: Recording) -> None:
        labels, size = one.labels[0], self.frames.size
        self.frames += np.bincount(labels, minlength=size)
        begins = np.concatenate(([True], labels[1:] != labels[:-1]))
        self.runs += np.bincount(labels[begins], minlength=size)

    def shares(self) -> NDArray[np.float32]:
        """Of all output frames, each sound's."""
        counted = self.frames + 1.0
        return np.asarray(counted / counted.sum(), np.float32)

    def staying(self) -> list[float]:
        """Each sound's chance of lasting another output frame."""
        return [float(chance) for chance in 1 - (self.runs + 1) / (self.frames + 2)]


@dataclass
class Training:
    """A network that learns in `passes`, and in `last_passes` from speech that is not bent."""

    sounds: int
    shape: Shape
    passes: int
    last_passes: int
    seed: int
    tell: Callable[[str], None]
    counted: Counted = field(init=False)

    def __post_init__(self) -> None:
        torch.manual_seed(self.seed)
        torch.set_num_threads(1)  # more threads wait for each other on a busy machine
        self.counted = Counted(np.zeros(self.sounds), np.zeros(self.sounds))
        self._rng = np.random.default_rng(self.seed)
        self._network = Network(self.sounds, self.shape)
        self._kept = AveragedModel(
            self._network, multi_avg_fn=get_ema_multi_avg_fn(AVERAGED), use_buffers=True
        )
        self._optimiser = torch.optim.AdamW(
            self._network.parameters(), lr=SLOWEST, weight_decay=1e-3
        )

    def run(self, recordings: Iterable[Recording], count: int) -> Iterator[Network]:
        """The network after each of the passes, which hear `count` recordings in all.

        What is given is the mean of its last steps. A pass hears new ones and those of the
        pass before.
        """
        new, before = iter(recordings), list[Recording]()
        passes = self.passes + self.last_passes
        for number in range(passes):
            lot = list(islice(new, count // passes))
            for one in lot:
                self.counted.add(one)
            if not number:
                self._normalise(lot)
            begun = time.monotonic()
            loss, right = self._one_pass([*before, *lot], number)
            self.tell(
                f"pass {number + 1} of {passes}: loss {loss:.3f}, "
                f"{right:.1%} of frames right, {time.monotonic() - begun:.0f} s"
            )
            before = lot
            yield self._kept.module.eval()

    def _normalise(self, lot: Sequence[Recording]) -> None:
        some = np.concatenate([one.features for one in lot[:1000]]).astype(np.float32)
        for network in (self._network, self._kept.module):
            network.mean.copy_(torch.from_numpy(some.mean(0)))
            network.scale.copy_(torch.from_numpy(1 / some.std(0)))

    def _one_pass(self, recordings: Sequence[Recording], number: int) -> tuple[float, float]:
        features, labels = _stream(recordings, self._rng)
        bending = number < self.passes
        self._network.train(bending)  # else its normalisations stay as they are
        margin = self.shape.margin  # output frames lost at either end of a chunk
        reach = CHUNK + 2 * margin
        places = np.arange(AROUND, len(labels) - reach - AROUND, CHUNK)
        self._rng.shuffle(places)
        span = np.arange(-AROUND, STEP * (reach - 1) + AROUND + 1)
        found = []
        for begin in range(0, len(places) - BATCH + 1, BATCH):
            chosen = places[begin : begin + BATCH, None]
            frames = torch.from_numpy(features[chosen * STEP + span].astype(np.float32))
            target = labels[chosen + margin + np.arange(CHUNK)].astype(np.int64)
            self._set_pace(number + begin / len(places))
            heard = bent(frames) if bending else frames
            found.append(self._step(heard, torch.from_numpy(target)))
        losses, rights = np.mean(found, axis=0)
        return float(losses), float(rights)

    def _set_pace(self, passed: float) -> None:
        """Small steps, large ones, ever smaller ones; the same again at the end."""
        first = passed < self.passes
        done = passed / self.passes if first else (passed - self.passes) / self.last_passes
        pace = min(done / WARMING, 0.5 + 0.5 * math.cos(math.pi * done))
        for group in self._optimiser.param_groups:
            group["lr"] = SLOWEST + ((FASTEST if first else FINISHING) - SLOWEST) * pace

    def _step(self, frames: Tensor, target: Tensor) -> tuple[float, float]:
        with torch.autocast("cpu", torch.bfloat16):
            scores = self._network(frames).float()
        loss = nn.functional.cross_entropy(scores, target)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), 2.0)
        self._optimiser.step()
        self._kept.update_parameters(self._network)
        return float(loss.detach()), float((scores.argmax(1) == target).float().mean())


def _stream(
    recordings: Sequence[Recording], rng: np.random.Generator
) -> tuple[NDArray[np.float16], NDArray[np.uint8]]:
    """Everything in a new order and at new phases: input frames, labels of output frames."""
    features, labels = [], []
    for place in rng.permutation(len(recordings)):
        one, phase = recordings[place], int(rng.integers(STEP))
        count = (len(one.features) - phase) // STEP
        features.append(one.features[phase : phase + count * STEP])
        labels.append(one.labels[phase][:count])
    return np.concatenate(features), np.concatenate(labels)


_CEPSTRUM = torch.from_numpy(CEPSTRUM)
_BANDS = torch.linalg.inv(_CEPSTRUM)
_GAPS = 0.5  # share of the callers that have any
_MEAN_BAND = 8.0  # about what a band's logarithm is on the average
_ACROSS = torch.linspace(-1, 1, SIZE)


def bent(frames: Tensor) -> Tensor:
    """MFCC (batch, time, SIZE) as of other heads, other lines, and with parts lost."""
    count = len(frames)
    bands = frames @ (_BANDS.T @ _other_heads(count))
    line = 0.7 * torch.randn(count, 1, 1) * _ACROSS + 0.5 * torch.randn(count, 1, 1) * _ACROSS**2
    hiss = bands.amax((1, 2), keepdim=True) - 8 - 8 * torch.rand(count, 1, 1)
    hiss = hiss + torch.randn(count, 1, 1) * _ACROSS + 0.5 * torch.randn_like(bands)
    bands = torch.logaddexp(bands, hiss) + line
    return _with_gaps(bands) @ _CEPSTRUM.T


def _other_heads(count: int) -> Tensor:
    """For each caller a matrix that stretches the bands a little."""
    stretch = 1 + 0.06 * (2 * torch.rand(count, 1, 1) - 1)
    wanted = (torch.arange(SIZE) * stretch).clamp(0, SIZE - 1)
    return (1 - (torch.arange(SIZE)[:, None] - wanted).abs()).clamp(min=0)


def _with_gaps(bands: Tensor) -> Tensor:
    """Some bands of some callers missing."""
    begin = torch.randint(0, SIZE, (len(bands), 1, 1))
    width = torch.randint(0, 6, (len(bands), 1, 1))
    place = torch.arange(SIZE)
    lost = (place >= begin) & (place < begin + width) & (torch.rand(len(bands), 1, 1) < _GAPS)
    return torch.where(lost, torch.tensor(_MEAN_BAND), bands)
