"""English templates and word lists, chosen so that no reader would dispute a label.

"Not excellent" may still be good, so what is negated is weak praise ("not good") or plain blame ("never boring").
"""

import re
from random import Random

from training.evaluation.checklist.cases import (
    Case,
    Label,
    Pairs,
    Slots,
    Templates,
    changed,
    draw,
    expand,
    labelled,
    pairs,
    strengthened,
    with_facts,
)
from training.evaluation.checklist.noise import add_typos, swap_case

WORDS: Slots = {
    "thing": ("film", "movie", "book", "novel", "hotel", "restaurant", "meal", "phone", "camera", "laptop"),
    "story": ("film", "movie", "book", "novel", "show", "play", "series"),
    "product": ("phone", "camera", "laptop", "printer", "vacuum cleaner", "pair of headphones", "blender"),
    "place": ("restaurant", "hotel", "café", "gym", "shop", "bakery", "bar", "museum"),
    "good": ("great", "excellent", "wonderful", "fantastic", "superb", "brilliant", "amazing", "outstanding"),
    "bad": ("bad", "awful", "terrible", "horrible", "dreadful", "disappointing", "lousy", "appalling"),
    "nice": ("good", "pleasant", "impressive", "satisfying"),
    "poor": ("bad", "poor", "disappointing", "unpleasant"),
    "dull": ("boring", "dull", "tedious", "tiresome"),
    "bored": ("bored", "disappointed"),
    "like": ("like", "enjoy"),
    "liked": ("liked", "enjoyed"),
    "very": ("very", "really", "extremely", "incredibly", "so"),
    "name": ("Emily", "Ahmed", "Wei", "Olga", "Kwame", "Maria", "Takeshi", "Priya", "John", "Fatima"),
    "number": ("12", "27", "40", "65", "118", "230", "999", "1,450"),
}

POLARITY: Templates = {
    "positive": (
        "The {thing} was {good}.",
        "This is a {good} {thing}.",
        "What a {good} {thing}!",
        "I loved this {thing}.",
        "I am very happy with the {thing}.",
        "I would recommend this {thing} to everyone.",
    ),
    "negative": (
        "The {thing} was {bad}.",
        "This is a {bad} {thing}.",
        "What a {bad} {thing}!",
        "I hated this {thing}.",
        "I am very unhappy with the {thing}.",
        "I regret paying for this {thing}.",
    ),
}

NEGATED_POSITIVE: Templates = {
    "negative": (
        "The {thing} was not {nice}.",
        "The {thing} wasn't {nice} at all.",
        "The {thing} was never {nice}.",
        "This is not a {nice} {thing}.",
        "I did not {like} the {thing}.",
        "I didn't {like} this {thing} at all.",
        "I don't recommend the {thing}.",
        "The {thing} is not worth the money.",
        "There is nothing {nice} about the {thing}.",
        "I am not happy with the {thing}.",
        "I am not satisfied with this {thing}.",
    ),
}

NEGATED_NEGATIVE: Templates = {
    "positive": (
        "The {story} was never {dull}.",
        "The {story} was not {dull} for a single minute.",
        "I was not bored by the {story} for a second.",
        "There was not a {dull} moment in the {story}.",
        "The {thing} did not disappoint.",
        "The {thing} didn't disappoint us at all.",
        "I was not disappointed by the {thing} at all.",
        "I have no complaints about the {thing}.",
        "I couldn't find a single flaw in the {thing}.",
        "I have never regretted buying this {product}.",
        "You will not regret buying the {product}.",
    ),
}

SCOPE: Templates = {
    "negative": (
        "I can't say I {liked} the {thing}.",
        "I don't think the {thing} is {nice}.",
        "I don't think anyone will {like} this {thing}.",
        "No one in my family {liked} the {thing}.",
        "Nobody could call the {thing} {nice}.",
        "At no point did I {like} the {thing}.",
        "I wish I could say the {thing} was {nice}.",
        "Don't believe those who say the {thing} is {good}.",
        "I have yet to meet anyone who {liked} the {thing}.",
    ),
    "positive": (
        "No one could call the {story} {dull}.",
        "Nobody could say that the {thing} is {bad}.",
        "I don't think anyone could be {bored} by the {story}.",
        "I can't think of anything bad to say about the {thing}.",
        "I never once thought that the {story} was {dull}.",
        "I don't know anyone who was disappointed by the {thing}.",
        "Don't believe those who say the {thing} is {bad}.",
        "I can't imagine anyone who would hate this {thing}.",
    ),
}

