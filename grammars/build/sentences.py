"""What the synthetic callers say in training: answers, names, numbers, and other talk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from num2words import num2words

from grammars.build.dice import Dice
from grammars.build.vocabulary import Vocabulary

DIGITS = {
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    "es": ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"),
}
ALL_DIGITS = frozenset((*DIGITS["en"], *DIGITS["es"], "oh", "nought"))
TWICE = {"en": ("double", "triple"), "es": ("doble", "triple")}
OPENINGS = {
    "en": (
        "my name is",
        "this is",
        "it's",
        "i'm",
        "the name is",
        "speaking is",
        "i am",
        "uh",
        "yes",
    ),
    "es": ("me llamo", "soy", "mi nombre es", "habla", "sí", "eh", "a nombre de", "es"),
}
TALK = {
    "en": (
        "i would like to pay my bill with my credit card please",
        "could you tell me how much i owe you this month",
        "can i speak to a person please",
        "hang on let me find my glasses the number is very small",
        "what a lovely day it is over here we went for a walk by the river",
        "no that is not what i said, listen to me",
        "my husband usually does this sort of thing but he is away",
        "could you please change the channel i cannot hear anything",
        "the weather report said there would be rain all afternoon",
        "she bought three apples and a loaf of bread at the corner shop",
        "i never received that letter, where did you send it",
        "put the dog outside will you it keeps barking at the window",
    ),
    "es": (
        "quisiera pagar mi factura con la tarjeta de crédito por favor",
        "me puede decir cuánto debo este mes",
        "quiero hablar con una persona por favor",
        "espere un momento que busco las gafas el número es muy pequeño",
        "qué buen día hace hoy fuimos a pasear junto al río",
        "no eso no es lo que he dicho, escúcheme",
        "normalmente esto lo hace mi marido pero está de viaje",
        "baja la televisión que no oigo nada de lo que dicen",
        "el pronóstico dice que va a llover toda la tarde",
        "compró tres manzanas y una barra de pan en la tienda de la esquina",
        "nunca recibí esa carta, adónde la mandaron",
        "saca al perro que no para de ladrar por la ventana",
    ),
}


@dataclass(frozen=True)
class Line:
    """What one caller says, and whether with the other language's voice."""

    text: str
    foreign: bool = False


class Callers:
    """Draws lines for one language."""

    def __init__(self, vocabulary: Vocabulary, rng: Dice) -> None:
        self._vocabulary = vocabulary
        self._language = vocabulary.language
        self._rng = rng
        self._kinds: dict[Callable[[], Line], int] = {
            self._digits: 28,
            self._number: 8,
            self._full_name: 32,
            self._single_name: 6,
            self._general: 8,
            self._answer: 20,
            self._spelling: 8,
            self._company: 3,
            self._talk: 3,
        }

    def draw(self) -> Line:
        """One line."""
        kind = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
        return kind()

    def _said(self, words: Sequence[str], pause: float = 0.0) -> str:
        """Words as they are spoken, with a pause between some of them."""
        text = ""
        for word in words:
            said = self._rng.choice(self._vocabulary.said(word))
            text += ("" if not text else ", " if self._rng.random() < pause else " ") + said
        return text + self._rng.choice((".", ".", "?", ""))

    def _digits(self) -> Line:
        rng, digits, twice = self._rng, DIGITS[self._language], TWICE[self._language]
        words: list[str] = []
        for _ in range(rng.choice((1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10))):
            if words and rng.come_up(0.12):
                words.append(words[-1])  # two alike in a row are the hardest to hear
                continue
            if rng.come_up(0.08):
                words.append(rng.choice(twice))
            word = rng.choice(digits)
            words.append("oh" if word == "zero" and rng.come_up(0.5) else word)
        return Line(self._said(words, rng.choice((0.0, 0.1, 0.3, 0.8))))

    def _number(self) -> Line:
        rng = self._rng
        if rng.come_up(0.3):
            words = [rng.choice(self._vocabulary.general) for _ in range(rng.randint(1, 3))]
            return Line(self._said([*words, self._cardinal(rng.randint(1, 31))]))
        highest = rng.choice((31, 99, 999, 9999, 2030))
        number = rng.randint(0, highest)
        kind = "ordinal" if rng.come_up(0.2) else "cardinal"
        return Line(str(num2words(number, lang=self._language, to=kind)))

    def _cardinal(self, number: int) -> str:
        return str(num2words(number, lang=self._language))

    def _name(self, names: Sequence[str]) -> str:
        """A frequent name half of the time, any one otherwise."""
        among = names[:300] if self._rng.come_up(0.35) else names
        return self._rng.choice(among)

    def _full_name(self) -> Line:
        rng = self._rng
        given, surnames = self._vocabulary.given, self._vocabulary.surnames
        foreign = rng.come_up(0.12)
        if foreign:
            ours = self._vocabulary.foreign
            given = tuple(name for name in given if name in ours)
            surnames = tuple(name for name in surnames if name in ours)
        words = [self._name(given), self._name(surnames)]
        if self._language == "es" or rng.come_up(0.08):
            if rng.come_up(0.2):
                words.insert(1, self._name(given))
            if rng.come_up(0.5):
                words.append(self._name(surnames))
        opening = rng.choice(OPENINGS[self._language]) + " " if rng.come_up(0.2) else ""
        return Line(opening + self._said(words, 0.1), foreign and rng.come_up(0.8))

    def _single_name(self) -> Line:
        names = self._rng.choice((self._vocabulary.given, self._vocabulary.surnames))
        return Line(self._said([self._name(names)]))

    def _general(self) -> Line:
        count = self._rng.choice((1, 1, 1, 2, 2, 3, 4))
        words = [self._rng.choice(self._vocabulary.general) for _ in range(count)]
        return Line(self._said(words, 0.15))

    def _answer(self) -> Line:
        """An answer that a grammar has, rather a short one."""
        kinds = sorted(self._vocabulary.answers)
        kind = "yes_no" if self._rng.come_up(0.45) else self._rng.choice(kinds)
        answers = self._vocabulary.answers[kind]
        two = (self._rng.choice(answers), self._rng.choice(answers))
        return Line(self._said(min(two, key=len).split(), 0.05))

    def _spelling(self) -> Line:
        letters = [word for word in self._vocabulary.general if len(word) == 1]
        count = self._rng.randint(2, 7)
        return Line(self._said([self._rng.choice(letters) for _ in range(count)], 0.7))

    def _company(self) -> Line:
        words = [self._rng.choice(self._vocabulary.company) for _ in range(3)]
        return Line(self._said(words))

    def _talk(self) -> Line:
        return Line(self._rng.choice(TALK[self._language]))
