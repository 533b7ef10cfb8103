"""PretextDataset in verl's own hands: real parquet, real processor, real videos."""

import asyncio
import io
import json
import shutil

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from verl.experimental.agent_loop import get_trajectory_info
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn, get_dataset_class
from verl.utils.tensordict_utils import get_tensordict
from verl.utils.tokenizer import build_multimodal_processor_inputs, hf_processor, hf_tokenizer

from data_preprocess.build import BuildSettings, build
from videossr_verl.errors import BadInput
from videossr_verl.patches.survival.fingerprint import read_fingerprint, write_fingerprint
from videossr_verl.prompt.render import render
from videossr_verl.prompt.tokens import PromptTokenCounter
from videossr_verl.train.dataset import PretextDataset, frame_cache
from videossr_verl.video.rejected import VideoRejected


@pytest.fixture(scope="module")
def open_dataset(tiny_model, corpus_folder):
    processor, tokenizer = hf_processor(str(tiny_model)), hf_tokenizer(str(tiny_model))

    def make(*files, processor=processor, **changes):
        config = {
            "data_root": str(corpus_folder),
            "max_prompt_length": 256,
            "filter_overlong_prompts": False,
            "image_patch_size": None,
            "custom_cls": {"path": "pkg://videossr_verl.train.dataset", "name": "PretextDataset"},
            **changes,
        }
        config = OmegaConf.create(config)
        return get_dataset_class(config)([str(f) for f in files], tokenizer, config, processor)

    return make


def test_verl_finds_the_class_and_gives_messages(open_dataset, dataset_folder):
    dataset = open_dataset(dataset_folder / "train.parquet")
    assert len(dataset) == 24
    row = dataset[0]
    assert row["data_source"].startswith("videossr/")
    kinds = [part["type"] for part in row["raw_prompt"][1]["content"]]
    assert "video" in kinds
    assert "text" in kinds


def test_the_counted_length_is_the_processors(open_dataset, dataset_folder):
    dataset = open_dataset(dataset_folder / "train.parquet")
    lengths = dataset._prompt_lengths(dataset.dataframe)
    seen = set()
    for i, length in enumerate(lengths[:12]):
        messages = dataset[i]["raw_prompt"]
        images, videos, audios = asyncio.run(PretextDataset.process_multi_modal_info(messages, 14, dataset.config))
        assert (images, audios) == (None, None)
        assert all(frames.dtype == torch.uint8 for frames, _ in videos)
        text = dataset.processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        inputs = build_multimodal_processor_inputs(dataset.processor, text=[text], videos=videos)
        assert inputs["input_ids"].shape[1] == length
        seen.add(len(videos))
    assert seen == {1, 3, 5}


def test_too_long_prompts_are_refused_or_left_out(open_dataset, dataset_folder):
    dataset = open_dataset(dataset_folder / "train.parquet")
    lengths = sorted(dataset._prompt_lengths(dataset.dataframe))
    limit = lengths[12]
    with pytest.raises(BadInput, match=rf"prompts are longer than data.max_prompt_length={limit} \(longest"):
        open_dataset(dataset_folder / "train.parquet", max_prompt_length=limit)
    kept = open_dataset(dataset_folder / "train.parquet", max_prompt_length=limit, filter_overlong_prompts=True)
    assert len(kept) == sum(length <= limit for length in lengths)
    with pytest.raises(BadInput, match="24 of 24 prompts"):
        open_dataset(dataset_folder / "train.parquet", max_prompt_length=5, filter_overlong_prompts=True)


def test_a_file_without_rows_is_told(open_dataset, dataset_folder, tmp_path):
    """verl's own check is an assertion, after it has loaded the model."""
    pq.write_table(pq.read_table(dataset_folder / "test.parquet")[:0], tmp_path / "empty.parquet")
    with pytest.raises(
        BadInput, match=r"empty.parquet holds no rows: .*trainer.val_before_train=False trainer.test_freq=-1"
    ):
        open_dataset(tmp_path / "empty.parquet")
    assert len(open_dataset(tmp_path / "empty.parquet", dataset_folder / "test.parquet")) == 6


