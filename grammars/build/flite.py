"""American English from flite, a second synthesiser, with its sounds' places."""

import tempfile
import wave
from pathlib import Path

import numpy as np

from grammars.build.debian import Tools
from grammars.build.espeak import Sound, Spoken
from grammars.build.phones import FLITE

TRAINING_VOICES = ("kal", "awb", "rms")
HELD_OUT_VOICE = "slt"


def say(tools: Tools, text: str, voice: str, stretch: float = 1.0) -> Spoken:
    """A text said by a voice, `stretch` times as long as usual. Sounds have the names of ours."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "said.wav"
        printed = tools.run(
            "flite",
            *("-voice", voice, "--setf", f"duration_stretch={stretch}", "-psdur"),
            *("-t", text, str(file)),
        )
        with wave.open(str(file)) as sound:
            rate = sound.getframerate()
            frames = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
    said: list[Sound] = []
    begin = 0.0
    for pair in printed.split():
        name, _, end = pair.rpartition(":")
        names = FLITE.get(name, ("",))
        for place, part in enumerate(names):
            start = begin + (float(end) - begin) * place / len(names)
            said.append(Sound(part, int(start * rate)))
        begin = float(end)
    return Spoken(frames.astype(np.float32) / np.float32(32768), rate, [said])
