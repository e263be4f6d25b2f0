from training.annotation.cost import Prices, estimate, estimate_tokens, money
from training.annotation.prompt import make_prompt, parse_labels


def test_an_estimate_counts_the_prompt_once_a_call() -> None:
    prompt = make_prompt(parse_labels("good,bad"), max_characters=8)
    found = estimate(prompt, ["four" * 10] * 5, texts_per_call=2)
    assert found.calls == 3
    assert found.tokens_in == 3 * (estimate_tokens(prompt.system) + 16) + 5 * (6 + 2)  # cut to 8 characters
    assert found.tokens_out == 5 * (6 + 1)
    assert estimate(prompt, [], texts_per_call=2).tokens_out == 0


def test_money_is_told_where_a_price_is_known() -> None:
    assert money(Prices(), 10**6, 10**6) == ""
    assert money(Prices(2.0), 500_000, 10**6) == ", price 1.0000"
    assert Prices(2.0, 8.0).of(500_000, 250_000) == 3.0
