import re

import pytest

from curation.domains import domain_names, domain_prompt, domain_title, parse_domain


def test_there_are_65_domains_with_names_of_their_own():
    names = domain_names()
    assert len(names) == 65
    assert len(set(names.values())) == 65
    assert list(names) == sorted(names)
    assert all(re.fullmatch("[0-9]{2}", code) and name == name.strip() != "" for code, name in names.items())


# https://msc2020.org: the two-digit classes, without the codes that it leaves free
MSC2020 = """
00 01 03 05 06 08 11 12 13 14 15 16 17 18 19 20 22 26 28 30 31 32 33 34 35 37 39 40 41 42 43 44 45 46 47 49 51 52 53
54 55 57 58 60 62 65 68 70 74 76 78 80 81 82 83 85 86 90 91 92 93 94 97
"""


def test_the_domains_are_the_classes_of_msc2020_and_two_for_what_is_no_mathematics():
    codes = MSC2020.split()
    assert len(codes) == 63
    assert list(domain_names()) == [*codes, "98", "99"]
    assert domain_names()["11"] == "Number theory"
    assert domain_names()["98"] == "Chemistry"


@pytest.mark.parametrize(
    ("domain", "title"),
    [("11", "11 Number theory"), ("02", "02"), ("Law", "Law"), ("", ""), ("1", "1")],
)
def test_a_label_that_is_no_code_stands_for_itself(domain, title):
    assert domain_title(domain) == title


@pytest.mark.parametrize(
    ("reply", "domain"),
    [
        ("It asks for primes.\n11", "11"),
        ("11", "11"),
        ("It counts 12 chairs in 60 ways.\n\n**05**\n", "05"),
        ("Code: 60.", "60"),
        ("[81]\r\n", "81"),
        ("`98`  ", "98"),
        ("00", "00"),
        ("First 11, on reflection 12", "12"),
        # not classified
        ("", None),
        ("11 Number theory", None),
        ("It equals 3.14", None),
        ("See item_11", None),
        ("111", None),
        ("1", None),
        ("2011", None),
        ("02", None),  # MSC leaves 02 free
        ("11\n02", None),
        ("11x", None),
        ("１１", None),  # full-width digits are no code
        ("١١", None),
        ("eleven", None),
    ],
)
def test_a_domain_is_the_two_digits_that_end_the_reply(reply, domain):
    assert parse_domain(reply) == domain


def test_a_hostile_reply_costs_linear_time():
    # quadratic work on either would outlast the whole suite
    assert parse_domain("11 " * 300_000 + "x") is None
    assert parse_domain("11" + "." * 1_000_000 + "x") is None


@pytest.mark.parametrize(
    "question",
    [
        "What is 7 + 5?",
        "  two\n\nlines ",
        "$$domains$$ and $$question$$",
        "\\1 \\g<0> {domains} %s",
        "11 Number theory",
    ],
)
def test_the_prompt_lists_every_domain_and_holds_the_question_verbatim(question):
    prompt = domain_prompt(question)
    head, middle, tail = prompt.partition(f"Question:\n{question}\n")
    assert middle
    for code, name in domain_names().items():
        assert f"{code} {name}\n" in head
    assert "two digits" in tail
    assert "$$" not in head + tail
