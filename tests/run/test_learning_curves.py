"""The report reads verl's metrics and states figures, never guesses them."""

import json

import pytest

from videossr_verl.errors import BadInput
from videossr_verl.run import learning_curves


def write_metrics(run, *files):
    (run / "metrics").mkdir()
    for i, records in enumerate(files):
        text = "".join(json.dumps({"step": step, "data": data}) + "\n" for step, data in records)
        (run / "metrics" / f"{i}.jsonl").write_text(text)


def figures(task, score, acc, blind):
    prefix = f"videossr/{task}"
    return {
        f"val-aux/{prefix}/score/mean@1": score,
        f"val-core/{prefix}/acc/mean@1": acc,
        f"val-aux/{prefix}/chance/mean@1": 0.4,
        f"val-aux/{prefix}/blind/score/mean@1": blind,
        f"val-core/{prefix}/blind/acc/mean@1": 0.1,
        f"val-aux/{prefix}/blind/chance/mean@1": 0.4,
        "critic/score/mean": 0.3,
    }


def test_curves_and_means(tmp_path):
    write_metrics(
        tmp_path,
        [
            (0, figures("object_counting", 0.5, 0.2, 0.45) | figures("temporal_jigsaw", 0.4, 0.1, 0.4)),
            (1, {"critic/score/mean": 0.2}),
            (2, figures("object_counting", 0.9, 0.7, 0.5) | figures("temporal_jigsaw", 0.6, 0.3, 0.4)),
        ],
    )
    curves = learning_curves.read_curves(tmp_path)
    assert curves["object_counting"] == learning_curves.TaskCurves([0, 2], [0.5, 0.9], [0.2, 0.7], 0.4, [0.45, 0.5])
    assert learning_curves.mean_figures(curves, -1) == pytest.approx(
        {"score": 0.75, "blind": 0.45, "lead": 0.3, "chance": 0.4}
    )
    text = learning_curves.summary(curves)
    assert "0.500 -> 0.900" in text
    assert "+0.025 -> +0.300" in text


def test_rows_of_another_data_set_have_curves_of_their_own(tmp_path):
    both = figures("t", 0.5, 0.2, 0.4)
    both |= {name.replace("videossr/t", "my/qa"): value / 2 for name, value in figures("t", 0.5, 0.2, 0.4).items()}
    write_metrics(tmp_path, [(0, both)])
    assert learning_curves.read_curves(tmp_path, "my") == {
        "qa": learning_curves.TaskCurves([0], [0.25], [0.1], 0.2, [0.2])
    }
    assert list(learning_curves.read_curves(tmp_path)) == ["t"]
    with pytest.raises(BadInput, match="no validation of rows of 'm': set"):
        learning_curves.read_curves(tmp_path, "m")


def test_parts_of_a_reward_stand_below_it(tmp_path):
    def both(selection, order):
        prefix = "val-aux/videossr/masked_video_prediction"
        parts = {f"{prefix}/selection/mean@1": selection, f"{prefix}/order/mean@1": order}
        return figures("masked_video_prediction", 0.5, 0.2, 0.45) | figures("temporal_jigsaw", 0.4, 0.1, 0.4) | parts

    write_metrics(tmp_path, [(0, both(0.6, 0.3)), (2, both(0.7, 0.35))])
    curves = learning_curves.read_curves(tmp_path)
    assert curves["masked_video_prediction"].parts == {"selection": [0.6, 0.7], "order": [0.3, 0.35]}
    assert curves["temporal_jigsaw"].parts == {}
    lines = learning_curves.summary(curves).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("masked_video_prediction "))
    assert [line.split() for line in lines[at + 1 : at + 3]] == [
        ["selection", "0.600", "->", "0.700"],
        ["order", "0.300", "->", "0.350"],
    ]


def test_a_resumed_run_has_its_steps_once_and_a_cut_line_is_left_out(tmp_path):
    write_metrics(
        tmp_path,
        [(0, figures("t", 0.1, 0, 0.1)), (20, figures("t", 0.2, 0, 0.1))],
        [(20, figures("t", 0.3, 0, 0.1)), (40, figures("t", 0.4, 0, 0.1))],
    )
    with (tmp_path / "metrics" / "1.jsonl").open("a") as file:
        file.write('{"step": 60, "da')
    curve = learning_curves.read_curves(tmp_path)["t"]
    assert (curve.steps, curve.score) == ([0, 20, 40], [0.1, 0.3, 0.4])


def test_picture(tmp_path):
    write_metrics(tmp_path, [(0, figures("t", 0.1, 0, 0.1)), (20, figures("t", 0.2, 0, 0.1))])
    learning_curves.draw_curves([learning_curves.read_curves(tmp_path)], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("records", [[], [(1, {"critic/score/mean": 0.2})]])
def test_a_run_without_our_validation_is_told(tmp_path, records):
    write_metrics(tmp_path, records)
    with pytest.raises(BadInput, match=r"metrics|validation"):
        learning_curves.read_curves(tmp_path)


def test_seeds_are_compared_at_the_last_step_they_share(tmp_path):
    runs = [tmp_path / str(seed) for seed in range(3)]
    for run, last in zip(runs, (0.5, 0.6, 0.7), strict=True):
        run.mkdir()
        write_metrics(run, [(0, figures("t", 0.4, 0, 0.3)), (9, figures("t", last, 0, 0.3))])
    with (runs[0] / "metrics" / "0.jsonl").open("a") as file:
        file.write(json.dumps({"step": 18, "data": figures("t", 1, 1, 0)}) + "\n")
    table = learning_curves.compare_seeds(runs, tmp_path / "seeds.png")
    assert "after 9 steps" in table
    assert "| reward, t | 0.400 | 0.500, 0.600, 0.700 | +0.200 | 0.200 | 1.0 |" in table
    assert "| lead, t | 0.100 | 0.200, 0.300, 0.400 | +0.200 | 0.200 | 1.0 |" in table
    assert "| **held-out mean reward** | 0.400 | 0.500, 0.600, 0.700 | +0.200 | 0.200 | 1.0 |" in table
    assert "| **lead over the blind control** | 0.100 | 0.200, 0.300, 0.400 | +0.200 | 0.200 | 1.0 |" in table
    assert (tmp_path / "seeds.png").read_bytes().startswith(b"\x89PNG")


def test_runs_that_cannot_be_compared_are_told(tmp_path):
    runs = [tmp_path / "a", tmp_path / "b"]
    for run, step in zip(runs, (5, 7), strict=True):
        run.mkdir()
        write_metrics(run, [(0, figures("t", 0.4, 0, 0.3)), (step, figures("t", 0.5, 0, 0.3))])
    with pytest.raises(BadInput, match="fewer than two validated steps"):
        learning_curves.compare_seeds(runs)
