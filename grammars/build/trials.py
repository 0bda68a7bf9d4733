"""Test callers that no training utterance had: other voices, other rates, other words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from grammars.build import flite, telephone
from grammars.build.corpus import HELD_OUT_RATES, HELD_OUT_VARIANTS
from grammars.build.debian import Tools
from grammars.build.dice import Dice
from grammars.build.espeak import Espeak, Spoken, Tone
from grammars.build.sentences import DIGITS
from grammars.build.telephone import Wave
from grammars.build.vocabulary import Vocabulary

ACCENTS = {"en": ("en-us", "en", "en-gb-x-rp"), "es": ("es", "es-419")}
SNR = 20.0
YES = {
    "en": (
        "yes",
        "yeah",
        "yep",
        "sure",
        "okay",
        "correct",
        "that's right",
        "yes please",
        "of course",
        "yes it is",
    ),
    "es": (
        "sí",
        "claro",
        "vale",
        "correcto",
        "exacto",
        "de acuerdo",
        "eso es",
        "por supuesto",
        "sí por favor",
        "claro que sí",
    ),
}
NO = {
    "en": (
        "no",
        "nope",
        "no thanks",
        "no thank you",
        "that's wrong",
        "not now",
        "wrong",
        "no it is not",
    ),
    "es": (
        "no",
        "para nada",
        "no gracias",
        "incorrecto",
        "ahora no",
        "claro que no",
        "eso no",
        "no es así",
    ),
}
# Sentences that no grammar has and no training had.
ELSE = {
    "en": (
        "the train to the airport leaves from platform four",
        "i think we should paint the kitchen green",
        "where did you put my umbrella",
        "he plays the guitar in a band on weekends",
        "wait, someone is at the door",
        "what was the question",
        "can you believe this weather",
        "that was my neighbour shouting",
        "let me get a pencil and some paper",
        "the children are asleep upstairs",
        "how long will this take",
        "oh come on not again",
        "coffee with milk and sugar",
        "turn left after the bridge",
        "happy birthday grandma",
        "i don't understand a word of this",
        "is anybody there",
        "we are having soup for dinner",
        "the doctor told him to rest",
        "my computer is very slow this morning",
        "hmm",
        "ah well",
        "give me a moment",
        "please close the window",
        "look at that beautiful bird",
        "they moved to australia last winter",
    ),
    "es": (
        "el tren al aeropuerto sale del andén cuatro",
        "creo que deberíamos pintar la cocina de verde",
        "dónde has puesto mi paraguas",
        "toca la guitarra en un grupo los fines de semana",
        "espera que llaman a la puerta",
        "cuál era la pregunta",
        "vaya tiempo que hace",
        "era mi vecino que estaba gritando",
        "déjame coger un lápiz y un papel",
        "los niños están durmiendo arriba",
        "cuánto va a tardar esto",
        "venga hombre otra vez no",
        "café con leche y azúcar",
        "gira a la izquierda después del puente",
        "feliz cumpleaños abuela",
        "no entiendo una palabra de esto",
        "hay alguien ahí",
        "hoy cenamos sopa de verduras",
        "el médico le dijo que descansara",
        "mi ordenador va muy lento esta mañana",
        "mmm",
        "ay bueno",
        "dame un segundo",
        "cierra la ventana por favor",
        "mira qué pájaro tan bonito",
        "se mudaron a australia el invierno pasado",
    ),
}


@dataclass(frozen=True)
class Trial:
    """What was said (empty when nothing was) and what came down the line."""

    words: str
    pcm: bytes
    # By whom.
    tone: str = ""


class Callers:
    """Draws trials; the same for a seed."""

    def __init__(self, vocabulary: Vocabulary, tools: Tools, engine: str, seed: int) -> None:
        self._vocabulary = vocabulary
        self._language = vocabulary.language
        self._tools = tools
        self._engine = engine
        self._espeak = Espeak()
        self._rng = Dice(f"{engine} {seed}")
        self._noise = np.random.default_rng(seed)
        self._tone = ""

    def digits(self, count: int) -> Iterator[Trial]:
        names = DIGITS[self._language]
        for _ in range(count):
            words = [self._rng.choice(names) for _ in range(self._rng.randint(4, 9))]
            yield self._trial(" ".join(words), ", ".join(words) if self._rng.come_up(0.3) else "")

    def phrases(self, phrases: Sequence[str], count: int) -> Iterator[Trial]:
        for place in range(count):
            yield self._trial(phrases[place % len(phrases)])

    def names(self, directory: Sequence[str], count: int) -> Iterator[Trial]:
        for name in self._rng.sample(list(directory), count):
            yield self._trial(name)

    def sounds(self, count: int) -> Iterator[Trial]:
        """Coughs, knocks, steady noise, hum, silence: never a word."""
        for place in range(count):
            length = telephone.RATE_HZ * 2
            kind = place % 4
            wave = np.zeros(length, np.float32)
            if kind == 0:
                for _ in range(self._rng.randint(1, 3)):
                    cough = telephone.cough(self._noise)
                    start = self._rng.randrange(length - cough.size)
                    wave[start : start + cough.size] += cough / np.abs(cough).max()
            elif kind == 1:
                wave = telephone.coloured(length, self._rng.uniform(0, 2), self._noise)
            elif kind == 2:  # noqa: PLR2004 - the third of four
                wave = telephone.hum(length, self._noise)
            if kind != 3:  # noqa: PLR2004 - silence stays silent
                wave = telephone.levelled(wave, self._rng.choice((-6, -18, -30)))
            yield Trial("", _pcm(telephone.mu_law_and_back(wave)))

    def _trial(self, words: str, text: str = "") -> Trial:
        spoken = self._say(text or words)
        wave = telephone.resampled(spoken.wave, spoken.rate)
        before = np.zeros(int(telephone.RATE_HZ * 0.3), np.float32)
        after = np.zeros(int(telephone.RATE_HZ * 0.5), np.float32)
        wave = np.concatenate((before, wave, after))
        wave = telephone.with_noise(wave, self._behind(wave.size), SNR)
        wave = telephone.levelled(wave, self._rng.choice((-3, -9, -18)))
        return Trial(words, _pcm(telephone.mu_law_and_back(wave)), self._tone)

    def _say(self, text: str) -> Spoken:
        if self._engine == "flite":
            self._tone = flite.HELD_OUT_VOICE
            return flite.say(self._tools, text, flite.HELD_OUT_VOICE, self._rng.uniform(0.8, 1.2))
        voice = f"{self._rng.choice(ACCENTS[self._language])}+{self._rng.choice(HELD_OUT_VARIANTS)}"
        pitch = self._rng.randint(30, 70)
        tone = Tone(voice, self._rng.choice(HELD_OUT_RATES), pitch)
        self._tone = f"{tone.voice} at {tone.rate}"
        return self._espeak.say(text, tone)

    def _behind(self, count: int) -> Wave:
        """White noise or other people talking."""
        if self._rng.come_up(0.5):
            return telephone.coloured(count, 0, self._noise)
        others = (
            telephone.resampled(
                self._espeak.say(self._rng.choice(ELSE[self._language]), Tone("en+m4")).wave, 22_050
            )
            for _ in range(4)
        )
        return np.asarray(sum(np.resize(other, count) for other in others), np.float32)


def _pcm(wave: Wave) -> bytes:
    return (np.clip(wave, -1, 1) * 32767).astype("<i2").tobytes()
