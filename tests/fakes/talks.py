"""`billing.ports.Talks` in memory: talks that a test can hold, let go and take away."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from ivr.billing.assisted_captures import Leg, Talk
from ivr.billing.captures import CaptureField
from ivr.billing.errors import CaptureError, TalkNotFound, TalkUnreachable

TALK = Talk(
    Leg("1.1", "PJSIP/trunk-1", "+447700900199", "A Caller"),
    Leg("1.2", "PJSIP/agent-1", "201", "An Agent"),
    "2026-11-23T02:00:00.000+0000",
)


@dataclass
class FakeTalks:
    """`told` lists the commands; `held` the talks in the secure part."""

    hears: bool = True
    talks: list[Talk] = field(default_factory=lambda: [TALK])
    held: list[Talk] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lent: list[UUID] = field(default_factory=list)
    given_back: list[Talk] = field(default_factory=list)
    is_dead: bool = False
    """the secure process"""
    is_away: bool = False
    """the PBX"""
    lending_fails_with: CaptureError | None = None

    async def going_on(self) -> list[Talk]:
        self._reach()
        return [talk for talk in self.talks if talk not in self.held]

    async def find(self, channel: str, agent_channel: str) -> Talk:
        for talk in await self.going_on():
            if channel in (talk.caller.channel_id, talk.caller.channel):
                return talk
        raise TalkNotFound("the PBX has no such channel")

    async def lend(self, talk: Talk, capture_id: UUID) -> None:
        if self.lending_fails_with:
            raise self.lending_fails_with
        self._reach()
        self.lent.append(capture_id)
        self.held.append(talk)

    async def tell(self, capture_id: UUID, action: str, field: CaptureField | None = None) -> None:
        self._reach()
        if self.is_dead:
            raise TalkUnreachable("nobody is there")
        self.told.append(f"{action} {field}" if field else action)

    async def is_held(self, talk: Talk) -> bool:
        self._reach()
        return talk in self.held

    async def is_secure_part_away(self) -> bool:
        self._reach()
        return self.is_dead

    async def give_back(self, talk: Talk) -> None:
        self._reach()
        self.held.remove(talk)
        self.given_back.append(talk)

    def _reach(self) -> None:
        if self.is_away:
            raise TalkUnreachable("the PBX did not answer (fake)")
