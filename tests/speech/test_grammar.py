"""What may be answered, what it means, and that a wrong grammar file is told with its line."""

import datetime as dt
from pathlib import Path

import pytest

from ivr.settings import PROJECT
from ivr.speech import jsgf
from ivr.speech.errors import GrammarError
from ivr.speech.grammar import Grammars, load, one_of
from ivr.speech.meanings import meaning
from tests.speech.shipped import GRAMMARS

TODAY = dt.date(2026, 11, 25)  # a Wednesday
HEAD = "#JSGF V1.0 UTF-8 en;\ngrammar menu;\n"


def means(language: str, grammar: str, sentence: str) -> str | None:
    tags = GRAMMARS[language][grammar].read(sentence)
    return None if tags is None else meaning(grammar, tags, TODAY)


@pytest.mark.parametrize(
    ("language", "grammar", "sentence", "expected"),
    [
        ("en", "yes_no", "yes", "yes"),
        ("en", "yes_no", "yeah that's right", "yes"),
        ("en", "yes_no", "no thank you", "no"),
        ("en", "yes_no", "that's not right", "no"),
        ("en", "yes_no", "no that's right", None),
        ("en", "yes_no", "okay thank you", "yes"),
        ("en", "yes_no", "definitely please", None),
        ("en", "yes_no", "that's it", "yes"),
        ("en", "yes_no", "it's it", None),
        ("en", "yes_no", "maybe", None),
        ("en", "yes_no", "", None),
        ("en", "digits", "one oh four two", "1042"),
        ("en", "digits", "double four seven", "447"),
        ("en", "digits", "triple nine", "999"),
        ("en", "digits", "ten forty two", "1042"),
        ("en", "digits", "one thousand and forty two", "1042"),
        ("en", "digits", "forty", "40"),
        ("en", "digits", "double", None),
        ("en", "number", "two thousand three hundred and five", "2305"),
        ("en", "number", "two hundred thousand five hundred", "200500"),
        ("en", "number", "fourteen hundred", "1400"),
        ("en", "number", "a thousand two hundred", "1200"),
        ("en", "option", "the second one please", "2"),
        ("en", "option", "no the other one", "other"),
        ("en", "option", "none of them", "none"),
        ("en", "all_or_choose", "pay all of them please", "all"),
        ("en", "all_or_choose", "i'd like to choose", "choose"),
        ("en", "pay_or_leave", "yes pay it", "yes"),
        ("en", "pay_or_leave", "leave it", "no"),
        ("en", "after_decline", "try another card", "another_card"),
        ("en", "after_decline", "i promise to pay", "promise"),
        ("es", "after_decline", "un mensaje de texto", "link"),
        ("en", "command", "paying for someone else", "for_another"),
        ("en", "repeat_or_end", "that's all", "no"),
        ("en", "payment_method", "i want to pay with my credit card", "card"),
        ("en", "payment_method", "with my credit card", "card"),
        ("en", "payment_method", "the second one", "2"),
        ("es", "payment_method", "con la primera tarjeta", "1"),
        ("en", "which_card", "the mastercard", "mastercard"),
        ("es", "which_card", "la última", "last"),
        ("en", "pay_or_leave", "that's all", "enough"),
        ("es", "pay_or_leave", "pulse cuatro", "4"),
        ("en", "all_or_choose", "hear them", "again"),
        ("en", "payment_method", "by bank transfer please", "transfer"),
        ("en", "command", "can i speak to an agent please", "agent"),
        ("en", "command", "say that again", "repeat"),
        ("en", "command", "in spanish please", "language=es"),
        ("en", "command", "español", "language=es"),
        ("en", "amount", "two hundred and ten euros", "210 EUR"),
        ("en", "amount", "ten dollars and fifty cents", "10.50 USD"),
        ("en", "amount", "forty point five euros", "40.50 EUR"),
        ("en", "amount", "forty point oh five", "40.05"),
        ("en", "amount", "half of it", "half"),
        ("en", "date", "today", "2026-11-25"),
        ("en", "date", "the day after tomorrow", "2026-11-27"),
        ("en", "date", "on friday", "2026-11-27"),
        ("en", "date", "next friday", "2026-12-04"),
        ("en", "date", "next monday", "2026-11-30"),
        ("en", "date", "wednesday", "2026-12-02"),
        ("en", "date", "in two weeks", "2026-12-09"),
        ("en", "date", "in ten days", "2026-12-05"),
        ("en", "date", "the fifth of march", "2027-03-05"),
        ("en", "date", "march twenty first", "2027-03-21"),
        ("en", "date", "on the twentieth", "2026-12-20"),
        ("en", "date", "the twenty ninth of february", "2028-02-29"),
        ("en", "date", "the thirty first of june", None),
        ("en", "date", "the thirty first", "2026-12-31"),
        ("en", "date", "by the end of the month", "2026-11-30"),
        ("en", "date", "the first of next month", "2026-12-01"),
        ("en", "date", "next month", "2026-12-25"),
        ("en", "expiry", "march twenty thirty", "0330"),
        ("en", "expiry", "zero three thirty", "0330"),
        ("en", "expiry", "oh three two thousand thirty", "0330"),
        ("en", "expiry", "twelve twenty nine", "1229"),
        ("en", "expiry", "oh three two oh three oh", "0330"),
        ("en", "spelling", "s m i t h", "smith"),
        ("en", "spelling", "b as in bravo e double l", "bell"),
        ("en", "spelling", "oscar apostrophe n", "o'n"),
        ("es", "yes_no", "sí por favor", "yes"),
        ("es", "yes_no", "no es correcto", "no"),
        ("es", "digits", "cuarenta y dos", "42"),
        ("es", "digits", "cuarenta dos", "402"),
        ("es", "digits", "diez cuarenta y dos", "1042"),
        ("es", "digits", "mil cuarenta y dos", "1042"),
        ("es", "digits", "doble cero siete", "007"),
        ("es", "digits", "ciento cinco", "105"),
        ("es", "digits", "doscientos", "200"),
        ("es", "number", "doscientos mil quinientos uno", "200501"),
        ("es", "number", "mil", "1000"),
        ("es", "option", "la segunda por favor", "2"),
        ("es", "option", "el otro", "other"),
        ("es", "all_or_choose", "quiero pagar todas", "all"),
        ("es", "pay_or_leave", "esta no", "no"),
        ("es", "command", "quiero hablar con un agente", "agent"),
        ("es", "command", "inglés", "language=en"),
        ("es", "amount", "veinticinco con cincuenta", "25.50"),
        ("es", "amount", "doscientos diez euros", "210 EUR"),
        ("es", "amount", "la mitad", "half"),
        ("es", "date", "el viernes", "2026-11-27"),
        ("es", "date", "el lunes que viene", "2026-11-30"),
        ("es", "date", "dentro de quince días", "2026-12-10"),
        ("es", "date", "el cinco de marzo", "2027-03-05"),
        ("es", "date", "a fin de mes", "2026-11-30"),
        ("es", "expiry", "marzo de dos mil treinta", "0330"),
        ("es", "expiry", "doce veintinueve", "1229"),
        ("es", "spelling", "erre u i zeta", "ruiz"),
        ("es", "spelling", "be de barcelona u", "bu"),
    ],
)
def test_a_sentence_means(language: str, grammar: str, sentence: str, expected: str | None) -> None:
    assert means(language, grammar, sentence) == expected


