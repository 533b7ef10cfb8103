"""VIUBench's figures against their definitions, the baselines against the paper's random row."""

import json
from itertools import product

import numpy as np
import pytest

from reward_fns import compute_score, reward_of
from videossr_verl.errors import BadInput
from videossr_verl.evaluate.answers import read_answers
from videossr_verl.evaluate.baselines import BEST_CONSTANT, baselines, best_constant
from videossr_verl.evaluate.bootstrap import bootstrap
from videossr_verl.evaluate.scores import score_rows
from videossr_verl.evaluate.viubench.score import COLUMNS, GROUPS, figure_of, overall, score
from videossr_verl.evaluate.viubench.table import as_data, as_markdown, published
from videossr_verl.tasks import task_names

TASKS = {
    "counting": "object_counting",
    "grounding": "anomaly_grounding",
    "jigsaw": "temporal_jigsaw",
    "mvp": "masked_video_prediction",
}
KNOBS = {
    "counting_easy": {"min_frames": 1, "max_frames": 3, "min_instances": 1, "max_instances": 3},
    "counting_hard": {"min_frames": 1, "max_frames": 4, "min_instances": 1, "max_instances": 4},
    "jigsaw_6": {"num_clips": 6},
    "jigsaw_8": {"num_clips": 8},
}


def row(index, subset, truth, video="v", **knobs):
    task = TASKS[subset.split("_")[0]]
    clock = [i / 2 for i in range(48)]
    return {
        "data_source": f"videossr/{task}/{subset}",
        "videos": [{"clock": clock}],
        "reward_model": {"ground_truth": truth},
        "extra_info": {
            "index": index,
            "task": task,
            "video_id": video,
            "difficulty": json.dumps(KNOBS.get(subset, {}) | knobs),
        },
    }


def benchmark(samples, seed=0):
    """Rows with the paper's label distribution, drawn here by hand."""
    rng, rows = np.random.default_rng(seed), []
    for subset in COLUMNS:
        for i in range(samples):
            if subset.startswith("counting"):
                most = 3 if subset == "counting_easy" else 4
                numbers = [sum(rng.integers(1, most + 1, rng.integers(1, most + 1))) for _ in range(3)]
                truth = ",".join(map(str, numbers))
            elif subset.startswith("grounding"):
                length = rng.integers(8, 17)
                start = rng.integers(0, 48 - length + 1)
                truth = f"{start / 2:.1f}-{(start + length) / 2:.1f}"
            else:
                truth = "".join(str(d + 1) for d in rng.permutation(KNOBS[subset]["num_clips"]))
            rows.append(row(len(rows), subset, truth, video=str(i)))
    return rows


@pytest.mark.parametrize(
    ("subset", "truth", "answer", "value"),
    [
        ("counting_easy", "3,1,4", "3,1,4", 1),
        ("counting_easy", "3,1,4", "3,2,4", 2 / 3),
        ("counting_easy", "3,1,4", "circles: 9, squares: 1, triangles: 0", 1 / 3),
        ("grounding_mirror", "2.0-4.0", "from 3 to 4 seconds", 0.5),
        ("grounding_mirror", "2.0-4.0", "5-6", 0),
        ("jigsaw_6", "341562", "341562", 1),
        ("jigsaw_6", "341562", "341526", 0),
    ],
)
def test_figures_by_hand(subset, truth, answer, value):
    assert figure_of(row(0, subset, truth), answer) == (pytest.approx(value), True)
    assert figure_of(row(0, subset, truth), "I do not know") == (0, False)
    assert figure_of(row(0, subset, truth), None) == (0, False)


def with_bonus(score):
    def more(*args):
        value, *rest = score(*args)
        return value + 0.1 * rest[1], *rest

    return more


def figures(rows, answers):
    """All that a benchmark tells."""
    return score(rows, answers), [s.metric for s in score_rows(rows, answers)]


def test_what_training_pays_changes_no_figure(monkeypatch):
    """A bonus of 0.1 for any answer that can be read changes rewards, and nothing that is published."""
    rows = [*benchmark(5), row(45, "mvp", "CAFD")]
    answers = baselines(rows)["uniform guess"]
    asked = [(r["data_source"], r["reward_model"]["ground_truth"], r["extra_info"]) for r in rows]
    before, paid = figures(rows, answers), [compute_score(s, truth, truth, extra)["score"] for s, truth, extra in asked]
    for task in task_names():
        name = "score_in_parts" if hasattr(reward_of(task), "score_in_parts") else "score"
        monkeypatch.setattr(reward_of(task), name, with_bonus(getattr(reward_of(task), name)))
    more = [compute_score(s, truth, truth, extra)["score"] for s, truth, extra in asked]
    assert more == pytest.approx([reward + 0.1 for reward in paid])
    assert figures(rows, answers) == before


def test_what_is_unread_or_missing_stays_in_the_denominator():
    rows = [row(i, "jigsaw_6", "341562", video=str(i)) for i in range(4)]
    (column,) = score(rows, {0: "341562", 1: "no idea", 2: "123456"})
    assert (column.value, column.samples, column.unread, column.missing) == (25, 4, 0.25, 0.25)


