"""Takes the emoticons out of posts whose labels were made from them.

Weibo writes an emoticon as a word in square brackets, such as [泪]. A set that is labelled by them teaches nothing else
as long as they stand in the text.
"""

import re

EMOTICON = re.compile(r"\[[^\[\]]{1,8}\]")
NAME = re.compile(r"@\S+")

MIN_LETTERS = 4
"""A post with fewer letters, names left out, says nothing once its emoticons are gone."""


def without_emoticons(text: str) -> str:
    """The text without emoticons and repeated white space; empty if fewer than `MIN_LETTERS` letters are left.

    >>> without_emoticons("今天又下雨了[泪][泪] 好冷")
    '今天又下雨了 好冷'
    >>> without_emoticons("@小明 哈哈[嘻嘻]")
    ''
    """
    plain = " ".join(EMOTICON.sub("", text).split())
    return plain if sum(map(str.isalpha, NAME.sub("", plain))) >= MIN_LETTERS else ""
