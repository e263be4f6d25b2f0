"""Chinese templates and word lists, on the lines of `english.py`."""

from random import Random

from training.evaluation.checklist.cases import (
    Case,
    Pairs,
    Slots,
    Templates,
    changed,
    labelled,
    strengthened,
    with_facts,
)

WORDS: Slots = {
    "thing": ("这部电影", "这本书", "这本小说", "这家酒店", "这家餐厅", "这款手机", "这台电脑", "这部剧"),
    "story": ("这部电影", "这本书", "这本小说", "这部剧", "这场演出"),
    "product": ("这款手机", "这台电脑", "这副耳机", "这双鞋", "这个杯子", "这台相机"),
    "place": ("这家酒店", "这家餐厅", "这家咖啡馆", "这家健身房", "这家商店", "这家面馆"),
    "good": ("很好", "很棒", "非常好", "很不错", "让人满意", "非常出色"),
    "bad": ("很差", "很糟糕", "非常差", "特别差", "让人失望", "非常糟糕"),
    "dull": ("无聊", "乏味", "枯燥"),
    "very": ("非常", "特别", "十分", "超级"),
}

POLARITY: Templates = {
    "positive": (
        "{thing}{good}。",
        "{thing}真的{good}！",
        "我很喜欢{thing}。",
        "我对{thing}很满意。",
        "强烈推荐{thing}。",
    ),
    "negative": (
        "{thing}{bad}。",
        "{thing}真的{bad}！",
        "我很讨厌{thing}。",
        "我对{thing}很失望。",
        "千万别买{product}。",
    ),
}

NEGATED_POSITIVE: Templates = {
    "negative": (
        "{thing}不好。",
        "{thing}并不好。",
        "{thing}一点也不好。",
        "{thing}不怎么样。",
        "{thing}不值得推荐。",
        "{thing}没有什么优点。",
        "{thing}没有大家说的那么好。",
        "{thing}没能让我满意。",
        "我不喜欢{thing}。",
        "我并不喜欢{thing}。",
        "我从来没有喜欢过{thing}。",
        "我对{thing}不满意。",
        "我不推荐{thing}。",
    ),
}

NEGATED_NEGATIVE: Templates = {
    "positive": (
        "{thing}一点也不差。",
        "{thing}没有让我失望。",
        "{thing}绝不会让人失望。",
        "{thing}挑不出毛病。",
        "{thing}几乎没有缺点。",
        "{story}一点也不{dull}。",
        "{story}从头到尾都不{dull}。",
        "{story}没有一分钟是{dull}的。",
        "我从来没有后悔买{product}。",
        "买{product}，你不会后悔的。",
    ),
}

DOUBLE_NEGATION: Templates = {
    "positive": (
        "没有人不喜欢{thing}。",
        "没有人不说{thing}好。",
        "我没有理由不喜欢{thing}。",
        "我不能不推荐{thing}。",
        "不得不说，{thing}{good}。",
        "不得不承认，{thing}{good}。",
        "{thing}没有一处不让我满意。",
        "我对{thing}没有任何不满意的地方。",
    ),
    "negative": (
        "没有人不讨厌{thing}。",
        "没有人不说{thing}差。",
        "我没有理由不讨厌{thing}。",
        "我不得不给{thing}差评。",
        "不得不说，{thing}{bad}。",
        "不得不承认，{thing}{bad}。",
        "{thing}没有一处不让我生气。",
        "我不得不退掉{product}。",
    ),
}

EXPECTATION: Templates = {
    "negative": (
        "我以为{thing}会{good}，但是其实{bad}。",
        "本来以为{thing}{good}，没想到{bad}。",
        "都说{thing}{good}，结果{bad}。",
        "{thing}看起来{good}，实际上{bad}。",
        "我以为{thing}会{good}，但是并不好。",
    ),
    "positive": (
        "我以为{thing}会{bad}，但是其实{good}。",
        "本来以为{thing}{bad}，没想到{good}。",
        "都说{thing}{bad}，结果{good}。",
        "{thing}看起来{bad}，实际上{good}。",
        "我以为{thing}会{bad}，但是一点也不差。",
    ),
}

CHANGE: Templates = {
    "negative": ("{place}以前{good}，现在{bad}。", "我以前很喜欢{place}，现在很讨厌。"),
    "positive": ("{place}以前{bad}，现在{good}。", "我以前很讨厌{place}，现在很喜欢。"),
}

INTENSIFIED: Pairs = {
    "positive": (
        ("{thing}很好。", "{thing}{very}好。"),
        ("我喜欢{thing}。", "我{very}喜欢{thing}。"),
        ("我对{thing}满意。", "我对{thing}{very}满意。"),
    ),
    "negative": (
        ("{thing}很差。", "{thing}{very}差。"),
        ("我讨厌{thing}。", "我{very}讨厌{thing}。"),
        ("我对{thing}失望。", "我对{thing}{very}失望。"),
    ),
}

OPINIONS = (
    "{thing}{good}，我会推荐给所有的朋友。",
    "我很喜欢{thing}，各方面都{good}。",
    "{thing}{bad}，我很后悔花了这个钱。",
    "我很讨厌{thing}，各方面都{bad}。",
)

FACTS: dict[str, tuple[str, ...]] = {
    "这部电影 这部剧": ("我是星期二看的。", "故事发生在挪威。", "是去年五月上映的。"),
    "这本书 这本小说": ("一共三百页。", "封面是蓝色的。", "我是三月份看的。"),
    "这家酒店 这家餐厅": ("位置在车站旁边。", "一共有两层楼。", "我们是星期二去的。"),
    "这款手机 这台电脑": ("颜色是蓝色的。", "我是星期二下的单。", "盒子里有一根数据线。"),
}

TRADITIONAL = str.maketrans(
    "这电书说厅机脑剧错让满会荐给欢后钱个讨厌",
    "這電書說廳機腦劇錯讓滿會薦給歡後錢個討厭",
)
"""For the characters of `OPINIONS` that the two scripts write differently."""

HALF_WIDTH = str.maketrans("，。！", ",.!")


def chinese_cases(count: int, rng: Random) -> list[Case]:
    """About `count` cases a capability, the same for the same state of `rng`."""
    cases = []
    for name, templates in {
        "polarity": POLARITY,
        "negation: of praise": NEGATED_POSITIVE,
        "negation: of blame": NEGATED_NEGATIVE,
        "negation: double": DOUBLE_NEGATION,
        "thought it would be, but": EXPECTATION,
        "used to, now": CHANGE,
    }.items():
        cases += labelled(f"zh/{name}", templates, WORDS, count, rng)
    cases += strengthened("zh/intensifiers", INTENSIFIED, WORDS, count, rng)
    cases += with_facts("zh/neutral facts", OPINIONS, FACTS, WORDS, "", count, rng)
    cases += changed("zh/traditional script", OPINIONS, WORDS, _traditional, count, rng)
    return cases + changed("zh/punctuation", OPINIONS, WORDS, _punctuate, count, rng)


def _traditional(text: str, _: Random) -> str:
    return text.translate(TRADITIONAL)


def _punctuate(text: str, rng: Random) -> str:
    """Marks of half width, other marks, spaces, or none at the end."""
    return rng.choice(
        [
            text.translate(HALF_WIDTH),
            text.replace("。", "！"),
            text.replace("，", " ").replace("。", ""),
            text.removesuffix("。"),
            text.replace("。", "……"),
        ]
    )
