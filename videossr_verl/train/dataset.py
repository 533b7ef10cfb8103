"""verl's dataset class for pretext rows. It leaves rows of any other data set in the same run to verl's own code."""

from __future__ import annotations

import copy
import functools
import json
import logging
import os
import platform
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import DictConfig, ListConfig
from tqdm import tqdm
from verl.utils.dataset.rl_dataset import RLHFDataset

from videossr_verl.errors import BadInput
from videossr_verl.families.processor import Processor
from videossr_verl.patches.survival.fingerprint import fingerprint
from videossr_verl.patches.survival.group_deadline import group_deadline
from videossr_verl.patches.survival.lost_groups import max_lost_share
from videossr_verl.printable import printable
from videossr_verl.prompt.render import render, resolve_path
from videossr_verl.prompt.shared_media import SharedVideos, SingleFlight
from videossr_verl.prompt.tokens import PromptTokenCounter
from videossr_verl.rows.check import check_rows, is_pretext
from videossr_verl.rows.mixed_rows import MixedRows, read_files
from videossr_verl.rows.schema import Row
from videossr_verl.train.adaptive.draws import AdaptiveDraws
from videossr_verl.train.foreign_prompts import foreign_lengths
from videossr_verl.train.parity_at_start import check_before_training
from videossr_verl.video.frame_cache import FrameCache
from videossr_verl.video.rejected import VideoRejected
from videossr_verl.video.specs import ImageSpec, VideoSpec
from videossr_verl.video.verify import is_verified, verify_mode

logger = logging.getLogger(__name__)

_SHARED = SingleFlight()
_IDS = "video_ids"  # the key in an item of a prompt, if `data.verify` asks for ids
_parity_checked: set[str] = set()


