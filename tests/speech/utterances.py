"""What callers say to the questions, and what is no answer to them: words, voices and noises.

Everything is in two halves that share no voice, no speed and no sentence outside the grammars:
thresholds are tuned on TUNED and stated on HELD_OUT. Every question of `saldo serve` is here.
Those of the secure part have a stricter judge of their own (tests/capture/test_spoken_digits.py);
number is a grammar that no question uses yet.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import numpy.typing as npt

from ivr.dialogue.hearing import DIGITS, NAME, SPELLING, Expecting
from ivr.lab.speaking import Utterance, synthesise, voice_file
from tests.speech.choosing import every_nth

RATE = 8000
TODAY = dt.date(2026, 11, 25)
"""a Wednesday, on which all of it is said"""
TUNED, HELD_OUT = 0, 1
NOISY_DB = 20.0
"""every third utterance has so much noise behind it"""
CROWD_LEVEL = 3000.0
"""root mean square, of 32768"""
QUESTIONS: Mapping[str, Expecting] = {
    "yes_no": Expecting("yes_no"),
    "digits": Expecting(DIGITS, longest=10, shortest=4),
    "pay_or_leave": Expecting("pay_or_leave"),
    "name": Expecting(NAME, shortest=4),
    "option": Expecting("option", among=("ana ruiz", "laura sanz", "daniel cano")),
    "spelling": Expecting(SPELLING),
    "all_or_choose": Expecting("all_or_choose"),
    "after_decline": Expecting("after_decline"),
    "repeat_or_end": Expecting("repeat_or_end"),
    "amount": Expecting("amount"),
    "payment_method": Expecting("payment_method", among=("visa 1111", "visa 2042")),
    "date": Expecting("date"),
}
BRIEFLY = {
    "option": 2, "spelling": 2, "all_or_choose": 2, "after_decline": 2, "repeat_or_end": 2,
    "amount": 2, "payment_method": 4, "date": 4,
}  # fmt: skip
"""heard with every second or fourth of the other sentences and a few noises: whoever changes the
judge tries all of them"""
VOICES = {
    "en": (
        ("en-us", "en-gb+f2", "en-gb-x-rp+m3", "en-us+f4", "en-us+m7"),
        ("en-gb", "en-us+f5", "en-gb-x-rp+Andrea", "en-us+m8", "en-gb+m1"),
    ),
    "es": (
        ("es", "es-419+f2", "es+m3", "es+f4", "es-419+m7"),
        ("es-419", "es+f5", "es-419+Andrea", "es+m8", "es-419+m1"),
    ),
}
WORDS_A_MINUTE = ((135, 155, 175), (145, 160, 130))

ANSWERS: Mapping[tuple[str, str], Mapping[str, str]] = {
    ("en", "yes_no"): {
        "yes": "yes", "yeah": "yes", "yep": "yes", "sure": "yes", "okay": "yes",
        "that's right": "yes", "yes please": "yes", "of course": "yes", "correct": "yes",
        "no": "no", "nope": "no", "no thanks": "no", "no thank you": "no", "that's wrong": "no",
        "not now": "no", "i don't think so": "no",
    },
    ("es", "yes_no"): {
        "sí": "yes", "claro": "yes", "vale": "yes", "correcto": "yes", "exactamente": "yes",
        "de acuerdo": "yes", "eso es": "yes", "por supuesto": "yes", "sí por favor": "yes",
        "no": "no", "para nada": "no", "no gracias": "no", "incorrecto": "no", "ahora no": "no",
        "claro que no": "no", "no es correcto": "no",
    },
    ("en", "pay_or_leave"): {
        "pay": "yes", "pay it": "yes", "pay now": "yes", "yes": "yes", "yeah": "yes",
        "i want to pay this one": "yes", "go ahead": "yes", "pay the bill": "yes",
        "no": "no", "nope": "no", "leave it": "no", "skip it": "no", "later": "no",
        "not now": "no", "i'd rather not": "no", "hear it again": "again", "a part": "part",
    },
    ("es", "pay_or_leave"): {
        "pagar": "yes", "pagarla": "yes", "pagar ahora": "yes", "sí": "yes", "vale": "yes",
        "quiero pagar": "yes", "adelante": "yes", "pagar la factura": "yes",
        "no": "no", "dejarla": "no", "la siguiente": "no", "más tarde": "no", "luego": "no",
        "ahora no": "no", "hoy no": "no", "oírla otra vez": "again", "una parte": "part",
    },
    ("en", "digits"): {
        "one oh four two": "1042", "two eight zero one three": "28013",
        "nine oh two one oh": "90210", "ten forty two": "1042", "four six double oh one": "46001",
        "seven three five eight": "7358", "zero eight zero zero one": "08001",
        "one two three four five six seven eight": "12345678", "six one nine five": "6195",
        "five five four three": "5543", "eight four nine six two": "84962",
        "three seven two nine one six": "372916",
    },
    ("es", "digits"): {
        "uno cero cuatro dos": "1042", "dos ocho cero uno tres": "28013",
        "nueve cero dos uno cero": "90210", "diez cuarenta y dos": "1042",
        "cuatro seis cero cero uno": "46001", "siete tres cinco ocho": "7358",
        "cero ocho cero cero uno": "08001", "uno dos tres cuatro cinco seis siete ocho": "12345678",
        "seis uno nueve cinco": "6195", "cinco cinco cuatro tres": "5543",
        "ocho cuatro nueve seis dos": "84962", "tres siete dos nueve uno seis": "372916",
    },
    ("en", "option"): {
        "number two": "2", "the first one": "1", "three": "3", "the second": "2",
        "the last one": "last", "no the other one": "other", "none of them": "none",
        "that's the third one": "3", "laura sanz": "laura sanz",
    },
    ("es", "option"): {
        "el segundo": "2", "la primera": "1", "número tres": "3", "el dos": "2",
        "la última": "last", "no la otra": "other", "ninguna": "none",
        "es el tercero": "3", "ana ruiz": "ana ruiz",
    },
    ("en", "spelling"): {
        "s m i t h": "smith", "r u i z": "ruiz", "c l a r k": "clark", "w a l s h": "walsh",
        "golf romeo echo yankee": "grey", "b e double n e double t": "bennett",
    },
    ("es", "spelling"): {
        "erre u i zeta": "ruiz", "ge i ele": "gil", "ese a ene zeta": "sanz",
        "eme o ele i ene a": "molina", "madrid oviedo roma antonio": "mora", "ce a ene o": "cano",
    },
    ("en", "all_or_choose"): {
        "pay all of them": "all", "everything": "all", "both": "all", "choose": "choose",
        "one by one": "choose", "hear them again": "again", "not today": "none",
        "none of them": "none", "only a part": "part", "part of it": "part",
    },
    ("es", "all_or_choose"): {
        "pagar todas": "all", "todo": "all", "las dos": "all", "elegir": "choose",
        "una por una": "choose", "oírlas otra vez": "again", "hoy no": "none", "ninguna": "none",
        "una parte": "part", "pagar solo una parte": "part",
    },
    ("en", "after_decline"): {
        "another card": "another_card", "a different card": "another_card", "try again": "retry",
        "yes try another card": "another_card", "the same card": "same_card", "a part": "part",
        "text message": "link", "promise": "promise", "later": "later", "two": "2",
    },
    ("es", "after_decline"): {
        "otra tarjeta": "another_card", "con otra tarjeta": "another_card",
        "probar otra vez": "retry", "la misma tarjeta": "same_card", "una parte": "part",
        "mensaje de texto": "link", "promesa": "promise", "luego": "later", "el dos": "2",
    },
    ("en", "repeat_or_end"): {
        "again": "yes", "once more": "yes", "hear it again": "yes", "that's all": "no",
        "no thank you": "no", "i'm done": "no", "nothing else": "no", "finish": "no",
    },
    ("es", "repeat_or_end"): {
        "otra vez": "yes", "una vez más": "yes", "oírlo otra vez": "yes", "eso es todo": "no",
        "nada más": "no", "no gracias": "no", "terminar": "no", "muchas gracias": "no",
    },
    ("en", "amount"): {
        "twenty five euros": "25 EUR", "fifty": "50", "half of it": "half",
        "the minimum": "minimum", "ten euros and fifty cents": "10.50 EUR",
        "one hundred and twenty dollars": "120 USD", "everything": "all",
        "i'll pay thirty euros please": "30 EUR",
    },
    ("es", "amount"): {
        "veinticinco euros": "25 EUR", "cincuenta": "50", "la mitad": "half",
        "el mínimo": "minimum", "diez euros con cincuenta": "10.50 EUR",
        "ciento veinte euros": "120 EUR", "todo": "all", "quiero pagar treinta euros": "30 EUR",
    },
    ("en", "payment_method"): {
        "by card": "card", "the visa": "visa", "my mastercard": "mastercard",
        "another card": "new_card", "with a different card": "new_card", "yes please": "yes",
        "from my bank account": "bank", "paypal": "paypal", "number two": "2",
        "the first one": "1", "visa two oh four two": "2", "one one one one": "1",
    },
    ("es", "payment_method"): {
        "con tarjeta": "card", "la visa": "visa", "con mi mastercard": "mastercard",
        "otra tarjeta": "new_card", "con otra tarjeta": "new_card", "péipal": "paypal",
        "la misma tarjeta": "saved_card", "con mi cuenta bancaria": "bank", "número dos": "2",
        "la primera": "1", "visa dos cero cuatro dos": "2", "uno uno uno uno": "1",
    },
    ("en", "date"): {
        "tomorrow": "2026-11-26", "on friday": "2026-11-27", "next friday": "2026-12-04",
        "in five days": "2026-11-30", "in two weeks": "2026-12-09", "the fifth": "2026-12-05",
        "on the first of december": "2026-12-01", "the end of the month": "2026-11-30",
    },
    ("es", "date"): {
        "mañana": "2026-11-26", "el viernes": "2026-11-27", "el próximo viernes": "2026-12-04",
        "en cinco días": "2026-11-30", "en dos semanas": "2026-12-09", "el día cinco": "2026-12-05",
        "el uno de diciembre": "2026-12-01", "a fin de mes": "2026-11-30",
    },
}  # fmt: skip
"""what is said → what it means; "péipal" is how PayPal is said in Spanish"""

NAMES = {
    "en": (
        "james smith", "emily clark", "ana ruiz", "mary johnson", "robert taylor", "lee",
        "susan walker", "li", "daniel evans", "karen white", "david lee", "amy cox",
        "garcía", "john hill", "laura baker", "thomas gray", "smith", "ruth young",
    ),
    "es": (
        "lucía navarro", "josé molina", "ana ruiz", "maría garcía lópez", "juan gil", "gil",
        "carmen castro", "eva ruiz", "antonio martín", "pilar gómez", "luis cano", "rosa díaz",
        "garcía", "javier moreno torres", "laura sanz", "isabel romero", "ruiz", "manuel ortega",
    ),
}  # fmt: skip
"""those of one word are short on purpose"""

ELSE: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "en": (
        (
            "the train to the airport leaves from platform four",
            "i think we should paint the kitchen green",
            "where did you put my umbrella",
            "he plays the guitar in a band on weekends",
            "wait, someone is at the door",
            "can you believe this weather",
            "that was my neighbour shouting",
            "let me get a pencil and some paper",
            "the children are asleep upstairs",
            "how long will this take",
            "coffee with milk and sugar",
            "banana", "umbrella", "wednesday morning", "hmm", "give me a moment",
            "kitchen", "blue", "what time is it there", "hello there",
        ),
        (
            "we painted the garden fence last summer",
            "my brother lives near the harbour",
            "is there any milk in the fridge",
            "the bus was late because of the snow",
            "could you turn the radio down",
            "she bought a red bicycle for her birthday",
            "nobody told me about the meeting",
            "i am standing in front of the bakery",
            "the cat is sleeping under the table",
            "they are playing football in the street",
            "hold on i have to find my glasses",
            "tomato", "guitar", "just a minute", "oh dear", "good grief",
            "window", "yellow", "who are you calling for", "excuse the noise",
        ),
    ),
    "es": (
        (
            "el tren al aeropuerto sale del andén cuatro",
            "creo que deberíamos pintar la cocina de verde",
            "dónde has puesto mi paraguas",
            "toca la guitarra en un grupo los fines de semana",
            "espera que llaman a la puerta",
            "vaya tiempo que hace",
            "era mi vecino que estaba gritando",
            "déjame coger un lápiz y un papel",
            "los niños están durmiendo arriba",
            "cuánto va a tardar esto",
            "café con leche y azúcar",
            "plátano", "paraguas", "el miércoles por la mañana", "mmm", "dame un momento",
            "cocina", "azul", "qué hora es ahí", "hola buenas",
        ),
        (
            "pintamos la valla del jardín el verano pasado",
            "mi hermano vive cerca del puerto",
            "queda leche en la nevera",
            "el autobús llegó tarde por la nieve",
            "podrías bajar la radio",
            "se compró una bicicleta roja por su cumpleaños",
            "a mí no me avisaron de la reunión",
            "estoy delante de la panadería",
            "el gato duerme debajo de la mesa",
            "están jugando al fútbol en la calle",
            "aguarda que tengo que encontrar las gafas",
            "manzana", "guitarra", "un minuto", "ay madre", "vaya lío",
            "ventana", "amarillo", "con quién quiere usted hablar", "perdona el ruido",
        ),
    ),
}  # fmt: skip
"""what is no answer to any of the questions, nor a command"""

FILLERS = {
    "en": ("um", "uh", "hello", "er", "what's that", "who is this"),
    "es": ("eh", "hola", "mm", "diga", "este", "quién es"),
}
"""what callers say instead of their name"""


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that comes down the line after a question."""

    language: str
    question: str
    said: str
    meaning: str | None
    """None when it is no answer"""
    sound: bytes

    def __str__(self) -> str:
        return f"{self.language} {self.question}: {self.said}"


