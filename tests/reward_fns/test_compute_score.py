import json
import re
import subprocess
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reward_fns
from reward_fns import compute_metric, compute_score, reward_of
from reward_fns.knobs import verls_settings
from reward_fns.registry import RegistryError
from videossr_verl.tasks import get_task, task_names

KEYS = ["score", "acc", "parsed", "chance", "task", "selection", "order", "placement", "turn"]
ROWS = {
    "videossr/anomaly_grounding": ("anomaly_grounding", "14.5-26.2"),
    "videossr/masked_video_prediction": ("masked_video_prediction", "CAFD"),
    "videossr/motion_primitives": ("motion_primitives", "up-left"),
    "videossr/object_counting": ("object_counting", "3,1,4"),
    "videossr/temporal_jigsaw": ("temporal_jigsaw", "341562"),
    "grounding": ("anomaly_grounding", "14.5-26.2"),
    "counting": ("object_counting", "3,1,4"),
    "shuffled": ("temporal_jigsaw", "341562"),
    "jigsaw": ("temporal_jigsaw", "341562"),
}


@pytest.mark.parametrize("source", ROWS)
def test_rows_of_our_tasks(source, capsys):
    task, truth = ROWS[source]
    result = compute_score(source, truth, truth)
    assert list(result) == KEYS
    assert [result[key] for key in ("score", "acc", "parsed", "task")] == [1, 1, 1, task]
    assert all(type(result[key]) is float for key in ("score", "acc", "parsed", "chance"))
    assert 0 < result["chance"] < 1
    parts = {key: result[key] for key in ("selection", "order")}
    assert set(parts.values()) == ({1.0} if task == "masked_video_prediction" else {None})
    nothing = dict.fromkeys(("score", "acc", "parsed", *(key for key in parts if parts[key])), 0)
    assert compute_score(source, "no idea", truth) == result | nothing
    assert capsys.readouterr() == ("", "")


def test_called_as_verl_does():
    result = compute_score(
        data_source="videossr/temporal_jigsaw",
        solution_str="3 4 1 5 6 2",
        ground_truth="341562",
        extra_info={"difficulty": '{"num_clips": 6}', "num_turns": 2, "rollout_reward_scores": {}},
        reward_router_address="host:1",
        reward_model_tokenizer=None,
    )
    assert result["score"] == 1


def test_the_rewards_own_knobs_come_from_verls_config():
    source, settings = "videossr/masked_video_prediction", {"masked_video_prediction": {"order_weight": 0.2}}
    result = compute_score(source, "ACFD", "CAFD", {"difficulty": '{"num_distractors": 4}'}, **settings)
    assert (result["selection"], result["order"]) == (1, pytest.approx(5 / 6))
    assert result["score"] == pytest.approx(0.8 + 0.2 * 5 / 6)
    assert result["chance"] > compute_score(source, "ACFD", "CAFD")["chance"]


NEARLY = {
    "anomaly_grounding": ("14.5-26.0", "14.5-26.2"),
    "arrow_of_time": ("1,4,5", "1,4,6"),
    "masked_video_prediction": ("ACFD", "CAFD"),
    "object_counting": ("3,1,5", "3,1,4"),
    "spatial_jigsaw": ("431562", "341562"),
    "temporal_jigsaw": ("431562", "341562"),
}


@pytest.mark.parametrize("task", NEARLY)
@pytest.mark.parametrize("by_task", [False, True])
def test_a_strict_reward_is_for_the_exact_answer(task, by_task):
    nearly, truth = NEARLY[task]
    settings = {task: {"strict": True}} if by_task else {"strict": True}
    smooth = compute_score(f"videossr/{task}", nearly, truth)
    strict = compute_score(f"videossr/{task}", nearly, truth, **settings)
    assert 0.5 < smooth["score"] < 1
    assert 0 < strict["chance"] <= 1 / 8 < smooth["chance"]
    assert strict == smooth | {"score": 0, "chance": strict["chance"]}
    assert compute_score(f"videossr/{task}", truth, truth, **settings)["score"] == 1


