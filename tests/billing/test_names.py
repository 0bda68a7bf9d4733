"""Names reduced to what is said of them, nicknames, and the keys that spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.customers import CustomerKind
from ivr.billing.names import (
    Nicknames,
    combination_key,
    combination_keys,
    fold,
    form,
    heard_forms,
    keypad,
    keypads,
    miskeyed,
    read_out,
    written_words,
)

PERSON, COMPANY = CustomerKind.PERSON, CustomerKind.COMPANY
TEXTS = st.text(max_size=60)
WORDS = st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8), max_size=7)
DIGITS = st.text("23456789", min_size=4, max_size=14)


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("James Smith", PERSON, "james smith"),
        ("  JAMES   SMITH ", PERSON, "james smith"),
        ("Smith, James", PERSON, "james smith"),
        ("García López, María José", PERSON, "maria jose garcia lopez"),
        ("Dr. James T. Smith Jr.", PERSON, "james smith"),
        ("Doña Ana Muñoz de la Cruz", PERSON, "ana munoz cruz"),
        ("O'Connor, Sinéad", PERSON, "sinead oconnor"),
        ("Sinead O Connor", PERSON, "sinead oconnor"),
        ("Ronald Mc Donald", PERSON, "ronald mcdonald"),
        ("Mac Miller", PERSON, "mac miller"),
        ("Van Morrison", PERSON, "van morrison"),
        ("Anne-Marie Duff", PERSON, "anne marie duff"),
        ("Jürgen Groß", PERSON, "jurgen gross"),
        ("Cher", PERSON, "cher"),
        ("Talleres Hermanos Ruiz, S.L.", COMPANY, "talleres hermanos ruiz"),
        ("Telefónica S.A.", COMPANY, "telefonica"),
        ("The Northwind Trading Company Ltd.", COMPANY, "northwind trading"),
        ("Müller & Söhne GmbH", COMPANY, "muller sohne"),
        ("Smith & Co.", COMPANY, "smith"),
        ("Ruiz y Ruiz, Sociedad Limitada", COMPANY, "ruiz ruiz"),
        ("S.A.", COMPANY, "sa"),
        ("Studio 54 Inc", COMPANY, "studio 54"),
        ("???", PERSON, ""),
    ],
)
def test_a_name_is_reduced_to_its_words(name: str, kind: CustomerKind, words: str) -> None:
    assert " ".join(form(name, kind).words) == words


@pytest.mark.parametrize(
    ("name", "kind", "said", "read"),
    [
        ("María García López", PERSON, (0, 1), "María García"),
        ("María José García López", PERSON, (0, 2), "María García"),
        ("García López, María José", PERSON, (0, 2), "María García"),
        ("GARCÍA GARCÍA, MARÍA", PERSON, (0, 2), "MARÍA GARCÍA"),
        ("Doña Ana Muñoz de la Cruz", PERSON, (0, 2), "Ana Cruz"),
        ("Anne-Marie Duff", PERSON, (0, 2), "Anne Duff"),
        ("Ronald James Mc Donald", PERSON, (0, 2), "Ronald Mc Donald"),
        ("Sinéad Mary O'Connor", PERSON, (0, 2), "Sinéad O'Connor"),
        ("Talleres Hermanos Ruiz, S.L.", COMPANY, (0, 1), "Talleres Hermanos"),
        ("Müller & Söhne GmbH", COMPANY, (0,), "Müller"),
    ],
)
def test_what_was_not_said_of_a_name_is_not_read(
    name: str, kind: CustomerKind, said: tuple[int, ...], read: str
) -> None:
    assert read_out(name, kind, said) == read


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("García López, María José", PERSON),
        ("Ana Muñoz de la Cruz", PERSON),
        ("José Ortega y Gasset", PERSON),
        ("O'Connor, Sinéad", PERSON),
        ("Ronald Mc Donald", PERSON),
        ("Talleres Hermanos Ruiz, S.L.", COMPANY),
        ("The Northwind Trading Company Ltd.", COMPANY),
        ("Müller & Söhne GmbH", COMPANY),
    ],
)
def test_a_name_of_which_every_word_was_said_is_read_as_it_is_written(
    name: str, kind: CustomerKind
) -> None:
    assert read_out(name, kind, range(len(form(name, kind).words))) == name


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Dr. James T. Smith Jr.", "James Smith"),
        ("James E. Smith", "James Smith"),
        ("Doña Ana Muñoz de la Cruz", "Ana Muñoz de la Cruz"),
        ("Ana Bea Cleo Dora Eva Fay Gil Hidden", "Ana Bea Cleo Dora Eva Fay Gil"),
    ],
)
def test_what_nobody_says_of_a_name_is_never_read(name: str, read: str) -> None:
    assert read_out(name, PERSON, range(len(form(name, PERSON).words))) == read


@given(TEXTS, st.sampled_from(CustomerKind), st.data())
def test_what_is_read_of_any_name_is_what_was_said_of_it(
    name: str, kind: CustomerKind, data: st.DataObject
) -> None:
    words = form(name, kind).written
    places = st.lists(st.sampled_from(range(len(words))), unique=True) if words else st.just([])
    said = sorted(data.draw(places))
    if len(said) < len(words):
        read = "".join(written_words(read_out(name, kind, said)))
        assert read == "".join(words[place] for place in said)


def test_accents_are_kept_for_the_voice() -> None:
    assert form("José MUÑOZ", PERSON).written == ("josé", "muñoz")


@given(TEXTS, st.sampled_from(CustomerKind))
def test_the_form_of_a_form_is_the_same(name: str, kind: CustomerKind) -> None:
    words = form(name, kind).words
    assert all(word == fold(word) for word in words)
    assert len(words) <= 7


@given(TEXTS)
def test_folding_twice_changes_nothing_and_leaves_no_accent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("my name is james smith", "james smith"),
        ("me llamo josé ruiz", "josé ruiz"),
        ("it's james smith", "james smith"),
        ("soy de la cruz", "la cruz"),
        ("james [unk] smith", "james smith"),
    ],
)
def test_an_introduction_is_not_part_of_the_name(text: str, words: str) -> None:
    assert " ".join(heard_forms(text)[0]) == words


def test_what_was_heard_may_be_a_company_with_its_legal_form() -> None:
    assert heard_forms("northwind traders limited") == (
        ("northwind", "traders", "limited"),
        ("northwind", "traders"),
    )


@pytest.mark.parametrize("text", ["", "[unk]", " . , "])
def test_no_words_are_no_name(text: str) -> None:
    assert heard_forms(text) == ()


@given(WORDS)
def test_the_order_of_words_does_not_change_their_key(words: list[str]) -> None:
    assert combination_key(words) == combination_key(reversed(words))
    assert -(2**63) <= combination_key(words) < 2**63


def test_a_name_is_found_by_all_its_words_and_by_any_two() -> None:
    keys = combination_keys(("maria", "garcia", "lopez"))
    assert keys[combination_key(("lopez", "maria", "garcia"))] == 0
    assert keys[combination_key(("maria", "garcia"))] == 1
    assert keys[combination_key(("lopez", "maria"))] == 1
    assert len(keys) == 4


@given(st.lists(st.sampled_from("abcdefg"), min_size=1, max_size=7))
def test_a_long_name_has_few_keys(words: list[str]) -> None:
    assert 1 <= len(combination_keys(words)) <= 18


@pytest.mark.parametrize(
    ("text", "keys"),
    [("Smith", "76484"), ("Muñoz", "68669"), ("O'Connor", "6266667"), ("Studio 54", "78834654")],
)
def test_a_name_is_spelled_on_the_keys(text: str, keys: str) -> None:
    assert keypad(text) == keys


def test_a_person_is_spelled_surname_first_too_and_without_the_second_surname() -> None:
    ways = keypads(form("María García López", PERSON))
    for spelled in ("mariagarcialopez", "garcialopezmaria", "garciamaria"):
        assert keypad(spelled) in ways
    assert any(way.startswith(keypad("mariagarcia")) for way in ways)


def test_a_company_is_spelled_one_way() -> None:
    assert keypads(form("Talleres Ruiz, S.L.", COMPANY)) == (keypad("talleresruiz"),)


@given(TEXTS, st.sampled_from(CustomerKind))
def test_every_way_to_spell_is_digits_and_no_way_begins_another(
    name: str, kind: CustomerKind
) -> None:
    ways = keypads(form(name, kind))
    assert all(set(way) <= set("0123456789") and 0 < len(way) <= 40 for way in ways)
    assert not [way for way in ways for o in ways if o != way and o.startswith(way)]


@given(DIGITS, st.data())
def test_every_single_slip_is_forgiven(keys: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(keys) - 1))
    other = data.draw(st.sampled_from("23456789"))
    slips = {
        keys[:place] + keys[place + 1 :],
        keys[:place] + other + keys[place + 1 :],
        keys[:place] + other + keys[place:],
    } - {keys}
    # A slip is what the caller did to the right keys: undoing it must be among the ways.
    assert all(keys in miskeyed(slipped) for slipped in slips)
    assert keys not in miskeyed(keys)
    assert len(miskeyed(keys)) <= 20 * (len(keys) + 1)


def test_nicknames_stand_for_the_full_name_and_back() -> None:
    nicknames = Nicknames.parse("william: bill billy\njosé: pepe # Pepe\n\n")
    assert nicknames.of("bill") == ("william",)
    assert nicknames.of("william") == ("bill", "billy")
    assert nicknames.of("jose") == ("pepe",)
    assert nicknames.of("smith") == ()
    assert nicknames.words == ("william", "bill", "billy", "josé", "pepe")


@pytest.mark.parametrize("line", ["william bill", "william:", ": bill"])
def test_a_wrong_line_of_nicknames_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: write"):
        Nicknames.parse(f"# nicknames\n{line}")