EXPECTATION: Templates = {
    "negative": (
        "I thought the {thing} would be {good}, but it was {bad}.",
        "I expected the {thing} to be {good}, but it turned out to be {bad}.",
        "I had hoped for a {good} {thing}, but this one is {bad}.",
        "The {thing} looked {good} at first, but in the end it was {bad}.",
    ),
    "positive": (
        "I thought the {thing} would be {bad}, but it was {good}.",
        "I expected the {thing} to be {bad}, but it turned out to be {good}.",
        "I had feared a {bad} {thing}, but this one is {good}.",
        "The {thing} looked {bad} at first, but in the end it was {good}.",
    ),
}

EXPECTATION_DENIED: Templates = {
    "negative": (
        "I thought the {thing} would be {good}, but it wasn't.",
        "I expected the {thing} to be {good}, but it was not.",
        "They told me the {thing} was {good}. It isn't.",
    ),
    "positive": (
        "I thought the {thing} would be {bad}, but it wasn't.",
        "I expected the {thing} to be {bad}, but it was not.",
        "They told me the {thing} was {bad}. It isn't.",
    ),
}

CHANGE: Templates = {
    "negative": (
        "The {place} used to be {good}, but now it is {bad}.",
        "I used to love this {place}, but now I hate it.",
        "In the past the {place} was {good}; now it is {bad}.",
        "I used to {like} this {place}, although I no longer do.",
    ),
    "positive": (
        "The {place} used to be {bad}, but now it is {good}.",
        "I used to hate this {place}, but now I love it.",
        "In the past the {place} was {bad}; now it is {good}.",
        "I used to dislike this {place}, although I no longer do.",
    ),
}

QUESTION: Templates = {
    "negative": (
        "Was the {thing} {nice}? No.",
        "Did I {like} the {thing}? Absolutely not.",
        "Would I recommend this {thing}? Never.",
        "Is the {thing} worth the money? No, it is not.",
        "Am I happy with the {thing}? Not in the least.",
    ),
    "positive": (
        "Was the {thing} {bad}? Not at all.",
        "Did I regret buying the {product}? No.",
        "Was I {bored} by the {story}? Not for a second.",
        "Would I recommend this {thing}? Yes, to everyone.",
        "Is the {thing} worth the money? Yes, every penny.",
    ),
}

INTENSIFIED: Pairs = {
    "positive": (
        ("The {thing} was {nice}.", "The {thing} was {very} {nice}."),
        ("I {liked} the {thing}.", "I really {liked} the {thing}."),
        ("I {liked} the {thing}.", "I {liked} the {thing} very much."),
    ),
    "negative": (
        ("The {thing} was {poor}.", "The {thing} was {very} {poor}."),
        ("The {story} was {dull}.", "The {story} was {very} {dull}."),
        ("I disliked the {thing}.", "I really disliked the {thing}."),
    ),
}

FACTS: dict[str, tuple[str, ...]] = {
    "film movie show": ("It lasts two hours.", "I saw it on a Tuesday.", "It is set in Norway.", "It came out in May."),
    "book novel": ("It has three hundred pages.", "The cover is blue.", "I read it in March.", "It is set in Norway."),
    "hotel restaurant café": ("It is near the station.", "It has two floors.", "We went there on a Tuesday."),
    "phone camera laptop": ("It comes with a cable.", "It is blue.", "I ordered it on a Tuesday."),
}

OPINIONS = (
    "The {thing} was {good}, and I would recommend it to everyone.",
    "I loved this {thing}; everything about it was {good}.",
    "We were delighted with the {thing}, which was simply {good}.",
    "The {thing} was {bad}, and I regret paying for it.",
    "I hated this {thing}; everything about it was {bad}.",
    "We were annoyed by the {thing}, which was simply {bad}.",
)

