"""The part that every file of results has in common; `test_compare` and `test_tune` go on with such files."""

from training.artifacts.results import Results
from training.data.corpus import DataFile

RESULTS = Results(
    command="python -m training tune --train a.csv\npython -m training tune --train a.csv --resume",
    created="2026-01-02T03:04:05+00:00",
    machine="Some CPU",
    threads=2,
    device="cpu",
    code={"version": None, "commit": "abc1234"},
    libraries={},
    data={role: DataFile(file=f"{role}.csv", sha256="12ab", rows=1200, labels={}) for role in ("train", "test")},
    config={},
    warnings=["some texts are empty"],
)

EXPECTED = """\
| method | fits |
| --- | ---: |
| a\\|b | 1 |
| c | 2 |

- One note.
- Mind: some texts are empty.

```sh
python -m training tune --train a.csv
python -m training tune --train a.csv --resume
```

2026-01-02T03:04:05+00:00, Some CPU, cpu, threads: 2; Sluice unknown (abc1234). \
Texts: train `train.csv` (1,200), test `test.csv` (1,200).
"""


def test_a_table_says_all_that_it_takes_to_repeat_it() -> None:
    columns = {"method": "---", "fits": "---:"}
    assert RESULTS.write_markdown(columns, [["a|b", "1"], ["c", "2"]], ["One note."]) == EXPECTED
