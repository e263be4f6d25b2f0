"""Checks for personal data: e-mail addresses, telephone numbers, payment cards, bank accounts."""

import re
from collections.abc import Iterator

from training.data.personal import EMAIL_WORD, PHONE_WORD, has_email, has_phone, mask_personal
from training.inspection.finding import Finding, around, finding
from training.inspection.material import Material
from training.inspection.scan import matching, where

CARD = re.compile(
    r"(?<![\w.-])(?:"
    r"(?:4\d{3}|5[1-5]\d\d|2[2-7]\d\d|6011|65\d\d|62\d\d)(?P<gap>[ -]?)\d{4}(?P=gap)\d{4}(?P=gap)\d{4}"
    r"|3[47]\d\d(?P<space>[ -]?)\d{6}(?P=space)\d{5}"
    r")(?![\w-]|\.\d)",
    re.ASCII,
)
"""Numbers of the large networks, in the groups in which they are printed. Source: ISO/IEC 7812."""

IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)", re.ASCII)

HIDDEN = re.compile(rf"{EMAIL_WORD}|{PHONE_WORD}|\*{{8}}")

MANY = 0.005
"""Share of rows from which on addresses and telephone numbers are worth a look."""


def check_personal(material: Material) -> Iterator[Finding]:
    """Finds texts with personal data, and shows them masked."""
    dataset = material.dataset
    texts = dataset.texts
    cards, ibans = matching(texts, [CARD, IBAN])
    found = {
        "email": where(texts, has_email),
        "phone": where(texts, has_phone),
        "card_number": [place for place in cards if any(is_card(one[0]) for one in CARD.finditer(texts[place]))],
        "iban": [place for place in ibans if any(is_iban(one[0]) for one in IBAN.finditer(texts[place]))],
    }
    if material.masked:
        del found["email"], found["phone"]
    for kind, places in found.items():
        if places:
            few = kind in ("email", "phone") and len(places) < MANY * len(texts)
            yield finding(kind, material.role, dataset, places, show=_shown, severity="note" if few else None)


def _shown(text: str) -> str:
    masked = hidden(text)
    found = HIDDEN.search(masked)
    return around(masked, found.start() if found else 0)


def hidden(text: str) -> str:
    """A text without its personal data, to be shown: all but the first digits of cards and accounts are stars.

    >>> hidden("a@b.org paid 4111 1111 1111 1111")
    'emailaddress paid 4111 ************'
    """
    for pattern in (CARD, IBAN):
        text = pattern.sub(lambda match: match[0][:4] + " " + "*" * (len(match[0].replace(" ", "")) - 4), text)
    return mask_personal(text)


def is_card(number: str) -> bool:
    """True if the last digit of a number checks the others as that of a payment card (Luhn, ISO/IEC 7812-1, annex B).

    >>> is_card("4111 1111 1111 1111"), is_card("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(sign) for sign in number if sign.isdigit()]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def is_iban(number: str) -> bool:
    """True for an international bank account number, by its check digits (ISO 13616: modulo 97 is 1).

    >>> is_iban("GB82 WEST 1234 5698 7654 32"), is_iban("GB83 WEST 1234 5698 7654 32")
    (True, False)
    """
    plain = number.replace(" ", "")
    moved = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(sign, 36)) for sign in moved)) % 97 == 1
