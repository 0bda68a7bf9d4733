"""Digits, yes and no by grammar, and what is no answer at all, through the real ears.

Voices, rates, noise and line are those of bench/voices.py. A number is said digit by digit, some
zeros as "oh" and some pairs as "double four".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ivr.dialogue.hearing import COMMAND, Expecting, Heard, Unheard
from ivr.lab.bench.callers import DIGITS
from ivr.lab.bench.figures import Figure, at_least, milliseconds, share
from ivr.lab.bench.name_trials import edits
from ivr.lab.bench.voices import Speaker, Studio, Tape, speakers
from ivr.lab.speaking import NOISES, Utterance, synthesise
from ivr.speech.ears import Ears
from ivr.speech.listening import CallersEars

AT_ONCE = 2
PATIENCE_SECONDS = 10.0
DIGITS_RIGHT, YES_NO_RIGHT, OTHERS_KNOWN = 0.99, 0.99, 0.95
SHORTEST, LONGEST = 4, 10
OH_SHARE, DOUBLE_SHARE, PAUSE_SHARE = 0.4, 0.2, 0.2
DOUBLE = {"en": "double", "es": "doble"}
YES = {
    "en": (
        "yes", "yeah", "yep", "sure", "okay", "correct", "that's right", "yes please", "of course",
        "yes that is right",
    ),
    "es": (
        "sí", "claro", "vale", "correcto", "exacto", "de acuerdo", "eso es", "por supuesto",
        "sí por favor", "claro que sí",
    ),
}  # fmt: skip
NO = {
    "en": (
        "no", "nope", "no thanks", "no thank you", "that's wrong", "not now", "wrong",
        "no it is not right",
    ),
    "es": (
        "no", "para nada", "no gracias", "incorrecto", "ahora no", "claro que no", "no está bien",
        "no es así",
    ),
}  # fmt: skip
ELSE = {
    "en": (
        "the bus to the harbour is late again", "i would like to paint the fence blue",
        "has anyone seen my glasses", "she plays the piano every evening",
        "just a second, the dog wants to go out", "what did you just ask me",
        "it has been raining since monday", "my neighbour is drilling holes in the wall",
        "let me find my reading glasses", "the baby is sleeping upstairs",
        "how much longer is this", "this is ridiculous", "tea with lemon for me",
        "take the second exit at the roundabout", "congratulations on the new house",
        "i did not catch a word of that", "can anybody hear me", "we had fish for lunch",
        "the dentist told me to come back", "my printer is out of paper", "hmm", "oh dear",
        "hang on a moment", "could you turn the music down", "what a lovely garden",
        "my cousin lives in canada now",
    ),
    "es": (
        "el autobús al puerto llega tarde otra vez", "me gustaría pintar la valla de azul",
        "alguien ha visto mis gafas", "ella toca el piano todas las tardes",
        "un momento que el perro quiere salir", "qué es lo que me ha preguntado",
        "lleva lloviendo desde el lunes", "mi vecino está haciendo agujeros en la pared",
        "déjeme buscar las gafas de leer", "el bebé está durmiendo arriba",
        "cuánto falta todavía", "esto es ridículo", "un té con limón para mí",
        "tome la segunda salida en la rotonda", "enhorabuena por la casa nueva",
        "no he entendido ni una palabra", "alguien me oye", "hoy hemos comido pescado",
        "el dentista me dijo que volviera", "la impresora no tiene papel", "mmm", "ay madre",
        "espere un momentito", "puede bajar la música", "qué jardín tan bonito",
        "mi prima vive ahora en canadá",
    ),
}  # fmt: skip
"""Sentences that no grammar has; none of them is in the training of our models."""
SHORTEST_NOISE_SECONDS = {"cough": 0.4, "music": 1.5, "babble": 1.5, "hiss": 1.5}
YES_NO = Expecting("yes_no", patience_seconds=PATIENCE_SECONDS)
NUMBER = Expecting("digits", LONGEST, PATIENCE_SECONDS, shortest=SHORTEST)
OPTION = Expecting("option", patience_seconds=PATIENCE_SECONDS)


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing said at a question."""

    speaker: Speaker | None
    """None: a noise"""
    words: str
    expecting: Expecting
    meaning: str | None
    """None: it is no answer"""
    seconds: float | None = None
    """how long a noise lasts"""

    @property
    def noise(self) -> Utterance:
        """What is heard of a trial without a speaker."""
        return Utterance(noise=self.words, seconds=self.seconds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was made of it."""

    trial: Trial
    heard: Heard | Unheard
    delay_seconds: float
    """from the last loud moment to the result, decoding as fast as can be"""

    @property
    def meaning(self) -> str | None:
        return self.heard.meaning if isinstance(self.heard, Heard) else None

    @property
    def is_right(self) -> bool:
        """As it was meant; what is no answer must be known as such."""
        return self.meaning == self.trial.meaning

    def fault(self, language: str) -> dict[str, object]:
        """For a report."""
        made = self.heard.words if isinstance(self.heard, Heard) else self.heard.name
        return {
            "language": language,
            "question": self.trial.expecting.grammar,
            "said": self.trial.words,
            "speaker": str(self.trial.speaker or "noise"),
            "heard": made,
            "meaning": self.meaning,
        }


def number_trials(language: str, count: int) -> Iterator[Trial]:
    """Numbers of SHORTEST to LONGEST digits."""
    chance = random.Random(f"{language} digits")  # noqa: S311 - repeatable, hides nothing
    voices = speakers(language)
    for _ in range(count):
        digits = "".join(
            chance.choice("0123456789") for _ in range(chance.randint(SHORTEST, LONGEST))
        )
        words = number_words(digits, language, chance)
        yield Trial(chance.choice(voices), words, NUMBER, digits)


def number_words(digits: str, language: str, chance: random.Random) -> str:
    """A number as people say one."""
    spoken: list[str] = []
    for digit, same in groupby(digits):
        word = DIGITS[language][int(digit)]
        if word == "zero" and chance.random() < OH_SHARE:
            word = "oh"
        count = len(list(same))
        if count == len(DOUBLE) and chance.random() < DOUBLE_SHARE:
            spoken.append(f"{DOUBLE[language]} {word}")
        else:
            spoken += [word] * count
    return (", " if chance.random() < PAUSE_SHARE else " ").join(spoken)


def yes_no_trials(language: str, count: int) -> Iterator[Trial]:
    """Yes and no in turn, in many words."""
    chance = random.Random(f"{language} yes and no")  # noqa: S311 - repeatable, hides nothing
    voices = speakers(language)
    for place in range(count):
        meaning, ways = (("yes", YES), ("no", NO))[place % 2]
        words = ways[language][place // 2 % len(ways[language])]
        yield Trial(chance.choice(voices), words, YES_NO, meaning)


def other_trials(language: str, count: int) -> Iterator[Trial]:
    """Sentences and noises that are no answer, at three kinds of question."""
    chance = random.Random(f"{language} others")  # noqa: S311 - repeatable, hides nothing
    voices = speakers(language)
    questions = (YES_NO, NUMBER, OPTION)
    for place in range(count):
        question = questions[place % len(questions)]
        if place % 4 == 0:
            noise = NOISES[place // 4 % len(NOISES)]
            # No two of them are the same sound.
            seconds = SHORTEST_NOISE_SECONDS[noise] * (1 + place / count)
            yield Trial(None, noise, question, None, round(seconds, 2))
        else:
            words = ELSE[language][place % len(ELSE[language])]
            yield Trial(chance.choice(voices), words, question, None)


async def hear(ears: Ears, language: str, trials: Sequence[Trial], studio: Studio) -> list[Outcome]:
    """What the ears make of each. Raises LabError."""
    await studio.record((one.speaker, one.words) for one in trials if one.speaker)
    noises = await synthesise(one.noise for one in trials if not one.speaker)
    places = asyncio.Semaphore(AT_ONCE)

    async def one(trial: Trial) -> Outcome:
        async with places:
            if trial.speaker:
                speech = await studio.speech(trial.speaker, trial.words)
            else:
                speech = noises[trial.noise]

            async def voice(rate: int) -> Tape:
                tape = Tape(rate)
                tape.record(speech)
                return tape

            mine = CallersEars(ears, voice)
            listening = await mine.listen(language, trial.expecting)
            listening.prompt_over()
            heard = await listening.result()
            await mine.rest()
            return Outcome(trial, heard, getattr(listening, "delay_seconds", 0.0))

    return list(await asyncio.gather(*map(one, trials)))


def number_figures(language: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    """Digits right of all that were said; a number not understood has none right."""
    said = sum(len(one.trial.meaning or "") for one in outcomes)
    whole = sum(one.is_right for one in outcomes)
    taken = sum(one.meaning is not None and not one.is_right for one in outcomes)
    return [
        share(
            f"{language}: digits right",
            sum(map(digits_right, outcomes)),
            said,
            at_least(DIGITS_RIGHT),
        ),
        share(f"{language}: numbers right, every digit", whole, len(outcomes)),
        share(f"{language}: numbers taken for another", taken, len(outcomes)),
    ]


def digits_right(outcome: Outcome) -> int:
    """How many digits of one number were understood; each one gained or lost counts as wrong."""
    meant, found = outcome.trial.meaning or "", outcome.meaning
    if found is None or getattr(outcome.heard, "grammar", "") == COMMAND:
        return 0
    return max(0, len(meant) - edits(meant, found))


def yes_no_figures(language: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    """Right, and the opposite, which is worse than nothing."""
    opposite = sum({one.meaning, one.trial.meaning} == {"yes", "no"} for one in outcomes)
    right = sum(one.is_right for one in outcomes)
    return [
        share(f"{language}: yes and no right", right, len(outcomes), at_least(YES_NO_RIGHT)),
        share(f"{language}: yes for no, or no for yes", opposite, len(outcomes)),
    ]


def other_figures(language: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    """Known as no answer: sentences and noises, and each alone."""
    found = []
    talk = [one for one in outcomes if one.trial.speaker]
    noise = [one for one in outcomes if not one.trial.speaker]
    for what, some in (("sentences and noises", outcomes), ("sentences", talk), ("noises", noise)):
        goal = at_least(OTHERS_KNOWN) if some is outcomes else None
        known = sum(one.is_right for one in some)
        found.append(share(f"{language}: {what} outside the grammar known", known, len(some), goal))
    return found


def delay_figures(language: str, outcomes: Sequence[Outcome]) -> list[Figure]:
    """What endpointing and the last decoding cost, without a telephone and its prompt."""
    delays = [one.delay_seconds for one in outcomes if one.is_right and one.delay_seconds]
    return [
        milliseconds(f"{language}: last loud moment to the result", delays, part)
        for part in (0.5, 0.99)
    ]