def test_a_tasks_own_strictness_goes_first():
    settings = {"strict": True, "object_counting": {"strict": False}}
    assert compute_score("counting", "3,1,5", "3,1,4", **settings)["score"] > 0.8
    assert compute_score("jigsaw", "431562", "341562", **settings)["score"] == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stict": True}, "reward_kwargs has no 'stict': it takes strict=true or false"),
        ({"strict": "yes"}, "strict of reward_kwargs must be true or false, not 'yes'"),
        ({"strict": None}, "must be true or false, not None"),
        ({"masked_video_prediction": True}, "has no 'masked_video_prediction': .* knobs of a task under its name"),
        ({"masked_video_prediction": {"strict": 1}}, "must be true or false, not 1"),
        ({"masked_video_prediction": {"weight": 1}}, "no 'weight': it takes strict, order_weight"),
        ({"masked_video_prediction": {"order_weight": "half"}}, "number from 0 to 1, not 'half'"),
        ({"masked_video_prediction": {"order_weight": 2}}, "number from 0 to 1, not 2"),
    ],
)
def test_a_wrong_knob_is_one_sentence(settings, message):
    with pytest.raises(ValueError, match=message):
        compute_score("videossr/masked_video_prediction", "CAFD", "CAFD", **settings)


def test_verl_hands_the_knobs_to_a_reward_of_a_batch():
    """Through verl's own reading of the config and its own reward manager."""
    import asyncio

    import torch
    from omegaconf import OmegaConf
    from verl import DataProto
    from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager
    from verl.trainer.ppo.reward import get_custom_reward_fn

    class Digits:
        """Stands for a tokenizer: token ids are characters."""

        def decode(self, ids, skip_special_tokens):
            return "".join(map(chr, ids))

    function = {"path": "pkg://videossr_verl.train.reward_hook", "name": "compute_score"}
    row = {
        "data_source": np.array(["videossr/temporal_jigsaw"], dtype=object),
        "reward_model": np.array([{"ground_truth": "341562"}], dtype=object),
        "extra_info": np.array([{"difficulty": '{"num_clips": 6}'}], dtype=object),
    }
    ids = torch.tensor([list(map(ord, "431562"))])
    tensors = {"responses": ids, "attention_mask": torch.ones_like(ids)}

    def reward(**kwargs):
        config = OmegaConf.create({"reward": {"custom_reward_function": function | {"reward_kwargs": kwargs}}})

        async def ask():
            manager = NaiveRewardManager(config, Digits(), get_custom_reward_fn(config))
            return await manager.run_single(DataProto.from_dict(tensors, row))

        return asyncio.run(ask())["reward_score"]

    assert reward(strict=False) == pytest.approx(1 - 2 / 18)
    assert reward(strict=True) == 0
    assert reward(temporal_jigsaw={"strict": True}) == 0


def test_verl_finds_the_function():
    from verl.utils.import_utils import load_extern_object

    assert load_extern_object("pkg://reward_fns", "compute_score") is compute_score


def test_chance_follows_the_difficulty_of_the_row():
    def chance(difficulty):
        return compute_score("counting", "1,1,1", "3,1,4", {"difficulty": difficulty})["chance"]

    hard = {"max_frames": 4, "max_instances": 4, "num_frames": 48}
    assert chance(json.dumps(hard)) == chance(hard) != chance(None) == chance({})


@pytest.mark.parametrize("task", task_names())
def test_chance_without_knobs_is_that_of_the_tasks_defaults(task):
    reward, knobs = reward_of(task), asdict(get_task(task).Difficulty()) | {"num_frames": 48}
    assert reward.chance({}) == reward.chance(knobs)
    assert reward.exact_chance({}) == reward.exact_chance(knobs)


def test_rows_of_the_release_have_the_chance_that_they_were_drawn_with():
    """Its borders lie on any frame, ours on even ones."""
    released, ours = (compute_score(s, "1-2", "1.0-2.0")["chance"] for s in ("grounding", "videossr/anomaly_grounding"))
    assert (released, ours) == (pytest.approx(0.306, abs=5e-4), pytest.approx(0.300, abs=5e-4))


METRICS = [
    ("anomaly_grounding", "3-4", "2.0-4.0", 0.5),
    ("anomaly_grounding", "4-3", "2.0-4.0", 0),
    ("arrow_of_time", "1,2,6", "1,4,6", 1 / 3),  # both of the first pair
    ("masked_video_prediction", "ACFD", "CAFD", 11 / 12),  # all chosen, two of four off by one of three places
    ("object_counting", "3,2,4", "3,1,4", 2 / 3),
    ("temporal_jigsaw", "341526", "341562", 0),
    ("temporal_jigsaw", "341562", "341562", 1),
]


@pytest.mark.parametrize(("task", "answer", "truth", "value"), METRICS)
def test_the_published_metric(task, answer, truth, value):
    assert compute_metric(f"videossr/{task}", answer, truth) == (pytest.approx(value), True)
    assert compute_metric(f"videossr/{task}/hard", "no idea", truth) == (0, False)


def test_the_published_metric_does_not_know_a_runs_weights():
    extra = {"difficulty": {"num_distractors": 4, "order_weight": 1}}
    assert compute_metric("videossr/masked_video_prediction", "ACFD", "CAFD", extra)[0] == pytest.approx(11 / 12)


