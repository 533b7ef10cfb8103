"""Every manner of a server, for all questions or some, under `videossr eval`."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from eval_runs import answers, build_questions, run_eval, written
from openai_server import MANNERS, NOTHING, QUESTION, IllMannered, serving

NAME = "ill-mannered servers under eval"
MEANS = (
    "each spoiled answer costs one question, with its reason, or eval ends with one sentence and exit code 2; no "
    "secret is in output or files; no request goes to another address; with a good server the same command then gets "
    "the other answers, and leaves those it has untouched"
)
TRIES = 160
GO_ON = "; the answers so far are kept, and the same command goes on"
SHARES = {"all": 1.0, "half": 0.5, "few": 0.15}


def run(folder: Path, tries: int, seed: int) -> Iterator[tuple[str, bool]]:
    """(what was done and what came out, survived) of each try."""
    data = build_questions(folder)
    rng = random.Random(seed)
    names = [name for name in MANNERS if name != "good"]
    rng.shuffle(names)
    for number in range(tries):
        manner, share = names[number % len(names)], rng.choice(list(SHARES))
        faults = _faults(data, folder / f"served {number}", manner, share, rng)
        yield f"{manner}, {share}: {'; '.join(faults) or 'as promised'}", not faults


def _secret(rng: random.Random, length: int) -> str:
    return "".join(rng.choices(string.ascii_letters + string.digits, k=length))


def _faults(data: Path, out: Path, manner: str, share: str, rng: random.Random) -> list[str]:
    """What was not as promised."""
    key, password = f"sk-{_secret(rng, 30)}", _secret(rng, 12) + "@/:%" + _secret(rng, 8)
    address = rng.choice([f"http://user:{quote(password, safe='')}@", "http://"])
    query = rng.choice([f"?key={password[:12]}", ""])
    with serving() as other, serving(lambda _: manner if rng.random() < SHARES[share] else "good", other.url) as server:
        url = server.url.replace("http://", address) + query
        code, said, message = run_eval(data, out, url, key, timeout=1.4)
        before, printed = answers(out), said + message
        faults = _ends_otherwise(code, message, before, server)
        server.manner = "good"
        code, said, message = run_eval(data, out, url, key)
        after, printed = answers(out), printed + said + message
        if code or any(entry.get("error") for entry in after.values()) or len(after) != 8:
            faults.append(f"the same command ends with {code} and {len(after)} answers")
        if any(after[i] != entry for i, entry in before.items() if "error" not in entry):
            faults.append("an answer of before was changed")
        if other.asked:
            faults.append("another address was asked")
    for secret in (key, password[:12], password[16:]):
        if any(secret[i : i + 8] in printed + written(out) for i in range(len(secret) - 7)):
            faults.append("a secret was shown or stored")
    return faults


def _ends_otherwise(code: int, message: str, before: dict[int, dict], server: IllMannered) -> list[str]:
    """What does not fit the dearest manner that the server showed; some of them cost little where others answer."""
    shown = {MANNERS[asked[0]].costs for asked in server.asked}
    lost = [entry for entry in before.values() if "error" in entry]
    if any(entry["answer"] or not entry["error"].isprintable() for entry in lost):
        return ["a lost question has an answer, or a reason that cannot be printed"]
    if code == 2:
        sentence = message.splitlines()[-1]
        whole = sentence.startswith("videossr: the server http://127.0.0.1:") and sentence.endswith(GO_ON)
        return [] if whole and sentence.isprintable() and shown - {NOTHING, QUESTION} else [f"ended with: {sentence}"]
    if code or (QUESTION in shown) > bool(lost) or len(before) != 8:
        return [f"exit code {code}, {len(lost)} lost of {len(before)}"]
    return []
