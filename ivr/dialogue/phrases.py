"""What can be said in a conversation: phrase ids of audio-prompts/, which mypy checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

PhraseId = Literal[
    "welcome",
    "language_changed",
    "ask_account_number",
    "ask_account_again",
    "ask_name_again",
    "ask_postal_code",
    "or_pay_for_another",
    "account_not_confirmed",
    "confirm_name",
    "choose_name",
    "name_option",
    "none_of_these",
    "spell_name",
    "use_the_keys",
    "help",
    "are_you_there",
    "not_understood",
    "too_many_tries",
    "transferring",
    "back_to_agent",
    "no_agent",
    "nobody_there",
    "technical_problem",
    "hold_on",
    "still_working",
    "field_cleared",
    "nothing_owed",
    "owes_one",
    "owes_many",
    "invoice_line",
    "pay_all_or_choose",
    "pay_all_or_hear",
    "pay_this_one",
    "or_enough",
    "pay_one_or_leave",
    "or_a_part",
    "ask_amount",
    "ask_amount_as_shown",
    "amount_too_small",
    "amount_too_large",
    "this_invoice",
    "pay_proposed",
    "nothing_chosen",
    "confirm_total",
    "choose_method",
    "method_card",
    "method_card_on_file",
    "method_card_by_number",
    "method_another_card",
    "method_remove_card",
    "remove_which",
    "card_to_remove",
    "remove_none",
    "confirm_card_removal",
    "card_removed",
    "card_expired",
    "keep_card",
    "agree_to_keep",
    "method_bank_account",
    "method_paypal",
    "fee_added",
    "confirm_charge",
    "account_not_available",
    "account_not_verified",
    "mandate",
    "agree_to_debit",
    "debit_accepted",
    "back_when_settled",
    "card_not_available",
    "card_not_taken",
    "payment_not_taken",
    "way_not_taken",
    "nothing_charged",
    "charging",
    "paid",
    "service_back",
    "confirmation_number",
    "repeat_or_end",
    "declined",
    "debit_declined",
    "declined_final",
    "option_another_card",
    "option_same_card",
    "option_other_way",
    "option_part",
    "option_link",
    "option_link_mailed",
    "option_promise",
    "option_later",
    "option_person",
    "link_sent",
    "link_mailed",
    "link_declined",
    "link_not_used",
    "paypal_link_sent",
    "paypal_link_mailed",
    "paypal_waiting",
    "link_stays",
    "ask_promise_day",
    "promise_day_not_possible",
    "confirm_promise",
    "promise_made",
    "ask_amount_for_another",
    "ask_amount_for_another_as_shown",
    "confirm_for_another",
    "amount_not_taken",
    "confirming_do_not_pay_again",
    "confirming_call_again",
    "confirming_see_statement",
    "already_paid",
    "due_changed",
    "other_call_in_progress",
    "goodbye",
    "goodbye_paid",
]
"""What `saldo capture` says is its own (secure_start, ask_card_number, error.…, card_left)."""


BY_VOICE: frozenset[PhraseId] = frozenset((
    "ask_account_number",
    "ask_account_again",
    "ask_postal_code",
    "pay_all_or_choose",
    "pay_all_or_hear",
    "pay_this_one",
    "or_enough",
    "pay_one_or_leave",
    "or_a_part",
    "ask_amount",
    "ask_amount_as_shown",
    "pay_proposed",
    "method_card",
    "method_card_on_file",
    "method_card_by_number",
    "method_another_card",
    "method_remove_card",
    "card_to_remove",
    "remove_none",
    "method_bank_account",
    "method_paypal",
    "confirm_card_removal",
    "agree_to_keep",
    "confirm_charge",
    "agree_to_debit",
    "repeat_or_end",
    "or_pay_for_another",
    "option_another_card",
    "option_same_card",
    "option_other_way",
    "option_part",
    "option_link",
    "option_link_mailed",
    "option_promise",
    "option_later",
    "option_person",
    "ask_promise_day",
    "confirm_promise",
    "ask_amount_for_another",
    "ask_amount_for_another_as_shown",
    "confirm_for_another",
    "help",
))  # fmt: skip
"""These are said otherwise to a caller who can answer by voice: `confirm_charge.voice`."""
BY_KEYS: Mapping[PhraseId, PhraseId] = {"ask_name_again": "ask_account_again"}
"""What is said in their place to a caller who cannot."""


def variant(phrase_id: PhraseId, *, by_voice: bool) -> str:
    """The id under which the voice has it."""
    if by_voice:
        return f"{phrase_id}_voice" if phrase_id in BY_VOICE else phrase_id
    return BY_KEYS.get(phrase_id, phrase_id)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase and the values of its gaps, before it is known in which language it is said."""

    id: PhraseId
    values: Mapping[str, object] = field(default_factory=dict)


def phrase(phrase_id: PhraseId, **values: object) -> Phrase:
    """A phrase with its gaps filled: `phrase("paid", amount=due)`."""
    return Phrase(phrase_id, values)
