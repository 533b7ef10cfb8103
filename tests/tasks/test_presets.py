import pytest

from videossr_verl.errors import BadInput
from videossr_verl.tasks import get_task
from videossr_verl.tasks.presets import load_preset, parse_mix, preset_names, with_embedding, with_mix


def test_the_papers_preset():
    preset = load_preset("videossr")
    assert (preset.clip.num_frames, preset.clip.min_pixels, preset.clip.max_pixels) == (48, 128**2, 256**2)
    assert preset.weights == {"anomaly_grounding": 2, "object_counting": 1, "temporal_jigsaw": 2}
    assert all(preset.subsets[t].difficulty == get_task(t).PRESETS["videossr"] for t in preset.weights)


@pytest.mark.parametrize("name", preset_names())
def test_shipped_presets_load(name):
    assert load_preset(name).weights


def test_a_task_may_have_clips_of_its_own(tmp_path):
    """The module's own settings go before the preset's, and those under the task before both."""
    path = tmp_path / "mine.yaml"
    path.write_text(
        "clip: {num_frames: 32, max_pixels: 50000}\n"
        "tasks: {object_counting: {clip: {num_frames: 16}}, temporal_jigsaw: , "
        "masked_video_prediction: {clip: {fps: 2}}}"
    )
    clips = {name: subset.clip for name, subset in load_preset(str(path)).subsets.items()}
    assert (clips["object_counting"].num_frames, clips["temporal_jigsaw"].num_frames) == (16, 32)
    mvp = clips["masked_video_prediction"]
    assert (mvp.fps, mvp.num_frames, mvp.margin, mvp.max_pixels) == (2, 256, 0, 50000)


def test_a_task_that_joins_by_the_mix_brings_its_clips():
    preset = with_mix(load_preset("videossr"), {"masked_video_prediction": 1, "object_counting": 1})
    assert preset.subsets["masked_video_prediction"].clip.fps == (1, 8)
    assert preset.subsets["object_counting"].clip == load_preset("videossr").clip


def test_another_embedding():
    preset = with_embedding(load_preset("videossr_mvp"), "built_in")
    assert preset.subsets["masked_video_prediction"].difficulty.embedding == "built_in"
    with pytest.raises(BadInput, match="--embedding is of no use: no task of preset 'videossr' compares frames"):
        with_embedding(load_preset("videossr"), "built_in")


def test_own_file_changes_single_knobs(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "clip: {num_frames: 32}\n"
        "tasks:\n"
        "  temporal_jigsaw: {preset: hard, difficulty: {margin: 0.2}}\n"
        "  anomaly_grounding: {weight: 3, difficulty: {perturbations: [blur]}}\n"
    )
    preset = load_preset(str(path))
    assert preset.name == "mine"
    assert preset.clip.num_frames == 32
    jigsaw = preset.subsets["temporal_jigsaw"].difficulty
    assert (jigsaw.num_clips, jigsaw.margin) == (8, 0.2)
    assert preset.subsets["anomaly_grounding"].difficulty.perturbations == ("blur",)
    assert preset.weights == {"temporal_jigsaw": 1, "anomaly_grounding": 3}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clip: {frames: 3}\ntasks: {object_counting: {}}", "clip: unknown knob 'frames'"),
        ("clip: {num_frames: 3}\ntasks: {object_counting: {}}", "num_frames must be even"),
        ("tasks: {nonsense: {}}", "unknown task 'nonsense'"),
        ("tasks: {object_counting: {difficulty: {knob: 1}}}", "unknown knob 'knob'; known knobs: max_frames"),
        ("tasks: {object_counting: {difficulty: {max_frames: many}}}", "object_counting', difficulty: "),
        ("tasks: {object_counting: {preset: nonsense}}", "unknown preset 'nonsense'"),
        ("tasks: {object_counting: {weight: -1}}", "weight is -1"),
        ("tasks: [object_counting]", "must be a mapping"),
        ("clip: {}", "names no task"),
        ("tasks: {object_counting: {clip: {fps: 0}}}", "task 'object_counting', clip: fps must be above 0"),
        ("tasks: {masked_video_prediction: {clip: {rate: 1}}}", "clip: unknown knob 'rate'; known knobs: decoder, fps"),
        ("tasks: {masked_video_prediction: {difficulty: {num_masked: 3}}}", "num_masked must be even"),
        ("tasks: {", "not readable YAML"),
    ],
)
def test_wrong_files(tmp_path, text, sentence):
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(BadInput, match=sentence):
        load_preset(str(tmp_path / "wrong.yaml"))


def test_unknown_names(tmp_path):
    with pytest.raises(
        BadInput,
        match=r"unknown preset 'nonsense'; known presets: levels, (\w+, )*mvp, mvp_easy, mvp_hard, ",
    ):
        load_preset("nonsense")
    with pytest.raises(BadInput, match="does not exist"):
        load_preset(str(tmp_path / "nowhere.yaml"))


def test_mix():
    assert parse_mix("anomaly_grounding=2, object_counting=0,temporal_jigsaw=0.5") == {
        "anomaly_grounding": 2,
        "temporal_jigsaw": 0.5,
    }
    only = with_mix(load_preset("videossr"), {"temporal_jigsaw": 1})
    assert set(only.subsets) == {"temporal_jigsaw"}


@pytest.mark.parametrize(
    "text",
    [
        "nonsense=1",
        "object_counting",
        "object_counting=-1",
        "object_counting=nan",
        "object_counting=0",
        "object_counting=1,object_counting=2",
        "",
    ],
)
def test_wrong_mix(text):
    with pytest.raises(BadInput, match="--mix"):
        parse_mix(text)


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"b{i}: &b{i} [{','.join(['*b' + str(i - 1) if i else '*a'] * 9)}]\n" for i in range(9)
)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 20_000, "nested too deeply"),
        ("#" * 300_000, "more than 200000 bytes"),
        (LAUGHS, "more than 10000 values"),
        ("", "names no task"),
        ("tasks: {anomaly_grounding: {preset: [a]}}", "unknown preset"),
        ("tasks: {anomaly_grounding: {task: [a]}}", "a task is a name, not list"),
        ("tasks: {1: {}}", "the name becomes a part of"),
    ],
)
def test_a_file_that_is_no_preset_is_one_sentence(tmp_path, text, sentence):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(BadInput) as error:
        load_preset(str(file))
    assert sentence in str(error.value)
    assert len(str(error.value)) < 600
