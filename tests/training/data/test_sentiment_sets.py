"""The labels of public sets of sentiment mean one thing each, and their licences say what may ship."""

from training.data.sentiment_sets import SENTIMENT


def test_no_name_has_two_sentiments() -> None:
    names = [name for label, others in SENTIMENT.labels.items() for name in (label, *others)]
    assert len(names) == len(set(names))
    assert set(SENTIMENT.labels) == {"negative", "neutral", "positive"}


def test_sets_whose_licence_bars_commercial_use_teach_nothing() -> None:
    barred = {name for name, found in SENTIMENT.sets.items() if not found.teaches}
    assert {"twitter_airline", "meld", "emotion"} <= barred
    words = ("NC", "GPL", "research")
    stated = {name for name, found in SENTIMENT.sets.items() if any(word in found.licence for word in words)}
    assert barred == stated