async def cases(half: int, every: int = 1) -> list[Case]:
    """Those of one half, the same every time; `every` fourth of each question, for instance.

    Voices go round by fives, speeds and noise by threes: every fourth is still said in all of them.
    """
    wanted = [*every_nth(every, _spoken(half), lambda one: (*one[:2], one[2] is None))]
    made = await synthesise([utterance for _, _, _, utterance in wanted])
    spoken = [
        Case(language, question, _told(utterance), meaning, made[utterance].samples.tobytes())
        for language, question, meaning, utterance in wanted
    ]
    noises = await _noises(half)
    others = [
        Case(language, question, said, None, sound)
        for language in VOICES
        for question in QUESTIONS
        for place, (said, sound) in enumerate(noises.items())
        if question not in BRIEFLY or place % 3 == 1
    ]
    return [*spoken, *every_nth(every, others, lambda case: (case.language, case.question))]


def _spoken(half: int) -> Iterator[tuple[str, str, str | None, Utterance]]:
    """Language, question, meaning, and who says it how."""
    for language, voices in VOICES.items():
        manner = zip(
            cycle([voice_file(voice) or voice for voice in voices[half]]),
            cycle(WORDS_A_MINUTE[half]),
            cycle((None, None, NOISY_DB)),
            strict=True,
        )
        for question in QUESTIONS:
            for words, meaning in _answers(language, question):
                yield language, question, meaning, Utterance(words, *next(manner))
            others = [*ELSE[language][half], *(FILLERS[language] if question == "name" else ())]
            if question in BRIEFLY:
                others = others[[*BRIEFLY].index(question) % 2 :: BRIEFLY[question]]
            for words in others:
                yield language, question, None, Utterance(words, *next(manner))