def test_rows_of_other_sources_have_no_published_metric(installed):
    for source in ("my_qa", "openai/gsm8k"):
        with pytest.raises(RegistryError, match=f"'{source}' is no pretext task's"):
            compute_metric(source, "B", "B")


@pytest.mark.parametrize("difficulty", ["", "easy", "[1]", 3])
def test_malformed_difficulty_raises(difficulty):
    with pytest.raises(ValueError, match="difficulty"):
        compute_score("counting", "1,1,1", "3,1,4", {"difficulty": difficulty})


@pytest.mark.parametrize("source", ROWS)
@pytest.mark.parametrize("truth", ["", "x", None, 341562])
def test_malformed_ground_truth_raises(source, truth):
    with pytest.raises(ValueError, match=f"ground truth of {ROWS[source][0]}"):
        compute_score(source, "341562", truth)


@given(st.text(st.characters(), max_size=40), st.sampled_from(sorted(ROWS)))
def test_never_raises_for_any_completion(text, source):
    asked = (source, text + "\ud800\x00", ROWS[source][1])
    result, (value, was_read) = compute_score(*asked), compute_metric(*asked)
    assert 0 <= result["score"] <= 1
    assert 0 <= value <= was_read == result["parsed"]


def test_an_unknown_task_of_ours_names_the_known_ones():
    with pytest.raises(ValueError, match=f"'nothing'.*known: {', '.join(task_names())}"):
        compute_score("videossr/nothing", "1", "1")


@pytest.fixture
def installed(my_qa, install):
    """Another package is installed: it scores rows of data source my_qa, and the task `theirs`."""
    install(my_qa)


OTHERS = dict.fromkeys(("parsed", "chance", "selection", "order", "placement", "turn"))


def test_a_task_of_another_package(installed):
    result = compute_score("videossr/theirs/hard", "B", "B", {"difficulty": '{"options": 5}'})
    assert result == OTHERS | {"score": 1, "acc": 1, "parsed": 1, "chance": 0.2, "task": "theirs"}
    assert compute_score("videossr/theirs/hard", "B", "B", {"difficulty": '{"options": 5}'}, strict=True) == result
    with pytest.raises(ValueError, match="must be a string"):
        compute_score("videossr/theirs", "B", ["B"])


@pytest.mark.parametrize("truth", ["B", ["B", "b"]])
@pytest.mark.parametrize("difficulty", [0.5, "hard", None])
def test_rows_of_ones_own_are_scored_by_another_package(installed, truth, difficulty):
    """A ground truth of any type, and the whole extra_info in place of our knobs."""
    extra_info = {"index": "q17", "difficulty": difficulty, "options": 2}
    result = compute_score("my_qa", "B", truth, extra_info)
    assert list(result) == KEYS
    assert result == OTHERS | {"score": 1, "acc": 1, "parsed": 1, "chance": 0.5, "task": "my_qa"}
    assert compute_score("my_qa", "A", truth)["score"] == 0


@pytest.mark.parametrize("scored", [0.25, {"score": 0.25, "acc": False, "note": "x"}])
def test_what_a_function_of_ones_own_found_has_the_keys_of_all_rows(scored):
    result = reward_fns.other_result("my_qa", scored)
    assert list(result) == KEYS
    assert result == OTHERS | {"score": 0.25, "acc": 0.25 if scored == 0.25 else 0, "task": "my_qa"}


def test_a_function_of_ones_own_may_know_the_chance():
    result = reward_fns.other_result("my_qa", {"score": 1, "chance": 0.5})
    assert result == OTHERS | {"score": 1, "acc": 1, "chance": 0.5, "task": "my_qa"}


@pytest.mark.parametrize(
    ("source", "text", "truth", "score", "acc"),
    [
        ("openai/gsm8k", "so it is #### 42", "42", 1, 1),
        ("openai/gsm8k", "so it is #### 41", "42", 0, 0),
        ("hiyouga/geometry3k", "<think>sum</think> \\boxed{42}", "42", 1, 1),
        ("hiyouga/geometry3k", "\\boxed{42}", "42", 0.9, 0.9),
        ("math_dapo", "Answer: 41", "42", -1, 0),  # verl gives a dict here
    ],
)
def test_other_sources_are_scored_by_verl(source, text, truth, score, acc):
    result = compute_score(source, text, truth, {"index": 0})
    assert list(result) == KEYS
    assert (result["score"], result["acc"]) == (pytest.approx(score), pytest.approx(acc))
    assert [result[key] for key in ("parsed", "chance", "task")] == [None, None, source]


