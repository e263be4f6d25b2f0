import pytest

from training.data.personal import has_email, has_phone, mask_personal

EMAILS = ["a@b.org", "first.last+tag@mail.example.co.uk", "问题请发邮件到zhang_1@163.com。", "<x-y@example.com>,"]
NO_EMAILS = ["@user", "meet me @ 5", "a@b", "user@localhost", "me@5.30", "a@@b.org"]

PHONES = [
    *("+1 555 010 9999", "+49 (30) 1234-567", "0049 30 1234567", "(555) 010-9999", "555-010-9999", "555.010.9999"),
    *("1-800-555-0199", "13812345678", "电话：13812345678。", "010-12345678", "020 7946 0958"),
    *("030/1234567", "0171 1234567", "手机13812345678号"),
]  # fmt: skip
NO_PHONES = [
    *("2014-05-12", "12:30:45", "1,234,567", "192.168.100.200", "3.14159265358", "1234567", "12345678901234567890"),
    *("978-3-16-148410-0", "2010-2011", "7-6 6-4", "$0.0012345678", "20141231", "room 1408", "1994 1995 1996 1997"),
    *("v1.23.456.7890", "00:12 34 56 78"),
]  # fmt: skip


@pytest.mark.parametrize("text", EMAILS)
def test_addresses_are_found(text: str) -> None:
    assert has_email(text)
    assert "emailaddress" in mask_personal(text)
    assert "@" not in mask_personal(text)


@pytest.mark.parametrize("text", NO_EMAILS)
def test_other_signs_are_no_addresses(text: str) -> None:
    assert not has_email(text)
    assert mask_personal(text) == text


@pytest.mark.parametrize("text", PHONES)
def test_telephone_numbers_are_found(text: str) -> None:
    assert has_phone(text)
    assert not any(map(str.isdigit, mask_personal(f"call {text} now")))


@pytest.mark.parametrize("text", NO_PHONES)
def test_other_numbers_are_no_telephone_numbers(text: str) -> None:
    assert not has_phone(text)
    assert mask_personal(text) == text


def test_what_stands_around_stays() -> None:
    assert mask_personal("邮件到zhang@163.com或13812345678") == "邮件到emailaddress或phonenumber"
    assert mask_personal("Ann (a@b.org), tel. +49 30 1234567!") == "Ann (emailaddress), tel. phonenumber!"
