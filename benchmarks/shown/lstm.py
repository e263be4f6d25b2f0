"""Blocks of docs/lstm.md and docs/lstm.zh.md that say what the shipped checkpoint is and does.

Shape suffixes: T tokens, H hidden units.
"""

from textwrap import fill

from examples.gates import TEXTS, Traced, telling_unit, trace_all
from model.cell import num_parameters
from model.checkpoint import Checkpoint
from model.config import Architecture

TOLERANCE = 0.006
"""A number of two decimals may be rounded either way."""

QUANTITIES = ("forget", "input", "candidate", "cell")
NEGATION, WORD = "not", "good"

PARAMETERS = {
    "en": (
        (
            "For the shipped checkpoint D = {D} and H = {H}, so `model.cell.num_parameters({D}, {H})` is 4 · ({HH:,} + "
            "{HD:,} + {H}) = {lstm:,} a direction. The whole of `checkpoints/sentiment`:"
        ),
        ("part", "how many", "parameters"),
        ("embedding", "LSTM, forward", "LSTM, backward", "head", "hashed n-grams", "all"),
        ("tokens", "the same", "labels"),
    ),
    "zh": (
        (
            "随项目发布的检查点 D = {D}，H = {H}，所以单个方向的参数量 `model.cell.num_parameters({D}, {H})` 等于\n"
            "4 · ({HH:,} + {HD:,} + {H}) = {lstm:,}。整个 `checkpoints/sentiment` 的构成如下："
        ),
        ("部分", "规模", "参数量"),
        ("嵌入", "前向 LSTM", "后向 LSTM", "输出层", "哈希 n-gram", "合计"),
        ("个词元", "同上", "个标签"),
    ),
}
"""By language: the sentence before the table, its head, its rows' names, and the words in its cells."""

POOLED = {
    "en": "With {H} units, two directions and three poolings the head reads {pooled} numbers.",
    "zh": "{H} 个单元、两个方向、三种池化，输出层读到的就是 {pooled} 个数。",
}

READS = {
    "en": 'The shipped checkpoint reads "{first}" ({labels[0]}, {scores[0]:.2f}) and "{last}" ({labels[1]}, '
    "{scores[1]:.2f}), forward. On top the means over all units, below them the unit whose cell differs most at the "
    "end, number {unit}.",
    "zh": '让随项目发布的检查点从前往后读 "{first}"（{labels[0]}，{scores[0]:.2f}）\n'
    '和 "{last}"（{labels[1]}，{scores[1]:.2f}）。\n'
    "图中最上面一行是所有单元的平均值，下面两行是读完时细胞状态差别最大的那个单元，编号 {unit}。",
}

HEADS = {"en": ("unit {unit}", "with", "without"), "zh": ("单元 {unit}", "有", "没有")}

STORY = {
    "en": 'Up to "was" it has read the same words. At "{negation}" its cell goes from {ends[2]} to {ends[3]}. At '
    '"{word}" its {name} differs most: {without} without the "{negation}", {with_} with it. {why} At the end the cell '
    'holds {ends[0]} without the "{negation}" and {ends[1]} with it.',
    "zh": '读到 "was" 为止，两句话的词完全一样。读到 "{negation}" 时，细胞状态从 {ends[2]} 变为 {ends[3]}。\n'
    '读到 "{word}" 时，差别最大的是{name}：没有 "{negation}" 时为 {without}，有 "{negation}" 时为 {with_}。\n'
    '{why}\n读完时，细胞状态在没有 "{negation}" 时为 {ends[0]}，有 "{negation}" 时为 {ends[1]}。',
}

NAMES = {
    "en": {"forget": "forget gate", "input": "input gate", "candidate": "candidate"},
    "zh": {"forget": "遗忘门", "input": "输入门", "candidate": "候选值"},
}

WHY = {
    "en": {
        "forget": "It keeps or drops what was there before by a word further back, because the gates see the hidden "
        "state beside the word.",
        "input": "The same word is let in or kept out, because the gates see the hidden state beside the word, and "
        "that one has seen the negation.",
        "candidate": "The same word is written as another value, because the hidden state that is read with it has "
        "seen the negation.",
    },
    "zh": {
        "forget": "是否保留先前的内容，取决于更早的词：门除了当前的词，还能看到上一步的隐藏状态。",
        "input": "同一个词，一次被放进来，一次被挡在门外：门除了当前的词，还能看到上一步的隐藏状态，而后者见过否定词。",
        "candidate": "同一个词，写进去的值却不同，因为与它一同输入的隐藏状态见过否定词。",
    },
}

TRY = """```sh
python -m examples.gates "I love it." "I don't love it."
python -m app explain checkpoints/sentiment "{last}" --gates --units {unit}
```"""


