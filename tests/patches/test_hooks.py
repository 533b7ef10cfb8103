import importlib
import sys
import types

import pytest

from videossr_verl.patches.hooks import after_import, replace_function, replace_method


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


def test_actions_on_one_module_run_in_the_order_in_which_they_were_given(fresh_module):
    seen = []
    after_import(fresh_module, lambda module: seen.append(1))
    after_import(fresh_module, lambda module: seen.append(2))
    importlib.import_module(fresh_module)
    assert seen == [1, 2]


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


def test_a_module_that_does_not_fit_cannot_be_imported_by_trying_again(fresh_module):
    def refuse(module):
        raise AttributeError("answer is gone")

    after_import(fresh_module, refuse)
    for _ in range(2):
        with pytest.raises(AttributeError, match="answer is gone"):
            importlib.import_module(fresh_module)
        assert fresh_module not in sys.modules


def test_a_module_that_is_being_imported_is_refused(fresh_module, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "late_hook", lambda: after_import(fresh_module, seen.append), raising=False)
    source = (tmp_path / "patched_module.py").read_text()
    (tmp_path / "patched_module.py").write_text("import sys\nsys.late_hook()\n" + source)
    with pytest.raises(ImportError, match="patched_module cannot be patched while it is being imported"):
        importlib.import_module(fresh_module)
    assert seen == []


def _one_more(stock):
    return lambda *args: stock(*args) + 1


def _doubled(stock):
    return lambda *args: 2 * stock(*args)


def test_replace_function_reaches_names_bound_earlier_and_is_idempotent(monkeypatch):
    home, user, stranger = (types.ModuleType(n) for n in ("pkg.home", "pkg.user", "other"))
    home.f = user.f = stranger.f = lambda: 1
    for module in (home, user, stranger):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for _ in range(2):
        replace_function(home, "f", _one_more)
    assert (home.f(), user.f(), stranger.f()) == (2, 2, 1)
    assert home.f.stock is stranger.f


def test_several_wrap_one_method_in_their_order_and_once_each():
    class Owner:
        def answer(self):
            return 1

    for _ in range(2):
        for wrap in (_one_more, _doubled):
            replace_method(Owner, "answer", wrap)
    assert Owner().answer() == 4
    assert Owner.answer.__name__ == "answer"


def test_a_method_of_a_base_class_is_replaced_for_the_subclass_alone():
    class Base:
        def answer(self):
            return 1

    class Owner(Base):
        pass

    replace_method(Owner, "answer", _one_more)
    assert (Base().answer(), Owner().answer()) == (1, 2)
