"""Everything that can be said has text, in every language, with the gaps that the code fills."""

from __future__ import annotations

from typing import get_args

import pytest

from ivr.dialogue.phrases import PhraseId
from tests.fakes.voice import catalogue


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_phrase_of_the_conversation_has_text(language: str) -> None:
    assert set(get_args(PhraseId)) <= set(catalogue(language))
