"""Tables show what misses its bar, and a card has one section of public sets."""

import pytest

from benchmarks.training.sentiment.baseline import Baseline
from benchmarks.training.sentiment.figures import Reading, SentimentFigures, SetFigures
from benchmarks.training.sentiment.report import OLD_TABLE, card_section, results, with_section
from training.evaluation.checklist.check import Capability

SHOWN_72 = "72.0 [70.0 to 74.0]"


def reading(accuracy: float, rows: int = 1000, ece: float = 0.01) -> Reading:
    interval = (accuracy - 0.02, accuracy + 0.02)
    return Reading(
        rows=rows, accuracy=accuracy, accuracy_interval=interval, macro_f1=accuracy, macro_f1_interval=interval,
        ece=ece, ece_by_chance=0.008,
    )  # fmt: skip


def of_set(two: Reading, three: Reading | None = None, **rest: object) -> SetFigures:
    return SetFigures.model_validate(
        {"sha256": "0", "taught": True, "two": two, "three": three, "neutral": None} | rest
    )


def capability(name: str, failed: int) -> Capability:
    return Capability(name=name, check="label", cases=100, failed=failed, interval=(0.0, 0.5), worst=())


@pytest.fixture
def figures() -> SentimentFigures:
    linear = Baseline(
        choice="C=1", accuracy=0.7, accuracy_interval=(0.68, 0.72), macro_f1=0.6, macro_f1_interval=(0.58, 0.62)
    )
    return SentimentFigures(
        name="sentiment", version="abc", labels=("negative", "neutral", "positive"), split="test",
        sets={
            "sst2": of_set(reading(0.915), reading(0.85)),
            "cr": of_set(reading(0.88, ece=0.03), reading(0.8), taught=False),
            "xed_en": of_set(reading(0.9, 1200), reading(0.72, 1843), neutral=0.4, baseline=linear),
            "emotion": of_set(reading(0.8, 2500, ece=0.02), reading(0.7, 2500), taught=None),
        },
        absent=("imdb",),
        capabilities=(
            capability("en/negation: of praise", 30), capability("en/others' opinions", 10),
            capability("en/neutral facts", 20), capability("zh/neutral facts", 4),
            capability("en/negation: all", 8), capability("zh/negation: all", 9),
        ),
        seconds=90, command="python -m …", created="2026-11-27T12:00:00", machine="a machine", code={}, libraries={},
    )  # fmt: skip


@pytest.mark.parametrize(
    "row",
    [
        "| sst2 | 1,000 | yes | 91.5 [89.5 to 93.5] | 90.0 | 1.0 (0.8) | 2.5 | 85.0 |",
        "| cr | 1,000 | unseen | 88.0 [86.0 to 90.0] | 90.0 missed | 3.0 (0.8) | 2.5 missed | 80.0 |",
        f"| xed_en | 1,843 | yes | {SHOWN_72} | {SHOWN_72} | 40.0 | 60.0 [58.0 to 62.0] | 70.0 | +12.0 | 90.0 |",
        "| emotion | 2,500 |  | 80.0 [78.0 to 82.0] | 82.0 missed | 2.0 (0.8) |",
        "| neutral facts called neutral | 200 | 88.0 [82.8 to 91.8] | 90.0 missed |",
        "| en: all of negation fails | 100 | 8.0 [0.0 to 50.0] | 8.0 |",
        "| zh: all of negation fails | 100 | 9.0 [0.0 to 50.0] | 8.0 missed |",
        "| en/negation: of praise fails | 100 | 30.0 [0.0 to 50.0] | 15.0 missed |",
        "| under 2,000 | 2.5 | 3 | 2 | cr 3.0 (0.8) |",
        "| 2,000 and over | 1.5 | 1 | 0 | emotion 2.0 (0.8) |",
    ],
)
def test_results_say_what_misses_its_bar(figures: SentimentFigures, row: str) -> None:
    assert row in results(figures).splitlines()


def test_what_is_within_its_bar_is_not_listed(figures: SentimentFigures) -> None:
    text = results(figures)
    assert "others' opinions" not in text
    assert "Without a test split: imdb." in text
    assert "no label neutral" not in text


def test_a_set_alone_is_shown_without_the_mean_of_others(figures: SentimentFigures) -> None:
    alone = figures.model_copy(update={"sets": {"imdb": of_set(reading(0.9))}})
    assert "| imdb |" in results(alone)
    assert "Single sentences" not in results(alone)


def test_the_card_shows_two_and_three_labels_and_the_licence(figures: SentimentFigures) -> None:
    section = card_section(figures)
    shown = f"90.0 [88.0 to 92.0] | 1.0 (0.8) | {SHOWN_72} | {SHOWN_72}"
    assert f"| xed_en | en | 1,200 | {shown} | CC BY 4.0 |" in section
    assert "| sst2 | en | 1,000 | 91.5 [89.5 to 93.5] | 1.0 (0.8) | 85.0 [83.0 to 87.0] |  | none stated |" in section
    assert "learned from emotion" in section


def test_a_card_has_one_section_of_public_sets() -> None:
    older = f"{OLD_TABLE}| --- |\n| sst2 | 1 |\n\n"
    card = f"# x\n\n## Scores\n\nwords\n\n{older}Temperature\n\n## Data\n\nfiles\n\n## Limits\n"
    once = with_section(card, "## Public sets\n\nfirst")
    assert once == (
        "# x\n\n## Scores\n\nwords\n\nTemperature\n\n## Public sets\n\nfirst\n\n## Data\n\nfiles\n\n## Limits\n"
    )
    assert with_section(once, "## Public sets\n\nsecond") == once.replace("first", "second")
    assert with_section("# x\n", "## Public sets\n\nfirst") == "# x\n\n## Public sets\n\nfirst\n"