def test_both_languages_have_the_same_questions_with_the_same_meanings() -> None:
    assert GRAMMARS["en"].names() == GRAMMARS["es"].names()
    for name in sorted(GRAMMARS["en"].names() - {"amount"}):
        tags = [
            {
                tag
                for each in GRAMMARS[language][name].sentences()
                for tag in _tags(language, name, each)
            }
            for language in ("en", "es")
        ]
        closed = [{tag for tag in found if tag.isalpha() and len(tag) > 2} for found in tags]
        assert closed[0] == closed[1], name


def _tags(language: str, name: str, sentence: str) -> tuple[str, ...]:
    return GRAMMARS[language][name].read(sentence) or ()


def test_every_sentence_that_is_listened_for_is_an_answer() -> None:
    for grammars in GRAMMARS.values():
        for grammar in grammars:
            assert all(grammar.read(each) is not None for each in grammar.sentences()), grammar.name


def test_every_two_words_that_can_stand_together_are_listened_for() -> None:
    grammar = GRAMMARS["en"]["digits"]
    pairs = {
        pair
        for each in grammar.sentences()
        for pair in zip(each.split(), each.split()[1:], strict=False)
    }
    for pair in ("four two", "double four", "oh nine", "forty two", "thousand and", "hundred ten"):
        assert tuple(pair.split()) in pairs, pair
    assert ("double", "hundred") not in pairs


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("maría garcía", "1"),
        ("maría garcía lópez", "2"),
        ("lópez", "2"),
        ("marta garcía", "3"),
        ("marta", "3"),
        ("maría", None),
        ("garcía", None),
    ],
)
def test_a_name_read_out_is_chosen_by_the_whole_of_it_or_what_only_it_has(
    said: str, place: str | None
) -> None:
    names = one_of("option", "es", ("María García", "María García López", "Marta García"))
    assert names.read(said) == (None if place is None else (place,))


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("one one one one", "1"),
        ("visa one one one one", "1"),
        ("two oh four two", "2"),
        ("visa two zero four two", "2"),
        ("mastercard", "3"),
        ("visa", None),
        ("one one", None),
        ("zero", None),
    ],
)
def test_a_card_read_out_is_chosen_by_its_last_digits(said: str, place: str | None) -> None:
    cards = one_of("payment_method", "en", ("visa 1111", "visa 2042", "mastercard 2222"))
    assert cards.read(said) == (None if place is None else (place,))


