"""Draws samples from as many videos as the wanted counts need, each video decoded at most once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from tqdm import tqdm

from data_preprocess.choose import Pick, choose, draws_per_video, rank_videos
from data_preprocess.corpus import Corpus
from data_preprocess.file_state import FileState, check_unchanged
from data_preprocess.jobs import Run
from data_preprocess.probe_corpus import Rejected, Video, as_piece, rejection
from data_preprocess.work_folder import WorkFolder
from videossr_verl.tasks.draw import DrawJob, DrawnBySubset, DrawnSample, DrawSettings, Lender, draw_samples


@dataclass
class Drawn:
    """What one split could give: hashes of samples by content id and subset, and lines for what failed."""

    samples: dict[str, dict[str, list[str | None]]] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def possible(self, subset: str) -> int:
        return sum(h is not None for by_subset in self.samples.values() for h in by_subset.get(subset, ()))


@dataclass(frozen=True)
class SampleStore:
    """Drawn samples on disk. The video, and all that the samples depend on, find them again.

    `partners` has, by content id, the video of the same split that changes such as "swap" borrow frames from.
    """

    corpus: Corpus
    states: Mapping[str, FileState]
    work: WorkFolder
    settings: DrawSettings
    versions: Mapping[str, str]
    partners: Mapping[str, Video]

    def key(self, video: Video) -> tuple:
        subsets = {name: asdict(subset) | {"weight": 0} for name, subset in self.settings.subsets.items()}
        other = self.partners.get(video.content_id)
        names = [[v.content_id, v.video] for v in (video, other) if v]
        embeddings = {name: dict(what) for name, what in self.settings.embeddings.items()}
        return ("draw", names, self.settings.seed, subsets, embeddings, dict(self.versions))

    def sample(self, video: Video, pick: Pick) -> DrawnSample:
        return self.work.load(*self.key(video))[pick.subset][pick.index]

    def job(self, video: Video, counts: Mapping[str, int]) -> DrawJob:
        record, partner = self.work.load(*video.probe_key), self.partners.get(video.content_id)
        lender = Lender(partner.video, self.work.load(*partner.probe_key)) if partner else None
        return DrawJob(self.corpus.path(video.video), video.video, record, self.settings, dict(counts), lender)

    def finished(self, video: Video, counts: Mapping[str, int]) -> bool:
        piece = self.work.load(*self.key(video))
        return piece is not None and (
            "rejected" in piece or all(len(piece.get(subset, ())) >= n for subset, n in counts.items())
        )


def draw_split(
    name: str, videos: Mapping[str, Video], wanted: Mapping[str, int], store: SampleStore, run: Run
) -> tuple[list[Pick], Drawn]:
    """Draws until every subset has enough or the videos (by content id) are used up, and chooses.

    A first wave takes one video for each sample wanted. Further waves replace the samples that it could not give.
    """
    drawn = Drawn()
    ranked = rank_videos(videos, store.settings.seed)
    short = {subset: count for subset, count in wanted.items() if count}
    while short and ranked:
        size = min(len(ranked), sum(short.values()))
        wave, ranked = ranked[:size], ranked[size:]
        _draw_wave(f"draw {name}", [videos[c] for c in wave], draws_per_video(short, size), store, run, drawn)
        missing = {subset: count - drawn.possible(subset) for subset, count in wanted.items()}
        short = {subset: count for subset, count in missing.items() if count > 0}
    return choose(drawn.samples, wanted, store.settings.seed), drawn


def _draw_wave(
    title: str, videos: list[Video], counts: Mapping[str, int], store: SampleStore, run: Run, drawn: Drawn
) -> None:
    by_path = {video.video: video for video in videos}
    with tqdm(total=len(videos), desc=title, unit="video") as bar:
        jobs = (store.job(v, counts) for v in _unfinished(videos, counts, store, bar))
        for job, outcome in run(draw_samples, jobs):
            check_unchanged(store.corpus, job.video, store.states[job.video])
            store.work.store(as_piece(outcome), *store.key(by_path[job.video]))
            bar.update()
    for video in videos:
        _take(video, store.work.load(*store.key(video)), counts, drawn)


def _unfinished(videos: list[Video], counts: Mapping[str, int], store: SampleStore, bar: tqdm) -> Iterator[Video]:
    for video in videos:
        if store.finished(video, counts):
            bar.update()
        else:
            yield video


def _take(video: Video, piece: DrawnBySubset, counts: Mapping[str, int], drawn: Drawn) -> None:
    if (failed := rejection(piece)) is not None:
        drawn.rejected.append({"video": video.video, "reason": failed.reason, "detail": failed.detail})
        return
    # A piece of an earlier run may hold more than asked for now.
    by_subset = {subset: [s.get("hash") for s in piece[subset][:count]] for subset, count in counts.items()}
    drawn.samples[video.content_id] = by_subset
    for subset, hashes in by_subset.items():
        if not any(hashes) and "cannot" in (first := piece[subset][0]):
            drawn.rejected.append(
                {"video": video.video, "task": subset, "reason": first["reason"], "detail": first["cannot"]}
            )