def blocks(checkpoint: Checkpoint, language: str) -> dict[str, str]:
    """Text of each block, by the name in its markers, in `en` or `zh`."""
    shape = checkpoint.config.architecture
    plain, negated = trace_all(checkpoint, TEXTS)
    unit = telling_unit([plain, negated])
    labels, scores = (plain.label, negated.label), (plain.score, negated.score)
    reads = READS[language].format(first=TEXTS[0], last=TEXTS[-1], labels=labels, scores=scores, unit=unit)
    gates = [gates_table(plain, negated, unit, language), story(plain, negated, unit, language)]
    return {
        "parameters": parameters(checkpoint, language),
        "pooled": POOLED[language].format(H=shape.hidden_size, pooled=shape.pooled_size),
        "reads": _wrapped(reads, language),
        "gates": "\n\n".join(gates),
        "try": TRY.format(last=TEXTS[-1], unit=unit),
    }


def parameters(checkpoint: Checkpoint, language: str) -> str:
    """A sentence and a table of the parameters of a checkpoint with one layer of LSTMs in both directions."""
    shape, num_labels = checkpoint.config.architecture, len(checkpoint.config.labels)
    sentence, head, names, (tokens, same, labels) = PARAMETERS[language]
    width, hidden = shape.embedding_dim, shape.hidden_size
    lstm = num_parameters(width, hidden)
    sentence = sentence.format(D=width, H=hidden, HH=hidden**2, HD=hidden * width, lstm=lstm)
    rows = [
        (names[0], f"{shape.vocab_size:,} {tokens} × {width}", shape.vocab_size * width),
        (names[1], f"4 · ({hidden}² + {hidden}·{width} + {hidden})", lstm),
        (names[2], same, lstm),
        (names[3], f"{num_labels} {labels} × ({shape.pooled_size} + 1)", num_labels * (shape.pooled_size + 1)),
        *_ngrams(shape, num_labels, names[4]),
    ]
    rows.append((names[5], "", sum(count for *_, count in rows)))
    lines = [f"| {name} | {how_many} | {count:,} |".replace("|  |", "| |") for name, how_many, count in rows]
    return "\n".join([_wrapped(sentence, language), "", f"| {' | '.join(head)} |", "| --- | --- | ---: |", *lines])


def _ngrams(shape: Architecture, num_labels: int, name: str) -> list[tuple[str, str, int]]:
    buckets = shape.ngram_buckets
    return [(name, f"{buckets:,} × {num_labels}", buckets * num_labels)] if buckets else []


def gates_table(plain: Traced, negated: Traced, unit: int, language: str) -> str:
    """The states of one unit at each token of both texts; the plain one has no value at the negation."""
    at = negated.tokens.index(NEGATION)
    title, with_, without = HEADS[language]
    lines = [
        f"| {title.format(unit=unit)} | | {' | '.join(negated.tokens)} |",
        f"| --- | --- |{' ---: |' * len(negated.tokens)}",
    ]
    for name in QUANTITIES:
        for words, text in ((without, plain), (with_, negated)):
            cells = [_shown(name, value) for value in text.states_TH[name][:, unit]]
            if text is plain:
                cells.insert(at, "")
            lines.append(f'| {name} | {words} "{NEGATION}" | {" | ".join(cells)} |'.replace("|  |", "| |"))
    return "\n".join(lines)


def story(plain: Traced, negated: Traced, unit: int, language: str) -> str:
    """A paragraph on the word after the negation: the quantity that differs most there, and how the cell ends."""
    places = plain.tokens.index(WORD), negated.tokens.index(WORD)

    def values(name: str) -> tuple[float, float]:
        found = [float(text.states_TH[name][at, unit]) for text, at in zip((plain, negated), places, strict=True)]
        return found[0], found[1]

    # A candidate lies between -1 and 1, a gate between 0 and 1.
    ranges = {"forget": 1.0, "input": 1.0, "candidate": 2.0}
    name = max(ranges, key=lambda one: abs(values(one)[0] - values(one)[1]) / ranges[one])
    without, with_ = (_shown(name, value) for value in values(name))
    cells, at = negated.states_TH["cell"][:, unit], negated.tokens.index(NEGATION)
    ends = [_shown("cell", value) for value in (plain.states_TH["cell"][-1, unit], cells[-1], *cells[at - 1 : at + 1])]
    words = {"word": WORD, "negation": NEGATION, "without": without, "with_": with_, "ends": ends}
    told = STORY[language].format(name=NAMES[language][name], why=WHY[language][name], **words)
    return _wrapped(told, language)


def _shown(name: str, value: float) -> str:
    return f"{value:+.2f}" if name in ("candidate", "cell") else f"{value:.2f}"


def _wrapped(text: str, language: str) -> str:
    """English at 100 columns; Chinese, which has no spaces, by its own line breaks."""
    return fill(text, 100, break_long_words=False, break_on_hyphens=False) if language == "en" else text
