"""Where each token of a micro-batch stands in the shared sequence: a group's prompt once, then its answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain, pairwise

import torch


@dataclass(frozen=True)
class Group:
    """Rows that begin with the same prompt.

    Attributes:
        rows: their numbers in the batch.
        prompt: tokens of the prompt.
        answers: tokens of each row's answer; there may be none.
    """

    rows: tuple[int, ...]
    prompt: int
    answers: tuple[int, ...]

    @property
    def tokens(self) -> int:
        """Tokens that are computed."""
        return self.prompt + sum(self.answers)


@dataclass(frozen=True)
class Indices:
    """Places in the packed rows (one after the other), and in the shared sequence.

    Attributes:
        tokens: (shared tokens,), where each token of the shared sequence is in the packed rows.
        source: (answer tokens,), the shared token whose state predicts each answer token.
        labels: (answer tokens,), where each answer token is in the packed rows.
        targets: (answer tokens,), where its log-probability belongs in the packed rows: one place before it.
    """

    tokens: torch.Tensor
    source: torch.Tensor
    labels: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True)
class Layout:
    """A micro-batch's groups, in the order of the shared sequence. Every row is in one of them."""

    groups: tuple[Group, ...]

    @cached_property
    def parts(self) -> tuple[int, ...]:
        """Tokens of each part of the shared sequence: a prompt, its answers, the next prompt, ..."""
        return tuple(chain.from_iterable((group.prompt, *group.answers) for group in self.groups))

    @cached_property
    def tokens(self) -> int:
        """Tokens of the shared sequence."""
        return sum(self.parts)

    @cached_property
    def rows(self) -> tuple[int, ...]:
        """Tokens of each row of the micro-batch, in its order."""
        tokens = {
            row: group.prompt + answer
            for group in self.groups
            for row, answer in zip(group.rows, group.answers, strict=True)
        }
        return tuple(tokens[row] for row in range(len(tokens)))

    @property
    def saves(self) -> bool:
        """Whether any prompt is shared."""
        return any(len(group.rows) > 1 for group in self.groups)

    def spans(self) -> Iterator[tuple[slice, list[slice]]]:
        """Yields the places of each group's prompt, and of its answers, in the shared sequence."""
        bounds = pairwise(accumulate(self.parts, initial=0))
        for group in self.groups:
            prompt, *answers = (slice(*next(bounds)) for _ in range(1 + len(group.rows)))
            yield prompt, answers

    def indices(self, device: torch.device) -> Indices:
        """Returns the places of all tokens, as tensors on `device`."""
        first = list(accumulate(self.rows, initial=0))
        tokens, source, labels, targets = [], [], [], []
        for group, (prompt, answers) in zip(self.groups, self.spans(), strict=True):
            begin = first[group.rows[0]]
            tokens.append(range(begin, begin + group.prompt))
            for row, answer, length in zip(group.rows, answers, group.answers, strict=True):
                begin = first[row] + group.prompt
                tokens.append(range(begin, begin + length))
                labels.append(range(begin, begin + length))
                targets.append(range(begin - 1, begin - 1 + length))
                if length:
                    source += [range(prompt.stop - 1, prompt.stop), range(answer.start, answer.stop - 1)]
        return Indices(*(_tensor(ranges, device) for ranges in (tokens, source, labels, targets)))


def _tensor(ranges: Sequence[range], device: torch.device) -> torch.Tensor:
    parts = [torch.arange(part.start, part.stop) for part in ranges]
    return torch.cat(parts).to(device) if parts else torch.empty(0, dtype=torch.long, device=device)