CONTRACTED = {
    "did not": "didn't", "do not": "don't", "is not": "isn't", "was not": "wasn't", "will not": "won't",
    "could not": "couldn't", "I am": "I'm", "I have": "I've", "It is": "It's", "I would": "I'd",
}  # fmt: skip

WRITTEN_OUT = (
    "I did not {like} the {thing}.",
    "The {thing} was not {nice}.",
    "I do not recommend this {thing}.",
    "You will not regret buying this {product}.",
    "I could not stop telling my friends about this {good} {thing}.",
    "I am so happy with this {thing}.",
    "I have never seen such a {bad} {thing}.",
    "It is a {good} {thing}.",
    "It is a {bad} {thing}.",
    "I would recommend this {thing} to everyone.",
    "I am sorry that I paid for this {bad} {thing}.",
)

EMOJI = ("🎬", "📷", "📦", "🏨", "🕒", "📍")
FITTING: dict[Label, tuple[str, ...]] = {"positive": ("😀", "👍", "❤️", "🎉"), "negative": ("😡", "👎", "😞", "💔")}

NAMED = (
    "I went with {name} and paid {number} dollars, and the {place} was {good}.",
    "I went with {name} and paid {number} dollars, and the {place} was {bad}.",
    "{name} and {number} others were there, and everyone loved the {place}.",
    "{name} and {number} others were there, and everyone hated the {place}.",
    "We paid {number} dollars, and {name} and I agree that the {place} is {good}.",
    "We paid {number} dollars, and {name} and I agree that the {place} is {bad}.",
)


def english_cases(count: int, rng: Random) -> list[Case]:
    """About `count` cases a capability, the same for the same state of `rng`."""
    cases = []
    for name, templates in {
        "polarity": POLARITY,
        "negation: of praise": NEGATED_POSITIVE,
        "negation: of blame": NEGATED_NEGATIVE,
        "negation: far scope": SCOPE,
        "thought it would be, but": EXPECTATION,
        "thought it would be, but it wasn't": EXPECTATION_DENIED,
        "used to, now": CHANGE,
        "question and answer": QUESTION,
    }.items():
        cases += labelled(f"en/{name}", templates, WORDS, count, rng)
    cases += strengthened("en/intensifiers", INTENSIFIED, WORDS, count, rng)
    cases += with_facts("en/neutral facts", OPINIONS, FACTS, WORDS, " ", count, rng)
    for name, change in {"typos": add_typos, "case": swap_case, "emoji": _add_emoji}.items():
        cases += changed(f"en/{name}", OPINIONS, WORDS, change, count, rng)
    cases += changed("en/contractions", WRITTEN_OUT, WORDS, _contract, count, rng)
    return [*cases, *_names_and_numbers(count, rng), *_fitting_emoji(count, rng)]


def _names_and_numbers(count: int, rng: Random) -> list[Case]:
    def drawn(pattern: str) -> tuple[str, str]:
        words = {slot: rng.choice(WORDS[slot]) for slot in ("place", "good", "bad")}
        first, second = rng.sample(WORDS["name"], 2), rng.sample(WORDS["number"], 2)
        both = [pattern.format(**words, name=n, number=i) for n, i in zip(first, second, strict=True)]
        return both[0], both[1]

    found = dict.fromkeys(drawn(NAMED[i % len(NAMED)]) for i in range(count))
    return pairs("en/names and numbers", "same", iter(found))


def _add_emoji(text: str, rng: Random) -> str:
    emoji = rng.choice(EMOJI)
    return rng.choice([f"{text} {emoji}", f"{emoji} {text}", f"{text}{emoji}{emoji}"])


def _fitting_emoji(count: int, rng: Random) -> list[Case]:
    cases = []
    for label, emoji in FITTING.items():
        texts = draw([list(expand(pattern, WORDS)) for pattern in POLARITY[label]], count // 2, rng)
        changed_texts = ((text, f"{text} {rng.choice(emoji)}") for text in texts)
        cases += pairs("en/fitting emoji", "no lower", changed_texts, label)
    return cases


def _contract(text: str, rng: Random) -> str:
    apostrophe = rng.choice("'’")
    for full, short in CONTRACTED.items():
        text = re.sub(rf"\b{full}\b", short.replace("'", apostrophe), text, count=1)
    return text
