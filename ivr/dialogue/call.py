"""A conversation: saying, asking, waiting in company, and the one place where it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import chain, cycle
from typing import TypeVar
from uuid import UUID, uuid4

from ivr.billing.bank_accounts import AccountHolder
from ivr.billing.calls import CallOutcome
from ivr.billing.captures import ACCOUNT_FIELDS, CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.collecting import NO_ANSWER, collect
from ivr.billing.customers import Customer
from ivr.billing.errors import LedgerUnavailable
from ivr.billing.methods import Method
from ivr.billing.payments import Paid
from ivr.billing.ports import Captures
from ivr.dialogue.answering import answer
from ivr.dialogue.endings import (
    HungUp,
    Over,
    SecurePartAway,
    TooManyTries,
    WantsAgent,
    WentBack,
)
from ivr.dialogue.hearing import Ears, Expecting, Heard, Unheard
from ivr.dialogue.keypad import KeyEntry, PlainKeys, Step
from ivr.dialogue.line import Line, Playback, Voice
from ivr.dialogue.phrases import Phrase, PhraseId, phrase, variant
from ivr.dialogue.questions import (
    Aside,
    Misheard,
    NotUnderstood,
    Question,
    Silence,
    Understood,
)
from ivr.dialogue.turn import enter_keys

T = TypeVar("T")

OTHER_LANGUAGE = {"en": "es", "es": "en"}
TRIES = 3
"""how often a question is asked in all"""
ASIDES = 9
"""how often one question may be repeated or change its language"""
BACKS = 5
"""how often a caller may go back in one call; from then on the question is repeated"""
QUIET_SECONDS = 2.0
"""the longest silence while something of ours works"""
LEFT_BY_HANGING_UP = CaptureOutcome(CaptureResult.CALLER_HUNG_UP)
MISHEARD = 2
"""after so many answers in a row that could not be made out, or questions at which the ears failed,
the caller is only asked for keys"""
LOOK_UP_SECONDS = 1.0
"""a look-up quicker than this needs no words"""


class Call:
    """One caller: how we hear and answer them, and what we know of them so far."""

    def __init__(self, line: Line, voice: Voice, language: str, ears: Ears | None = None) -> None:
        self.line = line
        self.voice = voice
        self._ears = ears
        self._misheard = 0
        self._backs = 0
        hinted = line.hints.get("language", "").lower()
        self.language_chosen = hinted in OTHER_LANGUAGE
        """by the caller, or by whoever passed the call on"""
        self.language = hinted if self.language_chosen else language
        self.customer: Customer | None = None
        """once identified"""
        self.settled: CallOutcome | None = None
        """what the call came to already, whatever happens next"""
        self.receipts: list[Paid] = []
        self.declined: list[str] = []
        """for each declined charge the hash of its card, empty when it has none"""
        self.cards_tried: set[UUID] = set()
        """cards on file that were declined in this call"""
        self.methods_failed: set[Method] = set()
        """ways to pay that came to nothing in this call, and are not offered again"""
        self.asked_to_keep = False
        """whether the caller was asked to leave a card"""
        self.failures: list[Exception] = []
        """errors of ours that ended or spoilt the call; for the app to log, each with its trace"""
        self.trail: list[str] = []
        """phrases said and steps taken, with seconds: "3.2 say welcome"; never what was keyed"""
        self._clock = asyncio.get_running_loop().time
        self._began = self._clock()

    @property
    def id(self) -> str:
        return self.line.arrived.id

    @property
    def hears(self) -> bool:
        """Whether the caller may answer by voice now: in this language, on this line."""
        return (
            self._ears is not None
            and self._misheard < MISHEARD
            and self._ears.understands(self.language)
        )

    @property
    def different_cards(self) -> int:
        """How many of those that were declined are not the same; all that cannot be told apart."""
        return len(set(filter(None, self.declined))) + self.declined.count("")

    @property
    def goes_back(self) -> bool:
        """Whether an agent passed the caller on and waits to get them back."""
        return bool(self.line.hints.get("back"))

    async def leave_word(self, **words: str) -> None:
        """Let the agent who waits for the caller know; if none does, nothing. Raises HungUp."""
        if not self.goes_back:
            return
        try:
            await self.line.leave_word(words)
        except HungUp:
            raise
        except Exception as error:  # noqa: BLE001 - a courtesy, which must cost neither the caller nor a payment anything
            self.failures.append(error)

    async def rest(self) -> None:
        """Take the ears off the line: whenever nothing can be answered by voice, and in the end."""
        if self._ears is not None:
            await self._ears.rest()

    async def prepare(self, question: Question[T]) -> None:
        """Make the sounds of a question that is to be asked soon: names take time to be made."""
        await self._sounds(question.phrases, by_voice=self.hears)

    @property
    def seconds(self) -> float:
        """Since the call arrived."""
        return self._clock() - self._began

    def note(self, step: str) -> None:
        """Add a step to the trail."""
        self.trail.append(f"{self.seconds:.1f} {step}")

    async def say(self, phrase_id: PhraseId, **values: object) -> None:
        """Say it to its end. Raises HungUp."""
        phrases = (phrase(phrase_id, **values),)
        sounds = await self._sounds(phrases, by_voice=self.hears)
        playback = await _Noted(self, phrases).play(sounds)
        await playback.finished()

    def change_language(self, language: str) -> None:
        """From now on speak this language."""
        self.language = language
        self.note(f"language {language}")

    async def ask(self, question: Question[T], *, may_go_back: bool = False) -> T:
        """The answer, asked for up to three times in all.

        Raises:
            WentBack: the caller wants the question before; only with `may_go_back`, else, and
                when they went back too often, "back" repeats this one.
            TooManyTries: three times silence or something else.
            WantsAgent: the caller keyed 0 twice, or said so, and somebody is there; when nobody
                is, they hear that, and are asked again.
            Over: the caller said goodbye.
            HungUp: the caller left.
        """
        found = await self._answer(question, TRIES, may_go_back=may_go_back)
        if found is None:
            raise TooManyTries
        return found.value

    async def offer(
        self, question: Question[T], otherwise: T, tries: int = 1, *, may_go_back: bool = False
    ) -> T:
        """The answer to a question asked once, `otherwise` when there is none. Raises as `ask`."""
        found = await self._answer(question, tries, may_go_back=may_go_back)
        return otherwise if found is None else found.value

    @contextlib.asynccontextmanager
    async def filling(
        self, first: PhraseId = "hold_on", after_seconds: float = LOOK_UP_SECONDS
    ) -> AsyncIterator[None]:
        """Keep the caller company while something of ours works, from `after_seconds` on.

        A hang-up does not disturb the work, nor does a voice that fails: whatever speaks next
        raises it.
        """
        done = asyncio.Event()
        filler = asyncio.create_task(self._fill(first, after_seconds, done))
        try:
            yield
        except asyncio.CancelledError:
            filler.cancel()
            raise
        finally:
            done.set()
            await asyncio.wait((filler,))

    async def collect_card(self, captures: Captures, brands: Sequence[str]) -> CaptureOutcome:
        """A card, keyed or said in the secure part. Raises as `collect_account`."""
        request = CaptureRequest(uuid4(), self.id, self.language, brands=tuple(brands))
        return await self._collect(captures, request)

    async def collect_account(self, captures: Captures, holder: AccountHolder) -> CaptureOutcome:
        """A bank account, keyed in the secure part; one that is away is an internal error.

        What was typed ahead crosses its border in neither direction. Raises HungUp,
        LedgerUnavailable.
        """
        request = CaptureRequest(uuid4(), self.id, self.language, ACCOUNT_FIELDS, holder=holder)
        return await self._collect(captures, request)

    async def _collect(self, captures: Captures, request: CaptureRequest) -> CaptureOutcome:
        self.line.forget_keys()
        await self.rest()
        self.note("secure part")
        try:
            outcome = await collect(captures, request, self.line.enter_secure_part)
        except HungUp:
            with contextlib.suppress(LedgerUnavailable):  # then it stays open, and is of no use
                await captures.close(request.id, LEFT_BY_HANGING_UP)
            raise
        except SecurePartAway as error:
            self.failures.append(error)
            await captures.close(request.id, NO_ANSWER)
            outcome = NO_ANSWER
        self.line.forget_keys()
        self.note(f"{'account' if request.holder else 'card'} {outcome.result}")
        return outcome

    async def _sounds(self, phrases: Sequence[Phrase], *, by_voice: bool) -> list[str]:
        sounds: list[str] = []
        for each in phrases:
            phrase_id = variant(each.id, by_voice=by_voice)
            sounds += await self.voice.sounds(phrase_id, self.language, **each.values)
        return sounds

    async def _turn(
        self, phrases: Sequence[Phrase], entry: KeyEntry[PlainKeys], expecting: Expecting | None
    ) -> Step | Heard | Unheard:
        ears, language = self._ears, self.language
        by_voice = expecting is not None and self.hears
        handset, sounds = _Noted(self, phrases), await self._sounds(phrases, by_voice=by_voice)
        if ears is None or expecting is None or not by_voice:
            await self.rest()
            return await enter_keys(handset, sounds, entry)
        return await answer(handset, sounds, entry, lambda: ears.listen(language, expecting))

    async def _answer(
        self, question: Question[T], tries: int, *, may_go_back: bool
    ) -> Understood[T] | None:
        """Ask until it is answered, `tries` times went wrong or too many asides were taken."""
        phrases, begun = question.phrases, question.begun
        asides = 0
        while tries > 0 and asides <= ASIDES:
            match await self._hear(question, phrases, begun):
                case Understood() as found:
                    return found
                case Misheard(Unheard.DEAF):
                    self.note("deaf")
                    if not question.retry:
                        return None
                    self._misheard += 1  # but no try of the caller's
                    question = replace(question, by_voice=None)
                    phrases = (phrase("use_the_keys"), *question.retry)
                case Silence() | NotUnderstood() as wrong:
                    tries -= 1
                    phrases = self._once_more(question, wrong, tries)
                case Aside.BACK if may_go_back and self._backs < BACKS:
                    self._backs += 1
                    self.note("back")
                    raise WentBack
                case aside:
                    asides += 1
                    phrases = await self._aside(question, aside)
            begun = ""
        return None

    async def _hear(
        self, question: Question[T], phrases: Sequence[Phrase], begun: str
    ) -> Understood[T] | Silence | NotUnderstood | Aside:
        entry = KeyEntry(question.rule, PlainKeys())
        for key in begun:
            entry.press(key, self._clock())
        expecting = question.by_voice.expecting if question.by_voice else None
        step = await self._turn(phrases, entry, expecting)
        while step is Step.CLEARED and question.star_clears:
            step = await self._turn((phrase("field_cleared"),), entry, expecting)
        match step:
            case Heard() as heard:
                self.note(f"heard {heard.grammar}")
                self._misheard = 0
                return question.meant(heard)
            case Unheard() as noise:
                return Misheard(noise)
        return question.answer(step, entry.buffer.text)

    def _once_more(
        self, question: Question[T], wrong: Silence | NotUnderstood, tries: int
    ) -> tuple[Phrase, ...]:
        if isinstance(wrong, Silence):
            self.note("silence")
            return (phrase("are_you_there"), *question.retry)
        self.note("not understood")
        self.line.forget_keys()  # what follows was typed for another question
        if isinstance(wrong, Misheard) and (tries or wrong.noise is Unheard.TOO_MUCH):
            self._misheard += 1  # what was called into the welcome is no try at answering
            if self._misheard == MISHEARD:
                return (phrase("use_the_keys"), *question.retry)
        return (phrase("not_understood"), *question.retry)

    async def _aside(self, question: Question[T], aside: Aside) -> tuple[Phrase, ...]:
        if aside is Aside.AGENT:
            if await self.line.somebody_is_there():
                raise WantsAgent("asked for")
            self.note("nobody there")
            return (phrase("nobody_there"), *question.phrases)
        if aside is Aside.GOODBYE:
            raise Over(self.settled or CallOutcome.HUNG_UP)
        if aside is Aside.HELP:
            return (phrase("help"), *question.phrases)
        wanted = {Aside.ENGLISH: "en", Aside.SPANISH: "es"}.get(aside)
        if aside in {Aside.AGAIN, Aside.BACK} or wanted == self.language:
            return question.phrases
        self.language_chosen = True
        self.change_language(wanted or OTHER_LANGUAGE[self.language])
        return (phrase("language_changed"), *question.phrases)

    async def _fill(self, first: PhraseId, after_seconds: float, done: asyncio.Event) -> None:
        words: chain[PhraseId] = chain((first,), cycle(("still_working", "hold_on")))
        pause = after_seconds
        try:
            while not await _within(pause, done):
                await self.say(next(words))
                pause = QUIET_SECONDS
        except HungUp:
            self.note("hung up while waiting")
        except Exception as error:  # noqa: BLE001 - this task's outer edge: company is a courtesy, and must not cost the caller the result of the work
            self.failures.append(error)


class _Noted:
    """The caller's handset; phrases are noted in the trail when they are really played."""

    def __init__(self, call: Call, phrases: Sequence[Phrase]) -> None:
        self._call = call
        self._phrases = phrases

    async def play(self, sounds: Sequence[str]) -> Playback:
        for each in self._phrases:
            self._call.note(f"say {each.id}")
        return await self._call.line.play(sounds)

    async def next_key(self) -> str:
        return await self._call.line.next_key()


async def _within(seconds: float, done: asyncio.Event) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await done.wait()
    return done.is_set()


Flow = Callable[[Call], Awaitable[None]]
