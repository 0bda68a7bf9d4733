"""A process that tells how words are pronounced: a JSON request a line in, an answer a line out.

Started by ivr/speech/name_sounds.py as a program, never imported by the servers. It asks espeak-ng
for phonemes only; no sound is made.
"""

import ctypes
import json
import signal
import sys

LIBRARY = "./libespeak-ng.so"
"""in the working directory; see the parent"""
_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT of speak_lib.h
_UTF8 = 1  # espeakCHARS_UTF8
_IPA = 2  # espeakPHONEMES_IPA


class Espeak:
    """espeak-ng's translation of text to phonemes."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(LIBRARY)
        if self._library.espeak_Initialize(_SYNCHRONOUS, 0, None, _DO_NOT_EXIT) <= 0:
            raise OSError("espeak-ng does not find its data (ESPEAK_DATA_PATH).")
        self._translate = self._library.espeak_TextToPhonemes
        self._translate.restype = ctypes.c_char_p
        self._translate.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]

    def phonemes(self, voice: str, words: list[str]) -> list[str]:
        """Each word in phonetic notation. Raises ValueError for a voice that is not there."""
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}.")
        return [self._of(word) for word in words]

    def _of(self, word: str) -> str:
        rest = ctypes.c_char_p(word.encode())
        found = ""
        while rest.value is not None:  # set to NULL when the text is used up
            found += (self._translate(ctypes.byref(rest), _UTF8, _IPA) or b"").decode()
        return found


def main() -> None:
    """Work until the requests end; one that fails is answered with its error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    espeak = Espeak()
    for line in sys.stdin:
        request = json.loads(line)
        # Ends this process inside C code too, should the parent be gone and unable to.
        signal.setitimer(signal.ITIMER_REAL, request["limit_seconds"])
        try:
            found = {voice: espeak.phonemes(voice, request["words"]) for voice in request["voices"]}
            answer = {"id": request["id"], "ipa": found}
        except ValueError as error:
            answer = {"id": request["id"], "error": str(error)}
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