def test_digits_are_said_in_the_language_of_the_caller() -> None:
    cards = one_of("payment_method", "es", ("visa 1042",))
    assert cards.read("visa uno cero cuatro dos") == ("1",)
    assert cards.read("one zero four two") is None


def test_one_knows_whether_more_can_follow() -> None:
    yes_no = GRAMMARS["en"]["yes_no"]
    assert yes_no.may_go_on("yes")
    assert not yes_no.may_go_on("yes please")
    assert yes_no.begins("press")
    assert not yes_no.begins("banana")


def test_the_lists_of_needed_words_are_those_of_the_grammars() -> None:
    for language, grammars in GRAMMARS.items():
        text = (PROJECT / f"grammars/words/needed-{language}.txt").read_text()
        listed = {line for line in text.splitlines() if not line.startswith("#")}
        assert listed == {word for grammar in grammars for word in grammar.words}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("public <menu> = yes;", "line 1: it does not begin with '#JSGF"),
        (HEAD + "<menu> = yes;", "it has no public rule"),
        (HEAD + "public <menu> = yes", "line 3: ';' is expected, not 'the end'"),
        (HEAD + "public <menu> = (yes;", r"'\)' is expected, not ';'"),
        (HEAD + "public <menu> = yes | | no;", "there is nothing between two marks"),
        (HEAD + "public <menu> = /0.5/ yes;", "line 3: '/0.5/' has no place in our grammars"),
        (HEAD + "public <menu> = /0/ yes | /1/ no;", "a weight is 1 at least"),
        (HEAD + "public <menu> = /2/ yes | no;", "weights belong before all alternatives"),
        (HEAD + "public <menu> = <numbers.unit>;", "is used and not imported"),
        (HEAD + "public <menu> = a;\npublic <menu> = b;", "line 4: the rule <menu.menu> is there"),
        (HEAD + "public <Menu> = a;", "'Menu' is no name"),
        (HEAD.replace("menu", "Menu") + "public <menu> = a;", "'Menu' is no name"),
    ],
)
def test_a_broken_grammar_is_told_with_file_and_line(text: str, why: str) -> None:
    with pytest.raises(GrammarError, match=why) as caught:
        jsgf.read(text, "en/menu.jsgf")
    assert str(caught.value).startswith("en/menu.jsgf, line ")


def folder_with(tmp_path: Path, **files: str) -> Path:
    (tmp_path / "en").mkdir()
    for name, text in files.items():
        (tmp_path / "en" / f"{name}.jsgf").write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ("public <menu> = <other>;", "there is no rule <menu.other>"),
        ("public <menu> = yes <menu>;", "the rule <menu.menu> contains itself"),
        ("import <digits.digit>;\npublic <menu> = yes;", "imports <digits.digit>, which is no"),
    ],
)
def test_rules_that_are_missing_or_endless_are_told(tmp_path: Path, rules: str, why: str) -> None:
    with pytest.raises(GrammarError, match=why):
        load(folder_with(tmp_path, menu=HEAD + rules))


def test_a_grammar_must_be_called_like_its_file(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="calls itself grammar menu in en"):
        load(folder_with(tmp_path, other=HEAD + "public <menu> = a;"))


def test_a_folder_without_grammars_is_told(tmp_path: Path) -> None:
    with pytest.raises(GrammarError, match="There are no grammars"):
        load(tmp_path)


def test_an_unknown_question_is_told() -> None:
    with pytest.raises(GrammarError, match="no grammar 'colours' in 'en'"):
        GRAMMARS["en"]["colours"]


def test_a_loop_may_be_gone_through_as_often_as_one_likes(tmp_path: Path) -> None:
    grammars: Grammars = load(
        folder_with(tmp_path, menu=HEAD + "public <menu> = (a {1} | b {2})* c;")
    )["en"]
    assert grammars["menu"].read("a b b c") == ("1", "2", "2")
    assert grammars["menu"].read("c") == ()
    assert grammars["menu"].read("a") is None


def test_a_likelier_alternative_is_listened_for_more_often() -> None:
    sentences = GRAMMARS["en"]["digits"].sentences()
    assert sentences.count("eight six") == 20 * sentences.count("eighty six") > 0


def test_weights_change_neither_what_can_be_said_nor_its_meaning(tmp_path: Path) -> None:
    menu = HEAD + "public <menu> = (/3/ one {1} | /1/ two {2})+;"
    grammar = load(folder_with(tmp_path, menu=menu))["en"]["menu"]
    assert grammar.read("two one two") == ("2", "1", "2")
    assert grammar.sentences().count("two one") == 3 * grammar.sentences().count("one two")