def test_a_stored_length_is_not_used_for_an_edited_row(open_dataset, corpus_folder, tiny_model, tmp_path):
    """The build's count holds for the prompt as it was; editing the file is how users change prompts."""
    settings = {"models": (str(tiny_model),), "count": 4, "test_count": 0}
    build(BuildSettings((str(corpus_folder),), str(tmp_path / "data"), "videossr_tiny", **settings))
    rows = pq.read_table(tmp_path / "data" / "train.parquet").to_pylist()
    dataset = open_dataset(tmp_path / "data" / "train.parquet")
    counter = PromptTokenCounter(dataset.processor)
    true = [counter.count(row["prompt"], row["videos"]) for row in rows]
    assert dataset._prompt_lengths(dataset.dataframe) == true
    # Only what was stored is read: another number there is believed.
    rows[0]["extra_info"]["num_prompt_tokens"] = json.dumps({counter.row_key(rows[0]["prompt"], rows[0]["videos"]): 7})
    rows[1]["prompt"][1]["content"] += " Think about every frame first." * 60
    for video in rows[2]["videos"]:
        video["times"], video["clock"] = video["times"] * 2, video["clock"] + [t + 60 for t in video["clock"]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "edited.parquet")
    with pytest.raises(BadInput, match=r"1 of 4 prompts are longer than data.max_prompt_length=256 \(longest"):
        open_dataset(tmp_path / "edited.parquet")
    edited = open_dataset(tmp_path / "edited.parquet", max_prompt_length=4096)
    lengths = edited._prompt_lengths(edited.dataframe)
    assert [lengths[0], lengths[3]] == [7, true[3]]
    assert lengths[1] == counter.count(rows[1]["prompt"], rows[1]["videos"]) > 256
    assert lengths[2] == counter.count(rows[2]["prompt"], rows[2]["videos"]) > true[2]


def test_a_deleted_video_is_named_before_training(open_dataset, dataset_folder, corpus_folder, tmp_path):
    shutil.copytree(corpus_folder, tmp_path / "moved")
    used = pq.read_table(dataset_folder / "train.parquet")["videos"][0][0]["video"].as_py()
    (tmp_path / "moved" / used).unlink()
    with pytest.raises(BadInput, match=f"1 of . videos are missing.*'{used}'"):
        open_dataset(dataset_folder / "train.parquet", data_root=str(tmp_path / "moved"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"data_root": None}, "data.data_root is not set"),
        ({"data_root": "/no/such/folder"}, "is not a folder on node"),
        ({"processor": None}, "has no processor"),
        ({"parity": "maybe"}, "data.parity=maybe is none of stop, warn, off"),
        ({"frame_cache": {"folder": "/proc/frames", "max_gb": 1}}, "data.frame_cache.folder='/proc/frames' cannot be"),
        ({"group_deadline": 0}, "data.group_deadline is 0, must be a number of seconds above 0"),
        ({"verify": "always"}, "data.verify is 'always', must be one of off, sampled, content$"),
        ({"frame_cache": {"folder": "frames", "max_gb": 0}}, "data.frame_cache.max_gb=0 must be above 0"),
    ],
)
def test_wrong_settings_are_one_sentence(open_dataset, dataset_folder, changes, sentence):
    with pytest.raises(BadInput, match=sentence) as error:
        open_dataset(dataset_folder / "train.parquet", **changes)
    assert "\n" not in str(error.value)


def test_unreadable_files_are_named(open_dataset, tmp_path):
    (tmp_path / "broken.parquet").write_bytes(b"not parquet")
    with pytest.raises(BadInput, match=r"cannot read data file .*broken\.parquet"):
        open_dataset(tmp_path / "broken.parquet")
    with pytest.raises(BadInput, match="does not exist"):
        open_dataset(tmp_path / "nothing.parquet")


