"""The network that names the sound of each moment."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grammars.build.corpus import STEP
from grammars.build.features import SIZE

AROUND = 2  # input frames on either side that the first layer sees


@dataclass(frozen=True)
class Shape:
    """How large a network is."""

    width: int = 256
    inner: int = 320
    # Output frames from its middle that each block's layer sees on either side.
    reaches: tuple[int, ...] = (1, 1, 2, 2, 3, 3)

    @property
    def margin(self) -> int:
        """Output frames on either side that the whole network sees beyond the first layer."""
        return sum(self.reaches)


@dataclass(frozen=True)
class Affine:
    """A matrix over spliced inputs, oldest first, and what is added."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


@dataclass(frozen=True)
class Layers:
    """A trained network in plain numbers. Each block's result is added to what went into it."""

    first: Affine
    blocks: tuple[tuple[Affine, Affine], ...]
    before_last: Affine
    last: Affine
    shape: Shape


class _Block(nn.Module):
    """Looks to either side, and adds what it finds."""

    def __init__(self, shape: Shape, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.look = nn.Conv1d(shape.width, shape.inner, 3, dilation=reach, bias=False)
        self.norm = nn.BatchNorm1d(shape.inner)
        self.back = nn.Conv1d(shape.inner, shape.width, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        found: Tensor = self.back(torch.relu(self.norm(self.look(hidden))))
        return hidden[:, :, self.reach : -self.reach] + found


class Network(nn.Module):
    """Spliced frames, blocks that look farther and farther, sounds."""

    def __init__(self, sounds: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.register_buffer("mean", torch.zeros(SIZE))
        self.register_buffer("scale", torch.ones(SIZE))
        self.first = nn.Conv1d(SIZE, shape.width, 2 * AROUND + 1, stride=STEP, bias=False)
        self.first_norm = nn.BatchNorm1d(shape.width)
        self.blocks = nn.ModuleList(_Block(shape, reach) for reach in shape.reaches)
        self.before_last = nn.Conv1d(shape.width, shape.inner, 1, bias=False)
        self.before_last_norm = nn.BatchNorm1d(shape.inner)
        self.last = nn.Conv1d(shape.inner, sounds, 1)

    def forward(self, frames: Tensor) -> Tensor:
        """Log-likelihoods, unnormalised, from frames (batch, time, SIZE)."""
        hidden = ((frames - self.mean) * self.scale).transpose(1, 2)
        hidden = torch.relu(self.first_norm(self.first(hidden)))
        for block in self.blocks:
            hidden = block(hidden)
        hidden = torch.relu(self.before_last_norm(self.before_last(hidden)))
        out: Tensor = self.last(hidden)
        return out

    def layers(self) -> Layers:
        """In plain numbers, without the normalisations, which are moved into what they follow."""
        with torch.no_grad():
            first = _folded(self.first, self.first_norm)
            given = np.tile(self.scale.numpy(), 2 * AROUND + 1)
            offset = np.tile((self.mean * self.scale).numpy(), 2 * AROUND + 1)
            moved = first.bias - first.weights @ offset
            blocks = tuple(
                (_folded(block.look, block.norm), _plain(block.back)) for block in self.blocks
            )
            return Layers(
                Affine(first.weights * given, moved),
                blocks,
                _folded(self.before_last, self.before_last_norm),
                _plain(self.last),
                self.shape,
            )


def _plain(layer: nn.Module) -> Affine:
    return Affine(_flat(layer.weight), layer.bias.detach().numpy().astype(np.float32))


def _folded(layer: nn.Module, norm: nn.Module) -> Affine:
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = norm.bias - norm.running_mean * scale
    return Affine(
        _flat(layer.weight * scale[:, None, None]), bias.detach().numpy().astype(np.float32)
    )


def _flat(weight: Tensor) -> NDArray[np.float32]:
    flat = weight.detach().transpose(1, 2).reshape(weight.shape[0], -1)
    return np.asarray(flat.numpy(), np.float32)