def test_overall_is_the_plain_mean_of_the_nine_columns():
    rows = [row(i, subset, "1,2,3" if "count" in subset else "2.0-4.0" if "ground" in subset else "21") for i, subset in
            enumerate(COLUMNS)]  # fmt: skip
    for one in rows[-2:]:
        one["extra_info"]["difficulty"] = '{"num_clips": 2}'
    answers = {0: "1,2,3", 2: "2-4", 3: "2-3", 7: "21"}
    columns = score(rows, answers)
    means = overall(columns)
    assert [c.name for c in columns] == list(COLUMNS.values())
    assert means == pytest.approx({"Cnt": 50, "Grd": 30, "Jig": 50, "All": (100 + 100 + 50 + 100) / 9})
    assert "All" not in overall(columns[:8])


def test_the_published_means_follow_from_their_columns():
    """Within the paper's rounding; its largest gap is 0.45, Seed1.5-VL's mean of counting."""
    assert len(published()) == 14
    for values in published().values():
        assert np.mean([values[n] for n in COLUMNS.values()]) == pytest.approx(values["All"], abs=0.16)
        for group, names in GROUPS.items():
            assert np.mean([values[n] for n in names]) == pytest.approx(values[group], abs=0.46)


def test_baselines_reproduce_the_papers_random_row():
    """Counting and jigsaw by a uniform guess; grounding by the whole video (the paper's rule is not public)."""
    rows = benchmark(300)
    guess, whole = (
        {c.name: c for c in score(rows, baselines(rows)[name])} for name in ("uniform guess", "whole video")
    )
    paper = published()["random"]
    for name in ("CntE", "CntH", "JigE", "JigH"):
        p = paper[name] / 100
        trials = 300 * (3 if name.startswith("Cnt") else 1)
        assert abs(guess[name].value - paper[name]) <= 100 * 3 * max(np.sqrt(p * (1 - p) / trials), 1 / 300)
    for name in GROUPS["Grd"]:
        assert whole[name].value == pytest.approx(25, abs=1)
        assert paper[name] == pytest.approx(25, abs=1)
        assert guess[name].value == pytest.approx(20.4, abs=4)


def test_the_best_constant_is_the_best():
    rows = benchmark(40, seed=1)
    best = {c.name: c.value for c in score(rows, best_constant(rows))}
    easy = [r for r in rows if r["data_source"].endswith("counting_easy")]
    constants = (f"{a},{b},{c}" for a, b, c in product(range(1, 10), repeat=3))
    values = [score(easy, {r["extra_info"]["index"]: text for r in easy})[0].value for text in list(constants)[::7]]
    assert best["CntE"] >= max(values) - 1e-9
    for name, guesses in baselines(rows).items():
        if name != BEST_CONSTANT:
            others = {c.name: c.value for c in score(rows, guesses)}
            assert all(best[n] >= others[n] - 1e-9 for n in GROUPS["Grd"])


def test_the_interval_resamples_whole_videos():
    values = [0.0, 1.0] * 50
    alone = bootstrap([str(i) for i in range(100)], values, 0)
    together = bootstrap([str(i // 2 % 2 + 2 * (i % 2)) for i in range(100)], values, 0)  # four videos, each all 0 or 1
    assert alone[0] > 0.35
    assert alone[1] < 0.65
    assert together == (0, 1)
    assert bootstrap(["a"] * 3, [0.5] * 3, 0) == (0.5, 0.5)


def test_the_table_has_ones_own_model_among_the_published():
    rows = benchmark(5)
    columns = score(rows, baselines(rows)["uniform guess"])
    text = as_markdown({"mine": columns})
    assert "| VideoSSR-8B (published) | 29.0 | 24.6 |" in text
    assert f"| **mine** | {columns[0].value:.1f} |" in text
    data = as_data("mine", columns)
    assert json.loads(json.dumps(data))["means"]["All"] == pytest.approx(overall(columns)["All"])


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ('{"id": 0, "answer": "a"}\n{"id": 0, "answer": "b"}\n', "line 2 of .* answers id 0 a second time"),
        ("nonsense\n", "line 1 of .* is not"),
        ('{"id": "x", "answer": "a"}\n', "needs a whole number as id"),
        ('{"id": 1}\n', "line 1 of .* is not"),
    ],
)
def test_wrong_answers(tmp_path, lines, sentence):
    (tmp_path / "answers.jsonl").write_text(lines)
    with pytest.raises(BadInput, match=sentence):
        read_answers(tmp_path / "answers.jsonl")


def test_answers_of_a_killed_run_and_for_nothing(tmp_path):
    (tmp_path / "answers.jsonl").write_text('{"id": 0, "answer": "341562"}\n{"id": 1, "ans')
    answers = read_answers(tmp_path / "answers.jsonl")
    assert answers == {0: "341562"}
    with pytest.raises(BadInput, match="1 answers are for no question of the benchmark, first id 0"):
        score([row(5, "jigsaw_6", "341562")], answers)
    with pytest.raises(BadInput, match="cannot be read"):
        read_answers(tmp_path / "none.jsonl")