def test_rows_of_another_data_set_go_through_verls_own_code(open_dataset, dataset_folder, kinds, tmp_path):
    video = {"video": str(kinds["b_frames.mp4"]), "nframes": 4, "max_pixels": 56 * 56, "min_pixels": 28 * 28}
    others = [
        {
            "data_source": "my/video_qa",
            "prompt": [{"role": "user", "content": "<video>What number?"}],
            "videos": [video],
            "reward_model": {"style": "rule", "ground_truth": "7"},
        },
        {
            "data_source": "openai/gsm8k",
            "prompt": [{"role": "user", "content": "1 + 1?"}],
            "videos": [],
            "reward_model": {"style": "rule", "ground_truth": "2"},
        },
    ]
    datasets.Dataset.from_list(others).to_parquet(tmp_path / "others.parquet")
    dataset = open_dataset(dataset_folder / "train.parquet", tmp_path / "others.parquet")
    sources = dataset.dataframe["data_source"]
    foreign, text = dataset[sources.index("my/video_qa")], dataset[sources.index("openai/gsm8k")]
    _, videos, _ = asyncio.run(PretextDataset.process_multi_modal_info(foreign["raw_prompt"], 14, dataset.config))
    assert videos[0][0].shape[0] == 4
    assert videos[0][0].dtype == torch.uint8  # as ours: vLLM takes no batch of both
    stock, *_ = RLHFDataset._process_multi_modal_info(foreign["raw_prompt"], 14, dataset.config)[1]
    assert torch.equal(stock[0], videos[0][0].to(stock[0].dtype))
    assert asyncio.run(PretextDataset.process_multi_modal_info(text["raw_prompt"], 14, dataset.config)) == (
        None,
        None,
        None,
    )


@pytest.fixture
def other_rows(kinds):
    """Rows of other data sets: a video of 4 frames, a short text and a long one."""
    video = {"video": str(kinds["b_frames.mp4"]), "nframes": 4, "max_pixels": 56 * 56, "min_pixels": 28 * 28}
    contents = {"my/video_qa": "<video>What number?", "openai/gsm8k": "1 + 1?", "my/essays": "So it was. " * 200}
    return [
        {
            "data_source": source,
            "prompt": [{"role": "user", "content": content}],
            "videos": [video] if "<video>" in content else [],
            "reward_model": {"style": "rule", "ground_truth": "7"},
            "extra_info": {"index": source},
        }
        for source, content in contents.items()
    ]


def write_lines(rows, file):
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_a_batch_of_rows_with_other_types_goes_through_verl(open_dataset, dataset_folder, other_rows, tmp_path):
    """From the loader to one prompt of a rollout worker, each with its own truth and index."""
    other_rows[1]["reward_model"]["ground_truth"] = ["2", "two"]
    other_rows[1]["extra_info"] |= {"difficulty": 0.5}
    dataset = open_dataset(dataset_folder / "train.parquet", write_lines(other_rows[:2], tmp_path / "others.jsonl"))
    ours = pq.read_table(dataset_folder / "train.parquet").to_pylist()[0]
    batch = get_tensordict(collate_fn([dataset[0], dataset[24], dataset[25]]))
    truths = [truth["ground_truth"] for truth in batch["reward_model"]]
    assert truths == [ours["reward_model"]["ground_truth"], "7", ["2", "two"]]
    assert list(batch["index"]) == [0, "my/video_qa", "openai/gsm8k"]
    assert batch["extra_info"][0] == ours["extra_info"]
    assert batch["extra_info"][2] == {"index": "openai/gsm8k", "difficulty": 0.5}
    assert asyncio.run(get_trajectory_info(1, batch["index"], False))[1]["sample_index"] == "my/video_qa"


def test_long_prompts_of_other_data_sets_are_counted_too(open_dataset, dataset_folder, other_rows, tmp_path, caplog):
    files = dataset_folder / "train.parquet", write_lines(other_rows, tmp_path / "others.jsonl")
    with pytest.raises(BadInput, match=r"1 of 27 prompts are longer .* tokens; \{'my/essays': 1\}\): raise"):
        open_dataset(*files)
    dataset = open_dataset(*files, filter_overlong_prompts=True)
    assert len(dataset) == 26
    assert "1 of 27 prompts are longer than data.max_prompt_length=256" in caplog.text
    row = dataset[24]["raw_prompt"]
    _, videos, _ = asyncio.run(PretextDataset.process_multi_modal_info(row, 14, dataset.config))
    text = dataset.processor.apply_chat_template(row, add_generation_prompt=True, tokenize=False)
    inputs = build_multimodal_processor_inputs(dataset.processor, text=[text], videos=videos)
    limit = inputs["input_ids"].shape[1]
    others = write_lines(other_rows[:2], tmp_path / "others.jsonl")
    assert len(open_dataset(others, max_prompt_length=limit)) == 2
    with pytest.raises(BadInput, match=rf"1 of 2 prompts .*longest {limit} tokens; \{{'my/video_qa': 1\}}"):
        open_dataset(others, max_prompt_length=limit - 1)


