from __future__ import annotations

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.capture.secret import CAPACITY, MASK, SecretDigits

digits = st.text("0123456789", max_size=CAPACITY)


def keyed(text: str) -> SecretDigits:
    secret = SecretDigits()
    for key in text:
        secret.append(key)
    return secret


@given(digits)
def test_what_was_keyed_comes_out_for_the_gateway_alone(text: str) -> None:
    secret = keyed(text)
    assert secret.reveal() == text
    assert secret.last4() == text[-4:]
    assert len(secret) == len(text)
    assert secret.is_only_zeros() == (not text.strip("0"))


@given(digits)
def test_every_text_of_it_is_the_same_mask(text: str) -> None:
    secret = keyed(text)
    texts = [repr(secret), str(secret), f"{secret}", f"{secret:>3}", "%s" % secret]  # noqa: UP031 - the old way must be safe too
    assert set(texts) == {MASK}
    assert repr([secret]) == f"[{MASK}]"


@given(digits)
def test_wiping_leaves_zeros_in_the_same_memory(text: str) -> None:
    secret = keyed(text)
    block = secret._block
    with secret:
        pass
    assert secret._block is block
    assert not any(block)
    assert secret.is_wiped
    with pytest.raises(ValueError, match="wiped"):
        secret.append("1")


def test_clearing_lets_the_caller_key_again() -> None:
    secret = keyed("123")
    secret.clear()
    assert not any(secret._block)
    secret.append("9")
    assert secret.reveal() == "9"


def test_its_memory_never_moves_while_it_fills() -> None:
    secret = SecretDigits()
    block = secret._block
    for _ in range(CAPACITY):
        secret.append("7")
    assert secret._block is block
    with pytest.raises(ValueError, match="no more"):
        secret.append("7")


@pytest.mark.parametrize("key", ["", "*", "#", "A", "12", "٣"])
def test_only_the_ten_digit_keys_are_digits(key: str) -> None:
    with pytest.raises(ValueError, match="0-9"):
        SecretDigits().append(key)


@pytest.mark.parametrize(
    "leak",
    [
        hash,
        list,
        bytes,
        set,
        iter,
        copy.copy,
        copy.deepcopy,
        pickle.dumps,
        json.dumps,
        lambda secret: secret == "1234",
        lambda secret: secret != "1234",
        lambda secret: "1" in secret,
        "".join,
        int,
        lambda secret: secret.__getstate__(),
    ],
)
def test_what_would_copy_the_digits_is_refused(leak: object) -> None:
    assert callable(leak)
    with pytest.raises(TypeError) as refusal:
        leak(keyed("1234"))
    assert "1234" not in str(refusal.value)


@given(digits, digits)
def test_two_entries_can_be_compared_with_each_other(one: str, other: str) -> None:
    assert (keyed(one) == keyed(other)) == (one == other)


def test_a_check_sees_the_digits_on_a_copy_that_is_zeroed() -> None:
    seen: list[bytearray] = []

    def check(copied: bytearray) -> bool:
        seen.append(copied)
        return copied == b"4242"

    assert keyed("4242").passes(check)
    assert not any(seen[0])


def test_the_last_reference_going_wipes_it() -> None:
    secret = keyed("42")
    block = secret._block
    del secret
    assert not any(block)


@given(digits, digits)
def test_digits_are_taken_over_and_none_stay_behind(before: str, said: str) -> None:
    secret, other = keyed(before), keyed(said)
    secret.take_over(other)
    assert secret.reveal() == said
    assert len(other) == 0
    assert not any(other._block)
    assert secret == keyed(said)


def test_nothing_is_taken_over_by_wiped_digits() -> None:
    with keyed("1") as secret:
        pass
    with keyed("2") as other, pytest.raises(ValueError, match="wiped"):
        secret.take_over(other)
    assert secret.is_wiped


@given(digits, digits)
def test_a_keyed_hash_is_the_same_for_the_same_digits_and_key_only(one: str, other: str) -> None:
    found = keyed(one).keyed_hash(b"key")
    assert (found == keyed(other).keyed_hash(b"key")) == (one == other)
    assert found != keyed(one).keyed_hash(b"another key")


@given(digits)
def test_a_keyed_hash_holds_no_digit(text: str) -> None:
    found = keyed(text).keyed_hash(b"key")
    assert len(found) == 64
    assert set(found) <= set("abcdefghijklmnop")
