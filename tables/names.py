"""Compares names of columns and labels as a person would: invisible characters, spaces and case do not count."""

import re
import unicodedata

INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
"""Soft hyphen, zero-width characters, marks of direction, byte-order mark."""

TEXT_NAMES = (
    *("text", "texts", "sentence", "sentences", "review", "reviews", "review_text", "reviewtext", "review_body"),
    *("content", "contents", "body", "title", "headline", "subject", "comment", "comments", "comment_text", "tweet"),
    *("message", "msg", "post", "document", "doc", "description", "abstract", "question", "utterance", "query"),
    *("input", "inputs", "文本", "内容", "评论", "句子", "正文", "标题"),
)
LABEL_NAMES = (
    *("label", "labels", "class", "classes", "category", "categories", "target", "sentiment", "intent", "topic"),
    *("emotion", "tag", "tags", "polarity", "stars", "rating", "标签", "类别", "分类", "情感"),
)
COMMON = (*TEXT_NAMES, *LABEL_NAMES)
"""Names that columns of texts and of labels often have, as `folded` gives them."""


def clean_name(name: str) -> str:
    r"""Removes invisible characters and outer white space.

    >>> clean_name("\ufeff text ")
    'text'
    """
    return INVISIBLE.sub("", name).strip()


def folded(name: str) -> str:
    r"""The form that names share which look alike: NFKC, without case, invisible characters and repeated white space.

    >>> folded("Ｐos\u200b itive ") == folded("pos\u00a0 itive")
    True
    """
    return " ".join(INVISIBLE.sub("", unicodedata.normalize("NFKC", name)).casefold().split())


def same_name(name: str, other: str) -> bool:
    """True if two names of columns differ in case, white space and invisible characters only."""
    return name == other or folded(name) == folded(other)
