"""A customer by their name: said and confirmed, chosen of up to three, or spelled.

A customer's name is read aloud only when the caller said one like it (`MarginRule`), and of it only
the words that stand for words that were said: "Maria Garcia" is never answered with a second
surname. One that is like nobody's is read aloud as it was heard: a name that we know and one that
we do not are asked about in the same words. Who is called nearly like a customer may hear as much
of that customer's name. What is spelled is never answered with a name. The whole name of whom a
part was confirmed is asked about when the second factor was right too.
"""

from __future__ import annotations

from dataclasses import replace

from ivr.billing import identifying
from ivr.billing.identifying import NOBODY
from ivr.billing.matches import Choose, Decision, Named, Sure
from ivr.billing.names import FEWEST_KEYS, MOST_KEYS, keypad, without_introduction
from ivr.billing.ports import Names
from ivr.billing.sounds import PronunciationUnavailable
from ivr.dialogue.call import Call
from ivr.dialogue.hearing import SPELLING, Expecting
from ivr.dialogue.phrases import phrase
from ivr.dialogue.questions import (
    ByVoice,
    NotUnderstood,
    Question,
    Spoken,
    SpokenName,
    Understood,
    choice,
    digits,
    yes_no,
)

NONE_OF_THEM = "4"
A_PAIR = 2
SPELLINGS = 2
"""how often a name may be spelled wrong before the account number is asked for"""


async def find_name(
    call: Call, names: Names, said: SpokenName, *, or_spelled: bool = True
) -> Named | None:
    """All who bear the name that the caller meant; None when it could not be made out.

    One that was spelled comes without `name`: it was not confirmed. Without `or_spelled`, said
    before anything was asked, what is not confirmed is taken for no name. Raises WentBack to have
    the name said again, and as Call.ask.
    """
    try:
        async with call.filling():
            heard = identifying.hypotheses((said.words, *said.others), (0.0, *said.behind))
            decision = await identifying.find(names, heard, call.language, _calling(call))
            question = confirming(decision, said)
            await call.prepare(question)
    except PronunciationUnavailable:
        call.note("nobody can pronounce names")
        return await spell(call, names)
    call.note(f"name {type(decision).__name__}")
    if named := await call.ask(question, may_go_back=True):
        return named
    return await spell(call, names) if or_spelled else None


def confirming(decision: Decision, said: SpokenName) -> Question[Named | None]:
    """Whether it is the one, or which of up to three it is; alike for a name that nobody bears."""
    match decision:
        case Sure(named) | Choose((named,)):
            return is_it(named)
        case Choose(likely):
            return which(likely)
    name = " ".join(word.capitalize() for word in without_introduction(said.words))
    return is_it(replace(NOBODY, name=name))


def is_it(named: Named) -> Question[Named | None]:
    """One name: 1 confirms it."""
    by_voice: Spoken[Named | None] = Spoken("yes_no", {"yes": named, "no": None})
    asked = phrase("confirm_name", name=named.name)
    return choice(asked, {"1": named, "2": None}, spoken=by_voice)


def which(likely: tuple[Named, ...]) -> Question[Named | None]:
    """One of a few names, by number or by what only it is called; 4 is none of them.

    "The other one" is the second of two; of three, it is asked which.
    """
    numbered: dict[str, Named | None] = {str(at): one for at, one in enumerate(likely, start=1)}
    meant = {**numbered, "last": likely[-1], "none": None, NONE_OF_THEM: None}
    if len(likely) == A_PAIR:
        meant["other"] = likely[-1]
    by_voice = Spoken("option", meant, tuple(one.name for one in likely))
    question = choice(phrase("none_of_these"), {**numbered, NONE_OF_THEM: None}, spoken=by_voice)
    options = [
        phrase("name_option", name=one.name, number=at) for at, one in enumerate(likely, start=1)
    ]
    whole = question.after(phrase("choose_name"), *options)
    return replace(whole, retry=whole.phrases)


async def spell(call: Call, names: Names) -> Named | None:
    """All whose name may have been spelled, by keys or letter by letter; None without a try."""
    keys = await call.offer(ask_spelling(), otherwise="", tries=SPELLINGS, may_go_back=True)
    if not keys:
        return None
    async with call.filling():
        named = await identifying.spelled(names, keys, _calling(call))
    return replace(named, name="")


def ask_spelling() -> Question[str]:
    """The keys that spell a name."""
    question = digits(phrase("spell_name"), shortest=FEWEST_KEYS, longest=MOST_KEYS)
    expecting = Expecting(SPELLING, patience_seconds=question.rule.first_key_seconds)

    def letters(heard: str) -> Understood[str] | NotUnderstood:
        keys = keypad(heard)
        return Understood(keys) if len(keys) >= FEWEST_KEYS else NotUnderstood()

    return replace(question, by_voice=ByVoice(expecting, lambda heard: letters(heard.meaning)))


async def is_right(call: Call, name: str) -> bool:
    """Whether the caller is called so; for a name of which both factors were right."""
    question = yes_no(phrase("confirm_name", name=name))
    async with call.filling():
        await call.prepare(question)
    return await call.ask(question)


def _calling(call: Call) -> str:
    return call.line.arrived.caller or ""
