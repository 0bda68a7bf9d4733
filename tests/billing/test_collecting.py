"""Getting a card: asked, collected elsewhere, and read back; never left open."""

from uuid import UUID, uuid4

from ivr.billing.captures import CaptureOutcome, CaptureRequest, CaptureResult
from ivr.billing.collecting import NO_ANSWER, collect
from ivr.billing.payments import CardOnHand
from tests.fakes.storage import FakeCaptures, FakeCompany

SUCCESS = CaptureOutcome(CaptureResult.SUCCESS, CardOnHand("visa", "1111", "1230", "token"))


async def test_the_card_that_the_secure_part_kept_is_handed_back() -> None:
    captures = FakeCaptures(FakeCompany())
    request = CaptureRequest(uuid4(), "call1", "en")

    async def enter(capture_id: UUID) -> None:
        assert await captures.request(capture_id) == request
        await captures.close(capture_id, SUCCESS)

    assert await collect(captures, request, enter) == SUCCESS


async def test_a_secure_part_that_comes_back_without_answer_is_closed_for_good() -> None:
    captures = FakeCaptures(FakeCompany())
    request = CaptureRequest(uuid4(), "call1", "en")

    async def enter(_: UUID) -> None:
        """Comes back with nothing."""

    assert await collect(captures, request, enter) == NO_ANSWER
    await captures.close(request.id, SUCCESS)
    assert await captures.outcome(request.id) == NO_ANSWER


async def test_an_answer_that_arrives_at_the_last_moment_wins() -> None:
    class Late(FakeCaptures):
        async def close(self, capture_id: UUID, outcome: CaptureOutcome) -> None:
            await super().close(capture_id, SUCCESS if outcome is NO_ANSWER else outcome)

    async def enter(_: UUID) -> None:
        """The answer is still under way."""

    captures = Late(FakeCompany())
    assert await collect(captures, CaptureRequest(uuid4(), "c", "en"), enter) == SUCCESS
