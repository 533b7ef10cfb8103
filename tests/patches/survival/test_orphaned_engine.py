"""An engine ends with the process that started it, also by SIGKILL; vLLM's own stays, with its memory."""

import os
import subprocess
import sys
from contextlib import suppress

import psutil
import pytest

SOON = 10  # seconds, on a busy machine

SERVER = """
import sys
from vllm import LLM
if __name__ == "__main__":
    llm = LLM(sys.argv[1], dtype="float32", enforce_eager=True, max_model_len=256, distributed_executor_backend="mp")
    print("ready", flush=True)
    sys.stdin.read()
"""


def _server(script, model, **changes):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("VLLM_")}
    environment = kept | {"VLLM_CPU_KVCACHE_SPACE": "1"} | changes
    return subprocess.Popen(
        [sys.executable, str(script), str(model)], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )


@pytest.fixture
def servers(tiny_model, tmp_path):
    """A process with an engine with this package's plugin, and one without; started beside each other."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    started = [_server(script, tiny_model), _server(script, tiny_model, VLLM_PLUGINS="")]
    for server in started:
        assert any(line.strip() == b"ready" for line in server.stdout)
    below = [psutil.Process(server.pid).children(recursive=True) for server in started]
    yield list(zip(started, below, strict=True))
    for process in (process for processes in below for process in processes):
        with suppress(psutil.NoSuchProcess):
            process.kill()
    for server in started:
        server.kill()
        server.communicate()


def test_no_engine_is_left_by_a_killed_server(servers):
    left = []
    for server, below in servers:
        engines = [process for process in below if "EngineCore" in process.cmdline()[0]]
        assert engines
        server.kill()
        server.wait()
        left.append(psutil.wait_procs(below, timeout=SOON)[1])
    ours, stock = left
    assert ours == []
    assert stock  # when this fails, vLLM's engines end by themselves: the repair may go