def test_other_sources_get_the_same_arguments(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "verl.utils.reward_score.default_compute_score",
        lambda *args, **kwargs: seen.append((args, kwargs)) or 0.5,
    )
    compute_score("apps", "code", ["tests"], {"index": 3}, sandbox_fusion_url="http://sandbox", strict=True)
    assert seen == [(("apps", "code", ["tests"], {"index": 3}), {"sandbox_fusion_url": "http://sandbox"})]


def test_what_verl_calls_its_own_settings():
    """A name that verl adds must be known here, or its rows end in 'reward_kwargs has no ...'."""
    import inspect

    from verl.experimental.reward_loop.reward_manager import naive
    from verl.utils.reward_score import default_compute_score

    names = set(inspect.signature(default_compute_score).parameters)
    names -= {"data_source", "solution_str", "ground_truth", "extra_info", "kwargs"}
    sources = inspect.getsource(naive.NaiveRewardManager.run_single)
    names |= {name for name in inspect.signature(naive.NaiveRewardManager).parameters if f'"{name}"' in sources}
    assert len(names) == 5
    assert set(verls_settings(dict.fromkeys(names))) == names


def test_a_source_that_nobody_knows_raises_as_in_verl():
    with pytest.raises(NotImplementedError, match="somebody/else"):
        compute_score("somebody/else", "1", "1")


def mixed_batch():
    ours = [compute_score("videossr/object_counting", text, "3,1,4") for text in ("3,1,4", "?")]
    return [*ours, compute_score("openai/gsm8k", "#### 42", "42")]


def test_verl_carries_a_mixed_batch_to_the_trainer():
    from verl.utils.tensordict_utils import get_tensordict

    results = mixed_batch()
    columns = {key: np.array([result[key] for result in results]) for key in results[0]}
    carried = get_tensordict(columns)
    for key in KEYS:
        assert list(carried[key]) == [result[key] for result in results]
    assert json.loads(json.dumps(results, allow_nan=False)) == results


def test_verl_reports_a_mixed_validation_batch():
    from verl.trainer.ppo.metric_utils import process_validation_metrics

    results = mixed_batch()
    metrics = process_validation_metrics(
        ["counting", "counting", "gsm8k"],
        ["a", "a", "b"],
        {key: [result[key] for result in results] for key in KEYS},
    )
    assert set(metrics["counting"]) == {"score", "acc", "parsed", "chance"}
    assert set(metrics["gsm8k"]) == {"score", "acc"}
    assert metrics["counting"]["parsed"]["mean@2"] == 0.5
    assert all(np.isfinite(value) for names in metrics.values() for row in names.values() for value in row.values())


def test_scoring_our_rows_imports_no_heavy_package():
    code = (
        "import sys, reward_fns\n"
        "reward_fns.compute_score('grounding', '1-2', '1.0-2.0')\n"
        "print([name for name in ('torch', 'cv2', 'verl', 'numpy', 'av') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_function_in_the_recipes_is_right():
    """As users copy it: their rows and ours give the same keys, of the right values."""
    text = (Path(__file__).parents[2] / "recipes" / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    mine = {}
    exec(textwrap.dedent(code), mine)
    result = mine["compute_score"]("my_qa", " B.", "B")
    assert list(result) == KEYS
    assert (result["score"], mine["compute_score"]("my_qa", "A", "B")["score"]) == (1, 0)
    for source in ROWS:
        truth = ROWS[source][1]
        assert mine["compute_score"](source, truth, truth) == compute_score(source, truth, truth)


@pytest.mark.parametrize("value", [10**6, -1, 2.5, "3", True, None, [3], float("nan")])
@pytest.mark.parametrize(
    ("task", "truth", "knob"),
    [
        ("anomaly_grounding", "2.6-4.3", "num_frames"),
        ("object_counting", "1,2,2", "max_frames"),
        ("object_counting", "1,2,2", "max_instances"),
        ("spatial_jigsaw", "416235", "rows"),
        ("motion_primitives", "213", "num_cups"),
        ("temporal_jigsaw", "416235", "num_clips"),
        ("arrow_of_time", "1,4,6", "num_pairs"),
        ("masked_video_prediction", "HAFD", "num_distractors"),
    ],
)
def test_a_knob_that_counts_is_a_number_within_bounds(task, truth, knob, value):
    with pytest.raises(ValueError, match=f"{knob} must be a whole number from . to"):
        compute_score(f"videossr/{task}", "x", truth, {"difficulty": json.dumps({knob: value})})


def test_a_difficulty_without_end_is_no_object():
    with pytest.raises(ValueError, match="must be a JSON object"):
        compute_score("videossr/object_counting", "x", "1,2,2", {"difficulty": '{"a":' * 100_000})
