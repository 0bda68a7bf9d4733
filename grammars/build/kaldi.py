"""Writes what Vosk reads: the acoustic model in Kaldi's binary form."""

import struct
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from grammars.build.corpus import STEP
from grammars.build.features import SIZE
from grammars.build.network import AROUND, Affine, Layers


def self_loop(sound: int) -> int:
    """The transition that stays in a sound; sounds count from 0, transitions from 1."""
    return 2 * sound + 1


def forward(sound: int) -> int:
    """The transition that a sound begins with."""
    return 2 * sound + 2


def write_model(
    file: Path, layers: Layers, shares: NDArray[np.float32], stay: Sequence[float]
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
        _integer(out, AROUND + STEP * layers.shape.margin)
        _token(out, "<RightContext>")
        _integer(out, AROUND + STEP * layers.shape.margin)
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


def _network(out: BinaryIO, layers: Layers) -> None:
    wiring = _Wiring(layers)
    _token(out, "<Nnet3>")
    out.write(("\n" + "\n".join(wiring.lines) + "\n\n").encode())
    _token(out, "<NumComponents>")
    _integer(out, len(wiring.components))
    for name, component in wiring.components.items():
        _token(out, "<ComponentName>")
        _token(out, name)
        if isinstance(component, Affine):
            _affine(out, component)
        else:
            component(out)
    _token(out, "</Nnet3>")


class _Wiring:
    """Which component hears which: Kaldi's own lines, and the components by name."""

    def __init__(self, layers: Layers) -> None:
        self.lines = [f"input-node name=input dim={SIZE}"]
        self.components: dict[str, Affine | Callable[[BinaryIO], None]] = {}
        size = len(layers.first.bias)
        frames = ", ".join(f"Offset(input, {n})" for n in range(-AROUND, AROUND + 1))
        stream = self._bent("first", layers.first, f"Append({frames})")
        for number, (look, back) in enumerate(layers.blocks):
            reach = STEP * layers.shape.reaches[number]
            beside = f"Append(Offset({stream}, -{reach}), {stream}, Offset({stream}, {reach}))"
            found = self._bent(f"look{number}", look, beside)
            back_name = self._component(f"back{number}", back, found)
            stream = self._component(
                f"sum{number}", partial(_same, size=size), f"Sum({stream}, {back_name})"
            )
        hidden = self._bent("before_last", layers.before_last, stream)
        scores = self._component("last", layers.last, hidden)
        bend = partial(_bend, kind="LogSoftmaxComponent", size=len(layers.last.bias))
        chances = self._component("chances", bend, scores)
        self.lines.append(f"output-node name=output input={chances} objective=linear")

    def _bent(self, name: str, affine: Affine, source: str) -> str:
        found = self._component(name, affine, source)
        bend = partial(_bend, kind="RectifiedLinearComponent", size=len(affine.bias))
        return self._component(f"{name}_bent", bend, found)

    def _component(
        self, name: str, component: Affine | Callable[[BinaryIO], None], source: str
    ) -> str:
        self.components[name] = component
        self.lines.append(f"component-node name={name} component={name} input={source}")
        return name


def _affine(out: BinaryIO, affine: Affine) -> None:
    _token(out, "<FixedAffineComponent>")
    _token(out, "<LinearParams>")
    _matrix(out, affine.weights)
    _token(out, "<BiasParams>")
    _vector(out, affine.bias)
    _token(out, "</FixedAffineComponent>")


def _same(out: BinaryIO, *, size: int) -> None:
    """A component that passes on what it hears: a place for a sum."""
    _token(out, "<NoOpComponent>")
    _token(out, "<Dim>")
    _integer(out, size)
    _token(out, "<BackpropScale>")
    _float(out, 1.0)
    _token(out, "</NoOpComponent>")


def _bend(out: BinaryIO, *, kind: str, size: int) -> None:
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