def test_a_prompt_of_another_data_set_that_cannot_be_made_is_named(open_dataset, other_rows, tmp_path, caplog):
    other_rows[0]["videos"] = [{"video": str(tmp_path / "gone.mp4")}]
    others = write_lines(other_rows[:2], tmp_path / "others.jsonl")
    sentence = r"1 of 2 prompts of other data sets cannot be made, first row 0 of '.*others.jsonl': \w+: "
    with pytest.raises(BadInput, match=sentence) as error:
        open_dataset(others)
    assert "\n" not in str(error.value)
    assert len(open_dataset(others, max_lost_share=0.5)) == 2
    assert "their groups will be lost" in caplog.text


MEDIA = {
    "a token of an image": (
        "What is <|image_pad|>?",
        [],
        "has 1 times the token <|image_pad|> in its prompt for 0 images",
    ),
    "a token beside the video's": (
        "<video><|video_pad|>",
        ["videos"],
        "2 times the token <|video_pad|> in its prompt for 1",
    ),
    "a video too many": ("<video><video>", ["videos"], "has a prompt that cannot be loaded (AssertionError"),
    "a video without a place": ("What?", ["videos"], "has a prompt that cannot be loaded (AssertionError"),
}


@pytest.mark.parametrize("case", MEDIA)
def test_media_of_another_data_set_that_would_hang_or_end_the_run_are_told(open_dataset, other_rows, tmp_path, case):
    """Not one group is lost but the run, so `max_lost_share` does not allow them."""
    content, kept, sentence = MEDIA[case]
    row = other_rows[0] | {"prompt": [{"role": "user", "content": content}]}
    row["videos"] = row["videos"] if kept else []
    others = write_lines([other_rows[1], row], tmp_path / "others.jsonl")
    with pytest.raises(BadInput, match=r"^row 1 of '.*others.jsonl' of another data set has ") as error:
        open_dataset(others, max_lost_share=1)
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", ["validate", "__rollout_n__", "session_id"])
def test_columns_that_verl_keeps_for_itself_are_refused(open_dataset, other_rows, tmp_path, name):
    others = write_lines([other_rows[1] | {name: 10**6}], tmp_path / "others.jsonl")
    with pytest.raises(BadInput, match=rf"others.jsonl' has a column '{name}', which verl keeps for itself"):
        open_dataset(others)


@pytest.mark.parametrize("what", ["deleted", "another", "unreadable"])
def test_the_fingerprint_is_of_what_was_loaded(open_dataset, dataset_folder, tmp_path, what):
    file = tmp_path / "train.parquet"
    shutil.copy(dataset_folder / "train.parquet", file)
    dataset = open_dataset(file)
    before = dataset.fingerprint()
    file.unlink()
    if what != "deleted":
        file.write_bytes(b"PAR1" if what == "unreadable" else (dataset_folder / "test.parquet").read_bytes())
    write_fingerprint(dataset, tmp_path)
    assert read_fingerprint(tmp_path) == before == open_dataset(dataset_folder / "train.parquet").fingerprint()
    assert before != open_dataset(dataset_folder / "test.parquet").fingerprint()


@pytest.fixture(scope="module")
def with_images(corpus_folder, tmp_path_factory):
    """Masked video prediction with its candidates as images."""
    folder = tmp_path_factory.mktemp("images")
    (folder / "preset.yaml").write_text(
        "clip: {min_pixels: 784, max_pixels: 3136}\ntasks:\n  masked_video_prediction:\n    clip: {fps: 4}\n"
        "    difficulty: {num_key_frames: 6, num_masked: 2, num_distractors: 2, candidates: image}\n"
    )
    build(BuildSettings((str(corpus_folder),), str(folder / "out"), str(folder / "preset.yaml"), count=4, test_count=0))
    return folder / "out" / "train.parquet"


