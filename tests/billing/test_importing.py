"""A biller's files: what is understood, and what is refused with row, column, value and reason."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.billing.importing import FileKind, Parsed, parse

INVOICES = "number,service,amount,currency,paid,due_date"
CUSTOMERS = "external_id,account_number,kind,name,language,postal_code"
SERVICES = "external_id,customer,label,number,status,suspended_for"
GOOD_INVOICE = "F-1,S1,42.50,EUR,0,2026-03-31"


def table(*lines: str) -> Parsed:
    return parse("\n".join(lines).encode())


def complaints(parsed: Parsed) -> list[str]:
    return [str(problem) for problem in parsed.problems]


def amounts(delimiter: str, written: str, currency: str = "EUR") -> Parsed:
    cells = ("F-1", "S1", written, currency, "2026-03-31")
    head = ("number", "service", "amount", "currency", "due_date")
    return table(delimiter.join(head), delimiter.join(cells))


def test_a_file_of_invoices_is_told_by_its_columns() -> None:
    parsed = table(INVOICES, GOOD_INVOICE)
    assert parsed.kind is FileKind.INVOICES
    assert parsed.rows == (
        {
            "row": 2,
            "number": "F-1",
            "service": "S1",
            "amount": Decimal("42.50"),
            "currency": "EUR",
            "paid": Decimal(0),
            "due_date": date(2026, 3, 31),
        },
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_comma_semicolon_and_tab_with_or_without_byte_order_mark(
    delimiter: str, mark: bytes, end: str
) -> None:
    text = f"{CUSTOMERS}{end}C1,1042,person,María García,es,28004{end}".replace(",", delimiter)
    parsed = parse(mark + text.encode())
    assert complaints(parsed) == []
    assert parsed.rows[0]["name"] == "María García"


def test_column_names_of_the_biller_are_mapped() -> None:
    text = "Factura;Línea;Importe;Moneda;Vence;Nota\nF-1;S1;42,50;eur;2026-03-31;x"
    headers = {
        "factura": "number",
        "línea": "service",
        "Importe": "amount",
        "Moneda": "currency",
        "Vence": "due_date",
    }
    parsed = parse(text.encode(), headers)
    assert complaints(parsed) == []
    assert parsed.rows[0]["amount"] == Decimal("42.50")
    assert parsed.unused == ("Nota",)


@pytest.mark.parametrize(
    ("delimiter", "written", "amount"),
    [
        (",", "42.50", "42.50"),
        (",", "42", "42.00"),
        (";", "42,50", "42.50"),
        (";", "42,5", "42.50"),
        (";", "1.234,56", "1234.56"),
        (";", "1,234,567.89", "1234567.89"),
        ("\t", "1234.56", "1234.56"),
    ],
)
def test_an_amount_that_can_mean_one_thing_is_taken(
    delimiter: str, written: str, amount: str
) -> None:
    parsed = amounts(delimiter, written)
    assert complaints(parsed) == []
    assert parsed.rows[0]["amount"] == Decimal(amount)


@pytest.mark.parametrize(
    ("delimiter", "written", "reason"),
    [
        (",", '"42,50"', "holds a comma in a file separated by commas"),
        (";", "1,234", "could mean thousands or decimals"),
        (";", "1.234", "could mean thousands or decimals"),
        (";", "1.234.567", "is not an amount"),
        (";", "42.5001", "is not an amount in EUR"),
        (",", "-3.00", "is below zero"),
        (",", "", "is not an amount"),
        (",", "1e3", "is not an amount"),
        (",", "NaN", "is not an amount"),
        (",", "٤٢", "is not an amount"),
        (",", "999999999999.00", "is too large"),
    ],
)
def test_an_amount_that_is_none_or_two_is_refused(
    delimiter: str, written: str, reason: str
) -> None:
    (problem,) = amounts(delimiter, written).problems
    assert (problem.row, problem.column, problem.value) == (2, "amount", written.strip('"'))
    assert problem.reason.startswith(reason)


def test_decimals_follow_the_currency() -> None:
    assert complaints(amounts(",", "100", "JPY")) == []
    assert "JPY" in complaints(amounts(",", "100.50", "JPY"))[0]
    assert complaints(amounts(",", "1.234", "KWD")) == []
    assert "thousands or decimals" in complaints(amounts(";", "1,234", "KWD"))[0]


@pytest.mark.parametrize(
    ("head", "line", "complaint"),
    [
        (CUSTOMERS, "C1,10-42,person,J,en,28013", 'account_number: "10-42" is not 4 to 10'),
        (CUSTOMERS, "C1,1042,firm,J,en,28013", 'kind: "firm" is not person or company'),
        (CUSTOMERS, "C1,1042,person,J,fr,28013", 'language: "fr" is not en or es'),
        (CUSTOMERS, "C1,1042,person,J,en,SW1A", 'postal_code: "SW1A" is not 3 to 10'),
        (CUSTOMERS, "C1,1042,person,,en,28013", "column name: is empty"),
        (CUSTOMERS, "C1,1042,person,J,en", "row 2: has 5 cells, the header 6"),
        (SERVICES, "S1,C1,mobile,600 1,active,", 'number: "600 1" is not a number such as'),
        (SERVICES, "S1,C1,mobile,,suspended,", "suspended_for: is empty"),
        (SERVICES, "S1,C1,mobile,,active,fraud", 'suspended_for: "fraud" does not go with'),
        (INVOICES, "F-1,S1,42.50,EUR,50,2026-03-31", 'paid: "50.00" is more than the amount'),
        (INVOICES, "F-1,S1,42.50,EUR,0,31/03/2026", 'due_date: "31/03/2026" is not a date'),
        (INVOICES, "F-1,S1,42.50,EUR,0,2026-02-30", "is not a day of the calendar"),
        (INVOICES, "F-1,S1,42.50,euros,0,2026-03-31", 'currency: "euros" is not a currency'),
    ],
)
def test_a_wrong_cell_is_told_with_row_column_value_and_reason(
    head: str, line: str, complaint: str
) -> None:
    (told,) = complaints(table(head, line))
    assert told.startswith("row 2")
    assert complaint in told


def test_every_problem_of_a_file_is_told_in_the_order_of_rows() -> None:
    parsed = table(
        CUSTOMERS, "C1,1,person,J,en,28013", "", "C1,1042,x,J,en,28013", "C3,1042,person,J,xx,1"
    )
    assert [(problem.row, problem.column) for problem in parsed.problems] == [
        (2, "account_number"),
        (4, "kind"),
        (4, "external_id"),
        (5, "language"),
        (5, "postal_code"),
        (5, "account_number"),
    ]


def test_a_card_number_is_refused_and_not_repeated() -> None:
    (told,) = complaints(table(CUSTOMERS, "C1,1042,person,Ann 4111 1111 1111 1111,en,28013"))
    assert "could be a card number" in told
    assert "(digits)" in told
    assert "4111" not in told


@pytest.mark.parametrize("header", ["date,payee,amount", "external_id,phone", "name"])
def test_a_file_of_no_known_kind_is_told_in_one_sentence_what_each_kind_needs(header: str) -> None:
    parsed = table(header, "x,y,z")
    (told,) = complaints(parsed)
    assert parsed.kind is None
    assert told.startswith(
        "row 1: names the columns of no kind of file: customers need external_id"
    )
    for needed in (
        "customers need external_id, account_number, kind, name, language, postal_code;",
        "services need external_id, customer, label, status;",
        "invoices need number, service, currency, amount, due_date;",
        "[imports] headers",
    ):
        assert needed in told


def test_a_missing_column_is_told() -> None:
    assert complaints(table("number,service,amount,currency", "F-1,S1,1,EUR")) == [
        "row 1, column due_date: is missing: a file of invoices needs it"
    ]
    assert "is there twice" in complaints(table(INVOICES + ",amount", GOOD_INVOICE + ",1"))[0]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "row 1: is empty"),
        (b"number,service\nF-1,Mar\xeda", "row 2: is not UTF-8"),
        (b'number,service\n"F-1,S1', "file: is not a table of cells"),
        (b"\x00\x01\x02", "row 1: names the columns of no kind of file"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, complaint: str) -> None:
    assert complaint in complaints(parse(data))[0]


@given(st.binary(max_size=300))
def test_any_bytes_are_answered_with_a_report(data: bytes) -> None:
    parsed = parse(data)
    assert parsed.problems or not parsed.rows


@given(st.lists(st.lists(st.text(max_size=12), min_size=6, max_size=6), max_size=4))
def test_any_cells_are_answered_with_a_report(lines: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    for head in (CUSTOMERS, SERVICES, INVOICES):
        parsed = parse("\n".join([head, *quoted]).encode("utf-8", "replace"))
        assert all(problem.reason for problem in parsed.problems)