def _answers(language: str, question: str) -> list[tuple[str, str]]:
    if question == "name":
        return [(name, name) for name in NAMES[language]]
    return [*ANSWERS[language, question].items()]


def _told(utterance: Utterance) -> str:
    noise = "" if utterance.noise_db is None else f", {utterance.noise_db:.0f} dB"
    return f"{utterance.words} ({utterance.voice} at {utterance.rate}{noise})"


CROWDS = (
    (
        ("en-us+f5", "we have been waiting for the plumber since nine in the morning"),
        ("en-gb+m1", "if you see my sister tell her that the keys are with the neighbours"),
        ("es+m8", "dicen que va a llover todo el fin de semana en la costa"),
    ),
    (
        ("en-gb-x-rp+Andrea", "the soup needs a little more salt and perhaps some pepper"),
        ("es-419+Andrea", "los niños quieren ir al cine pero no quedan entradas"),
        ("en-us+m8", "he drove all the way to the coast only to find the beach was closed"),
        ("es+f5", "ayer compramos una mesa nueva para el comedor de mis padres"),
    ),
)
"""who talk at once behind a caller, and what: nobody and nothing of lab/speaking.py, whose babble
the thresholds were tuned on"""


async def talking_at_once(seconds: float) -> list[bytes]:
    """Several people talking at once, as loud as the babble that a scenario can ask for."""
    said = [
        [Utterance(words, voice_file(voice) or voice) for voice, words in one] for one in CROWDS
    ]
    made = await synthesise(each for one in said for each in one)
    length = round(seconds * RATE)
    mixed = (np.sum([_again(made[each].samples, length) for each in one], axis=0) for one in said)
    return [_samples(mix * (CROWD_LEVEL / np.sqrt(np.mean(mix**2)))) for mix in mixed]


def _again(samples: npt.NDArray[np.int16], length: int) -> npt.NDArray[np.float64]:
    return np.resize(samples, length).astype(np.float64)


async def _noises(half: int) -> dict[str, bytes]:
    """Sounds without a word, loud and soft."""
    lengths = ((0.4, 1.5), (0.7, 2.5))[half]
    kinds = [
        Utterance(noise=noise, seconds=seconds)
        for noise in ("cough", "hiss", "music")
        for seconds in lengths
    ]
    made = await synthesise(kinds)
    sounds = {"silence": bytes(2 * RATE)}
    for kind in kinds:
        gain = 1.0 if len(sounds) % 2 else 0.25
        samples = made[kind].samples.astype(np.float64) * gain
        sounds[f"{kind} of {kind.seconds} s at {gain}"] = _samples(samples)
    return sounds


def _samples(signal: npt.NDArray[np.float64]) -> bytes:
    return bytes(np.rint(signal).astype("<i2").tobytes())
