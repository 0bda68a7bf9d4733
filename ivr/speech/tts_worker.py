"""A process that turns text into sound files: one JSON job a line in, one JSON answer a line out.

Started by ivr/speech/tts.py as a program, never imported by the servers. It drives espeak-ng
through pyttsx3, but with a driver of our own: the stock one returns before the sound is written and
can write one caller's sentence into another caller's file.
"""

import contextlib
import json
import os
import signal
import sys
from ctypes import c_long, string_at
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

import pyttsx3
from pyttsx3.drivers import _espeak
from pyttsx3.drivers.espeak import EspeakDriver

from ivr.speech import sound
from ivr.speech.errors import SpeechError, SynthesisError

DRIVER = "saldo_espeak"
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT of speak_lib.h: report missing data, do not exit
_SAMPLE_BYTES = 2
_SEED = 1


class SynchronousDriver(EspeakDriver):  # type: ignore[misc]  # pyttsx3 has no types
    """espeak-ng in synchronous mode: when save_to_file returns, all sound has been collected."""

    _rate = 0

    def __init__(self, proxy: Any) -> None:
        # The parent's __init__ would start espeak-ng in its asynchronous mode.
        if not SynchronousDriver._rate:
            rate = _espeak.Initialize(_espeak.AUDIO_OUTPUT_SYNCHRONOUS, 0, None, _DO_NOT_EXIT)
            if rate <= 0:
                raise SynthesisError("espeak-ng does not find its data (ESPEAK_DATA_PATH).")
            # It has begun its noise of breath with the time of day; a voice's flutter goes on from
            # text to text: the same texts in the same order now sound the same.
            _espeak.dll.espeak_ng_SetRandSeed(c_long(_SEED))
            SynchronousDriver._rate = rate
        self._proxy = proxy
        self._looping = self._stopping = False
        self._samples = bytearray()
        self.margin_ms = 0
        self.written: dict[str, int] = {}
        _espeak.SetSynthCallback(self._collect)

    def _collect(self, samples: Any, count: int, _events: Any) -> int:
        if count > 0:
            self._samples += string_at(samples, count * _SAMPLE_BYTES)
        return 0

    @staticmethod
    def setProperty(name: str, value: Any) -> None:  # noqa: N802 - pyttsx3's name
        if name == "voice" and _espeak.SetVoiceByName(str(value).encode()) != _espeak.EE_OK:
            raise SynthesisError(f"espeak-ng has no voice {value!r}.")
        if name != "voice":
            EspeakDriver.setProperty(name, value)

    def save_to_file(self, text: str, filename: str) -> None:
        self._samples.clear()
        flags = _espeak.CHARS_UTF8 | _espeak.ENDPAUSE
        if _espeak.Synth(text.encode(), flags=flags) != _espeak.EE_OK:
            raise SynthesisError("espeak-ng refused the text.")
        speech = sound.shape(sound.from_pcm(bytes(self._samples)), self._rate, self.margin_ms)
        self.written = sound.publish(speech, self._rate, Path(filename))

    def startLoop(self) -> None:  # noqa: N802 - pyttsx3's name
        # Nothing to wait for: letting the queue go runs every command to its end.
        self._proxy.setBusy(False)


class Synthesiser:
    """pyttsx3 with the driver above; errors come out as exceptions."""

    def __init__(self) -> None:
        module = ModuleType(f"pyttsx3.drivers.{DRIVER}")
        module.__dict__["buildDriver"] = SynchronousDriver
        sys.modules[module.__name__] = module
        self._engine = pyttsx3.init(DRIVER)
        self._driver: SynchronousDriver = self._engine.proxy._driver  # noqa: SLF001 - has no public way
        self._error: Exception | None = None
        self._engine.connect("error", self._note)
        self._driver.startLoop()

    def _note(self, name: str | None, exception: Exception) -> None:  # noqa: ARG002 - pyttsx3's names
        self._error = self._error or exception

    def speak(self, job: dict[str, Any]) -> dict[str, int]:
        """Synthesise job["text"] into job["file"]; bytes written by format."""
        self._error, self._driver.written = None, {}
        self._driver.margin_ms = job["margin_ms"]
        for name in ("voice", "rate", "pitch"):
            self._engine.setProperty(name, job[name])
        if self._error is None:
            self._engine.save_to_file(job["text"], job["file"])
            self._engine.runAndWait()
        if self._error is not None:
            raise self._error
        return self._driver.written


def serve(jobs: TextIO, answers: TextIO) -> None:
    """Work until the jobs end; a job that fails is answered with its error."""
    synthesiser = Synthesiser()
    for line in jobs:
        job = json.loads(line)
        # Kills this process inside C code too, should the parent be gone and unable to.
        signal.setitimer(signal.ITIMER_REAL, job["limit_seconds"])
        try:
            answer = {"id": job["id"], "written": _do(job, synthesiser)}
        except (SpeechError, OSError, ValueError) as error:
            answer = {"id": job["id"], "error": str(error) or type(error).__name__}
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _do(job: dict[str, Any], synthesiser: Synthesiser) -> dict[str, int]:
    file = Path(job["file"])
    if job["silence_seconds"]:
        return sound.publish(sound.silence(job["silence_seconds"], 16000), 16000, file)
    if job["recording"]:
        signal_, rate = sound.from_recording(Path(job["recording"]))
        return sound.publish(sound.shape(signal_, rate, job["margin_ms"]), rate, file)
    return synthesiser.speak(job)


def main() -> None:
    """Keep the real stdout for answers; whatever a library prints goes nowhere."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a path of ours
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin, answers)


if __name__ == "__main__":
    main()
