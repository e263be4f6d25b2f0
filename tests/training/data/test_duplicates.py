from tests.training.data.test_split import dataset
from training.data.duplicates import distinct, normalised, num_contradictions, num_shared


def test_the_same_text_whatever_its_case_and_punctuation() -> None:
    assert normalised("Don't  STOP!") == normalised("dont stop") == "dontstop"
    assert normalised("ＧＯＯＤ １") == normalised("good 1")
    assert normalised("好！") == normalised("好") != normalised("坏")
    assert normalised("👍") != normalised("👎")
    assert normalised(" \t") == ""


def test_shared_and_contradicting_texts_are_counted() -> None:
    train = dataset(["Good!", "good", "bad", "fine"], ["p", "n", "n", "p"])
    assert num_shared(dataset(["GOOD", "new", "bad."], ["p", "p", "n"]), set(map(normalised, train.texts))) == 2
    assert num_contradictions(train) == 2


def test_repetitions_and_held_out_texts_are_left_out() -> None:
    assert distinct(["a b", "c", "a b", "A-B!"], but_not={"ab"}) == ["c"]
    assert distinct(["b", "a", "b"]) == ["b", "a"]
