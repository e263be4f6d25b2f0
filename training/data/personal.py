"""E-mail addresses and telephone numbers in texts, and the fixed words that take their places.

Patterns find the common spellings; a name, an address or an unusual spelling of a number stays.
"""

import re

EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})*\.[^\W\d_]{2,24}(?![\w-])", re.ASCII)

PHONE = re.compile(
    r"(?<![\w.,:/+-])(?<!\d )(?:"
    r"(?:\+|00)[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,5}\)?){2,6}"  # international
    r"|(?:1[ .-])?\(\d{3}\) ?\d{3}[ .-]\d{4}"  # North America
    r"|(?:1[ .-])?\d{3}([.-])\d{3}\1\d{4}"
    r"|1[3-9]\d{9}"  # mobile, China
    r"|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # with an area code: Britain, China, Germany
    r")(?![\w/-]|[.,:]\d)",
    re.ASCII,
)

DIGITS = (8, 15)
"""Fewest and most digits of a telephone number; the most by ITU-T E.164."""

EMAIL_WORD, PHONE_WORD = "emailaddress", "phonenumber"
"""The words that take their places: one token each, once the tokenizer has seen a few."""


def has_email(text: str) -> bool:
    """True if an e-mail address stands in a text.

    >>> has_email("write to a.b+c@example.co.uk!"), has_email("@user at 5@home")
    (True, False)
    """
    return "@" in text and EMAIL.search(text) is not None


def has_phone(text: str) -> bool:
    """True if a telephone number stands in a text.

    >>> has_phone("call (555) 010-9999 or +49 30 1234567"), has_phone("2014-05-12, 10 000 000, 192.168.100.200")
    (True, False)
    """
    return any(map(_is_phone, PHONE.finditer(text)))


def _is_phone(match: re.Match[str]) -> bool:
    digits = sum(map(str.isdigit, match[0]))
    return DIGITS[0] <= digits <= DIGITS[1]


def mask_personal(text: str) -> str:
    """The text with fixed words in place of e-mail addresses and telephone numbers.

    >>> mask_personal("Ann, ann@example.com, 020 7946 0958")
    'Ann, emailaddress, phonenumber'
    """
    if "@" in text:
        text = EMAIL.sub(EMAIL_WORD, text)
    return PHONE.sub(lambda match: PHONE_WORD if _is_phone(match) else match[0], text)