class PretextDataset(RLHFDataset):
    """Rows of `videossr build`, alone or concatenated with other verl data sets.

    Configured by `data.custom_cls`; reads, beside verl's own keys, `data.data_root` (folder that the rows' video
    paths are relative to), `data.parity` (see `check_before_training`), `data.verify` (see `video.verify`) and
    `data.frame_cache` (see `FrameCache`). Set in the Hydra config `videossr_grpo`.
    """

    # verl declares a datasets.Dataset, and what all of transformers' processors have in common.
    dataframe: MixedRows
    processor: Processor | None

    def _read_files_and_tokenize(self) -> None:
        rows = read_files(self.data_files)
        files_read = rows.fingerprints
        if not len(rows):
            raise BadInput(
                f"{', '.join(map(str, self.data_files))} holds no rows: give another file, or train without validation "
                "(data.val_files=TRAIN_FILE trainer.val_before_train=False trainer.test_freq=-1)"
            )
        if 0 < self.max_samples < len(rows):
            chosen = np.arange(self.max_samples)
            if self.shuffle:
                chosen = np.random.default_rng(self.seed).choice(len(rows), size=self.max_samples, replace=False)
            rows = rows.select(np.sort(chosen))
        self.dataframe = rows
        self._video_ids = self._ids_to_verify(verify_mode(self.config))
        self._check_rows()
        self._warn_of_mixed_images()
        group_deadline(self.config)
        frame_cache(self.config)  # tells of a folder that cannot be used before the run, not in its workers
        self.dataframe = self.maybe_filter_out_long_prompts(rows)
        self._fingerprint = fingerprint(files_read, len(self.dataframe))
        self._check_parity()
        self._draws = self._open_draws()

    def __getitems__(self, items: list[int]) -> list[dict]:
        """Returns a batch of rows, as PyTorch's loader asks for it. Draws them anew if `data.adaptive.levels` is
        set.
        """
        if self._draws is None:
            return [self[item] for item in items]
        counter = self._token_counter()

        def fits(row: Row) -> bool:
            return counter.count(row["prompt"], row["videos"], row["images"]) <= self.max_prompt_length

        shown = copy.copy(self)
        # For verl's `__getitem__` a list will do.
        vars(shown)["dataframe"] = self._draws.rows([self.dataframe[item] for item in items], fits)
        return [shown[place] for place in range(len(items))]

    def fingerprint(self) -> str:
        """Identifies the training rows as they were when they were read. Checkpoints keep it."""
        return self._fingerprint

    def state_dict(self) -> dict[str, Any]:
        """Returns what the data loader's checkpoint keeps of this data set."""
        return {"draws": self._draws.state_dict() if self._draws else None}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a checkpoint. If the checkpoint was made without drawing, starts drawing anew."""
        if self._draws and state["draws"] is not None:
            self._draws.load_state_dict(state["draws"])

    def _open_draws(self) -> AdaptiveDraws | None:
        """Makes the drawer of rows, only for training: validation needs the same rows each time."""
        adaptive = self.config.get("adaptive") or {}
        if not adaptive.get("levels") or _as_list(self.original_data_files) != _as_list(self.config.get("train_files")):
            return None
        if _as_list(self.config.get("train_files")) == _as_list(self.config.get("val_files")):
            raise BadInput("data.adaptive cannot validate on the training rows: give other data.val_files")
        if self.config.get("dataloader_num_workers"):
            raise BadInput(
                "data.adaptive needs data.dataloader_num_workers=0: workers draw before the rewards are there"
            )
        rows = self.dataframe.select_columns(["data_source", self.video_key, "extra_info"])
        return AdaptiveDraws(adaptive, int(self.config.get("seed") or 0), data_root(self.config), rows)

    def _check_parity(self) -> None:
        """Checks parity once in a run, if the config asks for it, on the training rows, which verl reads first."""
        mode = self.config.get("parity", "off")
        file = next((f for f in self.data_files if str(f).endswith(".parquet")), None)
        if mode != "off" and file and self.processor is not None and not _parity_checked:
            _parity_checked.add(file)
            check_before_training(mode, self.processor.tokenizer.name_or_path, file, data_root(self.config))

    def _warn_of_mixed_images(self) -> None:
        """Warns of rows with images beside rows without: verl calls the vision tower once for images and once for
        videos, so a rank that lacks either calls it less often.
        """
        if self.image_key not in self.dataframe.column_names:
            return
        kinds = Counter(
            (bool(images), bool(videos))
            for images, videos in zip(self.dataframe[self.image_key], self.dataframe[self.video_key], strict=True)
        )
        if kinds[True, True] and len(kinds) > 1:
            logger.warning(
                "%d of %d rows hold images beside videos: on more than one FSDP rank verl waits forever as soon as the"
                " ranks' micro-batches differ in that; build with `candidates: video`",
                kinds[True, True],
                len(self.dataframe),
            )

    def _ids_to_verify(self, mode: str) -> dict[str, str]:
        """Returns the ids of the pretext rows' videos that `mode` asks for, by path."""
        if mode == "off":
            return {}
        rows = self.dataframe.select_columns(["data_source", self.video_key, "extra_info"])
        ids: dict[str, str] = {}
        for row in tqdm(rows, "video ids", len(rows), unit="row", delay=3):
            video_id = (row["extra_info"] or {}).get("video_id") if is_pretext(row["data_source"]) else None
            if isinstance(video_id, str) and is_verified(mode, video_id):
                ids |= {item["video"]: video_id for item in row[self.video_key] or () if item.get("video")}
        return ids

    def _check_rows(self) -> None:
        """Checks the rows now, rather than during the run: what a row must not ask for, and videos deleted after the
        build.
        """
        keys = self.prompt_key, self.video_key, self.image_key
        rows = self.dataframe.select_columns(["data_source", *keys, "reward_model", "extra_info"])
        shown = enumerate(tqdm(rows, "checking rows", len(rows), unit="row", delay=3))
        ours = ((number, row) for number, row in shown if is_pretext(row["data_source"]))
        files = check_rows(ours, self.dataframe.place, *keys)
        if not files:
            return
        root = data_root(self.config)
        try:
            missing = sorted(file for file in files if not resolve_path(file, root).is_file())
        except VideoRejected as error:
            raise BadInput(str(error)) from error
        if missing:
            found = f"{len(missing)} of {len(files)} videos are missing below data.data_root={root}"
            if len(missing) > max_lost_share(self.config) * len(files):
                raise BadInput(f"{found}, first '{missing[0]}': restore them or build the dataset again")
            logger.warning("%s, first '%s': their groups will be lost", found, printable(missing[0]))

    def maybe_filter_out_long_prompts(self, dataframe: MixedRows) -> MixedRows:
        """Drops prompts over `max_prompt_length`, of any data set, or refuses them with
        `filter_overlong_prompts=False`.

        Decodes nothing of our rows for this. Makes the prompts of other data sets once, as rollouts make them.
        """
        sources = dataframe["data_source"]
        lengths = np.zeros(len(dataframe), int)
        ours = np.array([is_pretext(source) for source in sources], bool)
        lengths[ours] = self._prompt_lengths(dataframe.select(np.flatnonzero(ours)))
        lengths[~ours] = foreign_lengths(self, dataframe.select(np.flatnonzero(~ours)))
        too_long = lengths > self.max_prompt_length
        if too_long.any():
            by_source = dict(Counter(str(sources[place]) for place in np.flatnonzero(too_long)))
            found = (
                f"{too_long.sum()} of {len(dataframe)} prompts are longer than"
                f" data.max_prompt_length={self.max_prompt_length} (longest {lengths.max()} tokens; {by_source})"
            )
            if not self.filter_overlong_prompts or too_long.all():
                raise BadInput(f"{found}: raise max_prompt_length or build with fewer or smaller frames")
            logger.warning("%s: left out", found)
        return dataframe.select(np.flatnonzero(~too_long))

    def _build_messages(self, example: dict, key: str) -> list[dict]:
        # verl opens an image's `bytes` if there is such a field, even if it holds nothing.
        images = [_without_nulls(image) for image in example.get(self.image_key) or []]
        messages = super()._build_messages({**example, self.image_key: images}, key)
        for item in _pretext_media(messages) if self._video_ids else ():
            names = {item.get("video"), _lender(item)} & self._video_ids.keys()
            item[_IDS] = {name: self._video_ids[name] for name in names}
        return messages

    def _token_counter(self) -> PromptTokenCounter:
        if self.processor is None:
            raise BadInput("the model folder has no processor: video prompts need a vision-language model's folder")
        return PromptTokenCounter(self.processor, self.apply_chat_template_kwargs)

    def _prompt_lengths(self, rows: MixedRows) -> list[int]:
        """Returns the tokens of each pretext row's prompt, as the build stored them, or else counted."""
        if len(rows) == 0:
            return []
        counter = self._token_counter()
        lengths = []
        columns = [self.prompt_key, self.video_key, self.image_key, "extra_info"]
        for row in tqdm(rows.select_columns(columns), "prompt lengths", len(rows), unit="row", delay=3):
            counted = row[self.prompt_key], row[self.video_key], row.get(self.image_key) or ()
            stored = _stored_lengths(row["extra_info"]).get(counter.row_key(*counted))
            lengths.append(stored or counter.count(*counted))
        return lengths

    @classmethod
    async def process_multi_modal_info(
        cls, messages: list[dict], image_patch_size: int, config: DictConfig
    ) -> tuple[list | None, list | None, list | None]:
        """Works as `_process_multi_modal_info`, in a thread. Rollouts that ask for the same videos at once share
        them.
        """
        prepare = super().process_multi_modal_info
        specs = _pretext_media(messages)
        if not specs:
            return await prepare(messages, image_patch_size, config)

        async def make() -> SharedVideos:
            images, videos, _ = await prepare(messages, image_patch_size, config)
            return SharedVideos(videos, images)

        key = (json.dumps(specs, sort_keys=True, default=repr), image_patch_size, data_root(config))
        videos = await _SHARED.get(key, make)
        return videos.images, videos, None

    @classmethod
    def _process_multi_modal_info(
        cls, messages: list[dict], image_patch_size: int, config: DictConfig
    ) -> tuple[list | None, list | None, list | None]:
        """Returns (images, videos, audios) of one prompt. A video is (uint8 frames (T, C, H, W), metadata), an image is
        PIL's.

        verl calls this in the agent-loop workers, on whichever node they are, in a thread.
        """
        specs = _pretext_media(messages)
        if not specs:
            images, videos, audios = super()._process_multi_modal_info(_drop_nulls(messages), image_patch_size, config)
            return images, videos and [(_as_bytes(frames), metadata) for frames, metadata in videos], audios
        # The vision tower of both families merges 2 x 2 patches into one token.
        factor = 2 * image_patch_size
        videos = [VideoSpec.from_row(item) for item in specs if item["type"] == "video"]
        images = [ImageSpec.from_row(item) for item in specs if item["type"] == "image"]
        ids = {name: video_id for item in specs for name, video_id in (item.get(_IDS) or {}).items()}
        videos, images = render(videos, images, data_root(config), factor, frame_cache(config), ids)
        return images or None, videos, None