def test_images_beside_videos(open_dataset, dataset_folder, with_images, tmp_path, caplog):
    """Also in one data set with rows that have none, and with another data set's images, stored as bytes."""
    picture = io.BytesIO()
    Image.new("RGB", (56, 56), "red").save(picture, "png")
    other = {
        "data_source": "my/pictures",
        "prompt": [{"role": "user", "content": "<image>What colour?"}],
        "images": [{"bytes": picture.getvalue(), "path": None}],
        "reward_model": {"style": "rule", "ground_truth": "red"},
    }
    datasets.Dataset.from_list([other]).to_parquet(tmp_path / "other.parquet")
    dataset = open_dataset(dataset_folder / "train.parquet", with_images, tmp_path / "other.parquet")
    assert "4 of 29 rows hold images beside videos" in caplog.text
    caplog.clear()
    open_dataset(with_images)
    assert "images beside videos" not in caplog.text
    seen = {}
    for i in range(len(dataset)):
        row = dataset[i]
        images, videos, _ = asyncio.run(PretextDataset.process_multi_modal_info(row["raw_prompt"], 14, dataset.config))
        seen.setdefault(row["data_source"], set()).add((len(images or []), len(videos or [])))
    assert seen["my/pictures"] == {(1, 0)}
    assert seen["videossr/masked_video_prediction"] == {(0, 5), (4, 2)}
    assert seen["videossr/anomaly_grounding"] == {(0, 1)}


def test_rollouts_that_ask_together_decode_once(open_dataset, dataset_folder, monkeypatch):
    dataset = open_dataset(dataset_folder / "train.parquet")
    calls = []

    def counted(*args):
        calls.append(args)
        return render(*args)

    monkeypatch.setattr("videossr_verl.train.dataset.render", counted)

    async def ask():
        rows = [dataset[i]["raw_prompt"] for i in (0, 1) for _ in range(8)]
        return await asyncio.gather(*(PretextDataset.process_multi_modal_info(r, 14, dataset.config) for r in rows))

    answers = asyncio.run(ask())
    assert len(calls) == 2
    assert len({id(videos) for _, videos, _ in answers}) == 2


@pytest.mark.parametrize("cached", [False, True])
def test_a_replaced_video_is_noticed_where_content_is_verified(
    open_dataset, dataset_folder, corpus_folder, tmp_path, cached
):
    root = tmp_path / "corpus"
    shutil.copytree(corpus_folder, root)
    cache = {"frame_cache": {"folder": str(tmp_path / "frames"), "max_gb": 1}} if cached else {}
    plain, verified = (
        open_dataset(dataset_folder / "train.parquet", data_root=str(root), verify=mode, **cache)
        for mode in ("off", "content")
    )

    def show(dataset, i):
        return PretextDataset._process_multi_modal_info(dataset[i]["raw_prompt"], 14, dataset.config)[1]

    for (ours, _), (theirs, _) in zip(show(plain, 0), show(verified, 0), strict=True):
        assert torch.equal(ours, theirs)
    shown = plain.dataframe[0]["videos"][0]["video"]
    other = next(path for path in sorted(root.glob("generated_*.mp4")) if path.name != shown)
    shutil.copy(other, root / shown)
    show(plain, 0)
    with pytest.raises(VideoRejected, match=f"{shown} is another video than the one that its rows were drawn from"):
        show(verified, 0)
    borrowers = [i for i, row in enumerate(plain.dataframe) if shown in row["videos"][0]["transform"]]
    for i in borrowers:
        with pytest.raises(VideoRejected, match=f"{shown} is another video"):
            show(verified, i)


def test_a_frame_cache_changes_no_byte(open_dataset, dataset_folder, tmp_path):
    plain = open_dataset(dataset_folder / "train.parquet")
    cached = open_dataset(dataset_folder / "train.parquet", frame_cache={"folder": str(tmp_path / "f"), "max_gb": 1})
    for _ in range(2):
        for i in range(6):
            messages = plain[i]["raw_prompt"]
            wanted, got = (
                PretextDataset._process_multi_modal_info(messages, 14, dataset.config)[1] for dataset in (plain, cached)
            )
            for (frames, metadata), (their_frames, their_metadata) in zip(got, wanted, strict=True):
                assert torch.equal(frames, their_frames)
                assert metadata == their_metadata
    counts = frame_cache(cached.config).counts
    assert counts["hit"] > counts["miss"] > 0
