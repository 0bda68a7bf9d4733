"""A speech model's folder: whether all of it is there, its sample rate, and a trial run of it.

libvosk ends the whole process over some broken files (a cut-short graph is a segmentation fault),
so a daemon that names a folder proves it first, in a process of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ivr.speech.errors import ModelError

RATES = (8000, 16000)
"""what Asterisk can give us, in samples a second"""
TRIAL_SECONDS = 60.0
"""the largest public model that takes grammars loads in about ten"""
_PROJECT = Path(__file__).parents[2]
_RATE = re.compile(r"^\s*--sample-frequency=(\S+)", re.MULTILINE)
_KALDI_RATE = "16000"
"""what a model without that line has"""
_NEEDED = ("conf/mfcc.conf", "am/final.mdl", "graph/HCLr.fst", "graph/Gr.fst")
_COMPLAINT = re.compile(r"^(?:ERROR|ASSERTION_FAILED)(?: \(.*?:\d+\))?:? *(.+)$", re.MULTILINE)


def rate_of(folder: Path, setting: str) -> int:
    """The sample rate that the model was made for; `setting` is where its folder was named.

    Raises ModelError when something of it is missing or the rate is none of RATES.
    """
    if not folder.is_dir():
        raise ModelError(
            f"There is no speech model in {folder}: run `saldo speech install`, or name another "
            f"folder in {setting}."
        )
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise ModelError(
                f"The speech model in {folder} ({setting}) has no {name}: it is incomplete, or of "
                "a kind that takes no grammars (the small ones do)."
            )
    try:
        text = (folder / "conf/mfcc.conf").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ModelError(f"{folder}/conf/mfcc.conf ({setting}) cannot be read.") from None
    stated = _RATE.search(text)
    rate = stated[1] if stated else _KALDI_RATE
    if rate not in map(str, RATES):
        raise ModelError(
            f"The speech model in {folder} ({setting}) is made for {rate} samples a second; "
            f"Asterisk gives {' or '.join(map(str, RATES))}."
        )
    return int(rate)


def prove(folder: Path, setting: str) -> int:
    """Load the model and let it hear a second of silence, in a process apart; its sample rate.

    Takes as long as loading, and half a second for the process. Raises ModelError.
    """
    rate = rate_of(folder, setting)
    why = _trial(folder, rate)
    if why:
        raise ModelError(
            f"The speech model in {folder} ({setting}) is broken ({why}): remove it and fetch it "
            "again with `saldo speech install`, or name another folder."
        )
    return rate


def _trial(folder: Path, rate: int) -> str:
    """Why the model cannot be used; empty when it can."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "ivr.speech.model_trial", str(folder), str(rate)],
            env={"PYTHONPATH": str(_PROJECT), "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=TRIAL_SECONDS,
            text=True,
            errors="replace",
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not load within {TRIAL_SECONDS:.0f} s"
    except OSError as error:
        return f"it could not be tried: {error.strerror}"
    if done.returncode == 0:
        return ""
    complaint = _COMPLAINT.search(done.stderr)
    said = f": {complaint[1].strip()}" if complaint else ""
    crashed = done.returncode < 0
    return f"Vosk {'crashes on it' if crashed else 'cannot load it'}{said}"
