"""What the run's reward cannot score is refused when the rows have been read, with source, file and remedy."""

import json

import pytest

from videossr_verl.errors import BadInput
from videossr_verl.preflight.memory.run_settings import compose_config
from videossr_verl.rows.mixed_rows import read_files
from videossr_verl.train.unscored_rows import check_sources


def row(source, truth, **extra_info):
    return {"data_source": source, "reward_model": {"ground_truth": truth}, "extra_info": extra_info}


@pytest.fixture
def rows_of(tmp_path):
    """(rows) -> them as read from others.jsonl."""

    def read(*rows):
        (tmp_path / "others.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_files([str(tmp_path / "others.jsonl")])

    return read


@pytest.fixture(scope="module")
def config():
    """(override) -> the run's."""
    return lambda *overrides: compose_config("videossr_grpo_cpu", overrides)


KNOWN = (row("openai/gsm8k", "42"), row("searchR1_nq", {"target": ["x"]}), row("grounding", "1.0-2.0"))


def test_sources_that_nobody_scores_are_named_with_file_and_remedy(rows_of, config):
    rows = rows_of(*KNOWN, row("my_qa", "B"), row("my_qa", "C"), row(None, "D"))
    with pytest.raises(BadInput) as error:
        check_sources(rows, config())
    said = str(error.value)
    assert "nobody scores data_source 'my_qa' (2 rows, first row 3 of '" in said
    assert "others.jsonl'), None (1 rows, first row 5 of '" in said
    assert "entry point group videossr_verl.rewards" in said
    assert "reward.custom_reward_function" in said
    assert "\n" not in said


def test_sources_that_verl_knows_pass(rows_of, config):
    check_sources(rows_of(*KNOWN), config())
    check_sources(rows_of(*KNOWN[:2]), config("reward.custom_reward_function.path=null"))


@pytest.fixture
def installed(my_qa, install):
    """Another package is installed, which scores rows of my_qa."""
    install(my_qa)


def test_sources_that_another_package_scores_pass(rows_of, config, installed):
    check_sources(rows_of(row("my_qa", "B"), row("my_qa", ["B", "b"])), config())


def test_a_reward_that_fails_is_told_with_its_cause(rows_of, config, installed):
    with pytest.raises(BadInput, match=r"'my_qa' fails on row 1 of '.*others.jsonl': TypeError: .*; mend the reward"):
        check_sources(rows_of(KNOWN[0], row("my_qa", 7)), config())


def test_a_function_of_ones_own_is_not_asked(rows_of, config, tmp_path):
    (tmp_path / "mine.py").write_text("def compute_score(**row): raise RuntimeError\n")
    check_sources(rows_of(row("my_qa", "B")), config(f"reward.custom_reward_function.path={tmp_path}/mine.py"))
