"""Writes what Vosk reads: the acoustic model in Kaldi's binary form."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from grammars.build.corpus import STEP
from grammars.build.features import SIZE
from grammars.build.network import AROUND, Affine


def self_loop(sound: int) -> int:
    """The transition that stays in a sound; sounds count from 0, transitions from 1."""
    return 2 * sound + 1


def forward(sound: int) -> int:
    """The transition that a sound begins with."""
    return 2 * sound + 2


def write_model(
    file: Path, layers: Sequence[Affine], shares: NDArray[np.float32], stay: Sequence[float]
) -> None:
    """Write am/final.mdl: transitions, network, and the sounds' shares as priors.

    `stay` is each sound's chance of lasting another output frame.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as out:
        out.write(b"\0B")
        _transitions(out, stay)
        _network(out, layers)
        _token(out, "<LeftContext>")
        _integer(out, AROUND + STEP * (len(layers) - 2))
        _token(out, "<RightContext>")
        _integer(out, AROUND + STEP * (len(layers) - 2))
        _token(out, "<Priors>")
        _vector(out, shares)


def read_staying(file: Path) -> list[float]:
    """What `write_model` was told of how sounds last."""
    data = file.read_bytes()
    mark = b"<LogProbs> FV \x04"
    start = data.index(mark) + len(mark)
    (count,) = struct.unpack_from("<i", data, start)
    chances = np.frombuffer(data, "<f4", count, start + 4)[1::2]
    return [float(chance) for chance in np.exp(chances)]


def _transitions(out: BinaryIO, stay: Sequence[float]) -> None:
    count = len(stay)
    _token(out, "<TransitionModel>")
    _token(out, "<Topology>")
    _integers(out, range(1, count + 1))
    _integers(out, [-1, *[0] * count])
    _integer(out, 1)  # one way for all: an emitting state and the end
    _integer(out, 2)
    for value in (0, 2):  # sound 0 of the state, two transitions
        _integer(out, value)
    for to in (0, 1):
        _integer(out, to)
        _float(out, 0.5)
    for value in (-1, 0):
        _integer(out, value)
    _token(out, "</Topology>")
    _token(out, "<Triples>")
    _integer(out, count)
    for sound in range(count):
        for value in (sound + 1, 0, sound):
            _integer(out, value)
    _token(out, "</Triples>")
    _token(out, "<LogProbs>")
    chances = np.array([[chance, 1 - chance] for chance in stay], np.float32).ravel()
    _vector(out, np.concatenate((np.zeros(1, np.float32), np.log(chances))))
    _token(out, "</LogProbs>")
    _token(out, "</TransitionModel>")


def _network(out: BinaryIO, layers: Sequence[Affine]) -> None:
    _token(out, "<Nnet3>")
    out.write(("\n" + "\n".join(_wiring(len(layers))) + "\n\n").encode())
    _token(out, "<NumComponents>")
    _integer(out, 2 * len(layers))
    for number, layer in enumerate(layers):
        _component(out, f"affine{number}")
        _token(out, "<FixedAffineComponent>")
        _token(out, "<LinearParams>")
        _matrix(out, layer.weights)
        _token(out, "<BiasParams>")
        _vector(out, layer.bias)
        _token(out, "</FixedAffineComponent>")
        kind = "LogSoftmaxComponent" if number == len(layers) - 1 else "RectifiedLinearComponent"
        _component(out, f"bend{number}")
        _bend(out, kind, len(layer.bias))
    _token(out, "</Nnet3>")


def _wiring(layers: int) -> list[str]:
    lines = [f"input-node name=input dim={SIZE}"]
    frames = ", ".join(f"Offset(input, {n})" for n in range(-AROUND, AROUND + 1))
    source = f"Append({frames})"
    for number in range(layers):
        lines.append(f"component-node name=affine{number} component=affine{number} input={source}")
        lines.append(
            f"component-node name=bend{number} component=bend{number} input=affine{number}"
        )
        name = f"bend{number}"
        beside = f"Append(Offset({name}, -{STEP}), {name}, Offset({name}, {STEP}))"
        source = name if number == layers - 2 else beside
    lines.append(f"output-node name=output input=bend{layers - 1} objective=linear")
    return lines


def _component(out: BinaryIO, name: str) -> None:
    _token(out, "<ComponentName>")
    _token(out, name)


def _bend(out: BinaryIO, kind: str, size: int) -> None:
    _token(out, f"<{kind}>")
    _token(out, "<Dim>")
    _integer(out, size)
    nothing = np.zeros(0, np.float32)
    for name in ("<ValueAvg>", "<DerivAvg>"):
        _token(out, name)
        _vector(out, nothing)
    _token(out, "<Count>")
    out.write(b"\x08" + struct.pack("<d", 0.0))
    _token(out, f"</{kind}>")


def _token(out: BinaryIO, token: str) -> None:
    out.write(token.encode() + b" ")


def _integer(out: BinaryIO, value: int) -> None:
    out.write(b"\x04" + struct.pack("<i", value))


def _float(out: BinaryIO, value: float) -> None:
    out.write(b"\x04" + struct.pack("<f", value))


def _integers(out: BinaryIO, values: Sequence[int]) -> None:
    out.write(b"\x04" + struct.pack(f"<i{len(values)}i", len(values), *values))


def _vector(out: BinaryIO, values: NDArray[np.float32]) -> None:
    _token(out, "FV")
    _integer(out, len(values))
    out.write(values.astype("<f4").tobytes())


def _matrix(out: BinaryIO, values: NDArray[np.float32]) -> None:
    """In Kaldi's compressed form: two bytes a number, evenly between the extremes."""
    low, span = float(values.min()), float(np.ptp(values))
    _token(out, "CM2")
    out.write(struct.pack("<ffii", low, span, *values.shape))
    out.write(np.round((values - low) / span * 65535).astype("<u2").tobytes())