def _as_bytes(frames: torch.Tensor) -> torch.Tensor:
    """Returns the frames as uint8, as ours are: vLLM ends on a batch that has both types, and floats are four times as
    large.
    """
    small = frames.to(torch.uint8)
    return small if torch.equal(small.to(frames.dtype), frames) else frames


def _stored_lengths(extra_info: Mapping[str, Any] | None) -> dict[str, Any]:
    return json.loads((extra_info or {}).get("num_prompt_tokens") or "{}")


def _as_list(files: Any) -> list[str]:
    return [str(file) for file in files] if isinstance(files, list | ListConfig) else [str(files)]


def data_root(config: Mapping[str, Any]) -> str:
    """Returns the folder of `data.data_root` on this machine. A `$NAME` in it is this node's environment variable.

    Raises BadInput, one sentence that says how to set it, if there is none.
    """
    wanted = config.get("data_root")
    if not wanted:
        raise BadInput("data.data_root is not set: give the folder that the dataset's video paths are relative to")
    root = wanted if Path(wanted).is_dir() else os.path.expandvars(wanted)
    if not Path(root).is_dir():
        shown = f"'{wanted}'" if root == wanted else f"'{wanted}' (here '{root}')"
        raise BadInput(f"data.data_root={shown} is not a folder on node {platform.node()}")
    return root


