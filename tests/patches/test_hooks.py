import importlib
import sys
import types

import pytest

from videossr_verl.patches.hooks import after_import, replace_function


@pytest.fixture
def fresh_module(tmp_path, monkeypatch):
    (tmp_path / "patched_module.py").write_text("def answer():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield "patched_module"
    sys.modules.pop("patched_module", None)


def test_after_import_runs_before_names_are_bound(fresh_module):
    after_import(fresh_module, lambda module: setattr(module, "answer", lambda: 2))
    assert fresh_module not in sys.modules
    assert importlib.import_module(fresh_module).answer() == 2


def test_two_actions_on_one_module_both_run(fresh_module):
    seen = []
    after_import(fresh_module, lambda module: seen.append(1))
    after_import(fresh_module, lambda module: seen.append(2))
    importlib.import_module(fresh_module)
    assert sorted(seen) == [1, 2]


def test_after_import_acts_at_once_on_a_loaded_module(fresh_module):
    module = importlib.import_module(fresh_module)
    seen = []
    after_import(fresh_module, seen.append)
    assert seen == [module]


def test_a_failed_import_leaves_the_hook_in_place(fresh_module, tmp_path):
    seen = []
    after_import(fresh_module, seen.append)
    source = (tmp_path / "patched_module.py").read_text()
    (tmp_path / "patched_module.py").write_text("raise RuntimeError('first try')\n")
    with pytest.raises(RuntimeError, match="first try"):
        importlib.import_module(fresh_module)
    (tmp_path / "patched_module.py").write_text(source + "# again\n")
    importlib.invalidate_caches()
    importlib.import_module(fresh_module)
    assert len(seen) == 1


def test_replace_function_reaches_names_bound_earlier_and_is_idempotent(monkeypatch):
    home, user, stranger = (types.ModuleType(n) for n in ("pkg.home", "pkg.user", "other"))
    home.f = user.f = stranger.f = lambda: 1
    for module in (home, user, stranger):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for _ in range(2):
        replace_function(home, "f", lambda stock: lambda: stock() + 1)
    assert (home.f(), user.f(), stranger.f()) == (2, 2, 1)
    assert home.f.stock is stranger.f
