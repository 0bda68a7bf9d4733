"""How look-ups are counted, and how a recogniser's output is read."""

from itertools import islice
from pathlib import Path

import pytest

from ivr.billing.customers import CustomerKind
from ivr.billing.matches import Choose, Decision, Hypothesis, Named, Sure, Unsure
from ivr.lab.bench.name_population import Population, Somebody
from ivr.lab.bench.name_trials import Score, Trial, perfect, read

SMITH = Named("James Smith", (1, 2), 0.0)
SMYTH = Named("Jane Smyth", (3,), 0.6)
JONES = Named("Tom Jones", (4,), 0.9)


def score(customer: int | None, decision: Decision, *ranked: Named) -> Score:
    counted = Score()
    counted.add(Trial("en", (), customer), ranked, decision, 0.01)
    return counted


def test_the_right_customer_may_be_any_bearer_of_the_first_name() -> None:
    counted = score(2, Sure(SMITH), SMITH, SMYTH)
    assert (counted.first, counted.in_three, counted.offered) == (1, 1, 1)
    assert counted.wrong_accepted == 0


def test_the_right_customer_among_three_is_not_first() -> None:
    counted = score(4, Choose((SMITH, SMYTH, JONES)), SMITH, SMYTH, JONES)
    assert (counted.first, counted.in_three, counted.offered) == (0, 1, 1)


def test_being_sure_of_somebody_else_is_a_wrong_customer_accepted() -> None:
    assert score(4, Sure(SMITH), SMITH, SMYTH, JONES).wrong_accepted == 1


def test_a_stranger_taken_for_a_customer_is_a_wrong_customer_accepted() -> None:
    counted = score(None, Sure(SMITH), SMITH)
    assert (counted.wrong_accepted, counted.customers, counted.strangers) == (1, 0, 1)
    assert score(None, Unsure()).wrong_accepted == 0


def test_times_are_told_by_share() -> None:
    counted = Score(seconds=[0.001 * number for number in range(1, 101)])
    assert counted.milliseconds(0.5) == pytest.approx(51)
    assert counted.milliseconds(0.99) == pytest.approx(100)


def test_a_perfectly_heard_company_is_said_without_its_legal_form() -> None:
    trial = perfect(Somebody("Talleres Ruiz, S.L.", CustomerKind.COMPANY, "es"), 7)
    assert trial == Trial("es", (Hypothesis("talleres ruiz"),), 7)


def test_a_recognisers_output_is_read(tmp_path: Path) -> None:
    file = tmp_path / "heard.jsonl"
    file.write_text(
        '{"account": "1042", "language": "en", "heard": ["james smith", ["jane smith", 0.4]]}\n'
        '{"account": null, "language": "es", "heard": []}\n'
    )
    assert list(read(file, {"1042": 7})) == [
        Trial("en", (Hypothesis("james smith"), Hypothesis("jane smith", 0.4)), 7),
        Trial("es", (), None),
    ]


@pytest.mark.parametrize(
    "line",
    ["{", "[]", '{"account": "1"}', '{"account": "9", "language": "en", "heard": []}'],
)
def test_a_wrong_line_of_a_recogniser_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "heard.jsonl"
    file.write_text(line)
    with pytest.raises(ValueError, match=r"heard.jsonl, line 1: is no trial"):
        list(read(file, {"1": 1}))


def invented(count: int) -> list[Somebody]:
    return list(islice(Population(seed=5).people(), count))


def test_invented_customers_are_the_same_for_the_same_seed() -> None:
    assert invented(50) == invented(50)


def test_invented_customers_are_of_both_languages_and_share_names() -> None:
    people = invented(2000)
    assert {one.language for one in people} == {"en", "es"}
    assert {one.kind for one in people} == set(CustomerKind)
    assert 1000 < len({one.name for one in people}) < 2000