def frame_cache(config: Mapping[str, Any]) -> FrameCache | None:
    """Returns the cache that `data.frame_cache` asks for, one per process. Raises BadInput where it cannot be."""
    wanted = config.get("frame_cache") or {}
    folder = wanted.get("folder")
    return _open_cache(str(folder), float(wanted["max_gb"])) if folder else None


@functools.cache
def _open_cache(folder: str, max_gb: float) -> FrameCache:
    if max_gb <= 0:
        raise BadInput(f"data.frame_cache.max_gb={max_gb:g} must be above 0")
    try:
        return FrameCache(folder, max_gb * 1e9)
    except OSError as error:
        raise BadInput(f"data.frame_cache.folder='{folder}' cannot be used: {error.strerror or error}") from error


def _lender(item: dict) -> str | None:
    """Returns the video that an item's change borrows frames from, as a row stores it."""
    source = None
    with suppress(VideoRejected):  # whatever shows the row tells why
        source = VideoSpec.from_row(item).transform.get("source") if item["type"] == "video" else None
    return source.get("video") if isinstance(source, Mapping) else None


def _pretext_media(messages: list[dict]) -> list[dict]:
    """Returns the pretext videos and images in a prompt, as stored in a row."""
    items = [item for m in messages if isinstance(m.get("content"), list) for item in m["content"]]
    mark = {"video": "transform", "image": "time"}  # media of other data sets lack these keys
    return [item for item in items if item.get(mark.get(item.get("type"))) is not None]


def _drop_nulls(messages: list[dict]) -> list[dict]:
    """Drops nulls from media: concatenated data sets give each row the columns of all, and qwen-vl-utils takes nulls
    for values.
    """

    return [
        {**m, "content": [_without_nulls(item) for item in m["content"]]} if isinstance(m.get("content"), list) else m
        for m in messages
    ]


def _without_nulls(item: Any) -> Any:
    return {k: v for k, v in item.items() if v is not None} if isinstance(item, dict) else item
