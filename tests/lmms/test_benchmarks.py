"""What is known of lmms-eval's own tasks holds in the real lmms-eval: prompts, what samples hold, figures."""

import importlib.util
import json
import sys
from pathlib import Path

import lmms_eval
import pytest
import yaml
from lmms_eval.tasks import TaskManager

from videossr_verl.errors import BadInput
from videossr_verl.evaluate.lmms.benchmark_table import overview, write_table
from videossr_verl.evaluate.lmms.benchmarks import PROMPT, Benchmark, benchmarks, paper_prompt, task_folder
from videossr_verl.evaluate.lmms.figures import score

LMMS = Path(lmms_eval.__file__).parent / "tasks"


@pytest.fixture(scope="module")
def utils(tmp_path_factory):
    """(folder of a task) -> its utils module."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hf")))

    def load(folder):
        name = f"lmms_eval_task_{folder}".replace("-", "_")
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, LMMS / folder / "utils.py")
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    yield load
    patch.undo()


def _prompts(file):
    """lmms_eval_specific_kwargs.default of a task's YAML."""
    text = "".join(line for line in (LMMS / file).read_text().splitlines(keepends=True) if "!function" not in line)
    return yaml.safe_load(text)["lmms_eval_specific_kwargs"]["default"]


def test_lmms_eval_knows_every_task_of_the_17():
    manager = TaskManager(include_path=str(task_folder()), model_name="videossr")
    known = set(manager.all_tasks)
    assert len(benchmarks()) == 17
    assert {task for b in benchmarks().values() for task in b.tasks} <= known
    assert {"mlvu_dev", "motionbench_full", "mmvu_val", "vsibench", "video_holmes", "viubench_mvp"} <= known


CHOICE = {"question": "What?", "options": ["A. one", "B. two", "C. three", "D. four"]}
MVBENCH = {"question": "What?", "candidates": ["one", "two"], "answer": "two"}
LVB = {"question": "What?", "option0": "one", "option1": "two", "correct_choice": 1, "id": "1"}
LVB |= {"option2": "N/A", "option3": "N/A", "option4": "N/A", "duration_group": 60, "question_category": "x"}
CG = {"question": "What?", "choices": ["one", "two"], "right_answer": "B", "qid": 1, "video_uid": "v"}
CG |= {"duration": 60, "domain": "x", "sub_category": "y"}
VIDEOMMMU = {"question": "What?", "options": ["one", "two"], "answer": "B", "id": "validation_Art_1"}


def _asked(utils, task):
    """The task's prompt for a made-up question, by lmms-eval's own function."""
    if task.startswith("mvbench"):
        prompt = _prompts("mvbench/mvbench_action_antonym.yaml")
        return utils("mvbench").mvbench_doc_to_text(MVBENCH, prompt)
    if task == "tempcompass_multi_choice":
        prompt = _prompts("tempcompass/_default_template_yaml")
        doc = {"question": "What?\nA. one\nB. two"}
        return utils("tempcompass").tempcompass_doc_to_text_multi_choice(doc, prompt)
    if task == "videomme":
        return utils("videomme").videomme_doc_to_text(CHOICE, _prompts("videomme/videomme.yaml"))
    if task == "lvbench":
        doc = {"question": "What?\n(A) one\n(B) two"}
        return utils("lvbench").lvbench_doc_to_text(doc, _prompts("lvbench/lvbench.yaml"))
    if task == "longvideobench_val_v":
        prompt = _prompts("longvideobench/longvideobench_val_v.yaml")
        return utils("longvideobench").longvideobench_doc_to_text(LVB, prompt)
    if task == "cgbench":
        return utils("cgbench").cgbench_doc_to_text(CG, _prompts("cgbench/_default_template_yaml"))
    prompt = _prompts("videommmu/_default_template_yaml")
    return utils("videommmu").videommmu_doc_to_text_perception_comprehension(VIDEOMMMU, prompt)


@pytest.mark.parametrize("benchmark", [b for b in benchmarks().values() if b.remove is not None], ids=lambda b: b.name)
def test_the_papers_instruction_takes_the_place_of_the_tasks(benchmark, utils):
    task = {"mvbench": "mvbench_action_antonym", "video_mmmu": "video_mmmu_perception"}.get(
        benchmark.tasks[0], benchmark.tasks[0]
    )
    asked = _asked(utils, task)
    text = paper_prompt(task, asked)
    assert text.endswith(PROMPT)
    assert "What?" in text
    assert "two" in text
    others = ("best option", "letter from the given", "with only the letter", "option letter only", "Select the best")
    assert not any(other in text for other in others)
    if benchmark.remove:
        with pytest.raises(ValueError, match="give prompts=task"):
            paper_prompt(task, "What?")


def test_prompts_that_are_the_papers_or_the_data_sets_own_stay():
    assert paper_prompt("temporal_grounding_charades", "Please find") == "Please find"
    assert paper_prompt("mlvu_dev", "What?") == "What?"


def _run_of(folder, task, samples, results=None):
    folder.mkdir(parents=True)
    counts = {task: {"original": len(samples), "effective": len(samples)}}
    data = {"results": {task: results or {}}, "n-samples": counts}
    (folder / "1_results.json").write_text(json.dumps(data))
    (folder / f"1_samples_{task}.jsonl").write_text("".join(json.dumps(s) + "\n" for s in samples))
    return folder


def _sample(answer, payload, target=""):
    return json.loads(json.dumps({"filtered_resps": answer, "target": target, **payload}))


def _samples(utils, task):
    """Samples of a right, a wrong and an empty answer, made by lmms-eval's own process_results."""
    if task == "mvbench":
        return [_sample(a, utils("mvbench").mvbench_process_results(MVBENCH, [a])) for a in ("B", "A", "")]
    if task == "tempcompass_multi_choice":  # lmms-eval would ask a judge about these
        return [_sample(a, {}, "B. two") for a in ("(B)", "A", "")]
    if task == "videomme":
        doc = {"question_id": "1", "duration": "short", "domain": "Knowledge", "videoID": "v", "answer": "B"}
        doc |= {"sub_category": "Humanity & History", "task_type": "Counting Problem"}
        return [_sample(a, utils("videomme").videomme_process_results(doc, [a])) for a in ("B", "A", "")]
    if task == "lvbench":
        return [_sample(a, utils("lvbench").lvbench_process_results({"answer": "B"}, [a])) for a in ("B", "A", "")]
    if task == "longvideobench_val_v":
        process = utils("longvideobench").longvideobench_process_results
        return [_sample(a, process(LVB, [a])) for a in ("B", "A", "")]
    if task == "cgbench":
        return [_sample(a, utils("cgbench").cgbench_process_results(CG, [a])) for a in ("B", "A", "")]
    if task == "video_mmmu":
        process = utils("videommmu").videommmu_process_results
        choice, free = VIDEOMMMU | {"question_type": "multiple-choice"}, VIDEOMMMU | {"question_type": "open"}
        return [_sample(a, process(choice, [a])) for a in ("B", "A", "")] + [_sample("B", process(free, ["B"]))]
    if task == "videott_single_mc":
        doc = {"video_id": "v", "capability": "x", "answer": "B"}
        return [_sample(a, utils("video-tt").videott_process_results(doc, [a])) for a in ("B", "A", "")]
    process = utils("vcrbench").vcrbench_process_results
    doc = {"qid": 1, "goal": "tea", "ground_truth": [1, 0, 2]}
    answers = ("Correct order: 2, 1, 3", "Correct order: 1, 2, 3", "")
    return [_sample(a, process(doc, [a])) for a in answers]


OF_SAMPLES = ("MVBench", "TempCompass", "Video-MME", "LVBench", "LongVideoBench", "CGBench", "VideoMMMU", "Video-TT")


@pytest.mark.parametrize("name", [*OF_SAMPLES, "VCRBench"])
def test_an_empty_answer_is_wrong_and_counts(name, utils, tmp_path):
    """lmms-eval's own figures drop it, guess, or ask a judge."""
    benchmark = benchmarks()[name]
    task = benchmark.tasks[0]
    for _ in range(5):  # a letter that is guessed would differ
        folder = _run_of(tmp_path / f"{name}{_}", task, _samples(utils, task))
        assert score(benchmark, folder).value == pytest.approx(100 / 3)


def test_charades_has_the_keys_that_the_table_reads(utils):
    file = (LMMS / "charades_sta" / "charades.yaml").read_text()
    keys = [figure["result"].removesuffix(",none") for figure in benchmarks()["CharadesSTA"].recalls]
    for key in ["charades_sta_mIOU", *keys]:
        assert f"metric: {key}\n" in file
    bad = utils("charades_sta")._temporal_grounding_compute_metrics([{"v>>>c>>>[1.0, 2.0]": ""}])
    assert bad["mIOU"] == 0


def test_a_run_that_asked_some_questions_only_is_refused(tmp_path):
    folder = _run_of(tmp_path / "lvbench", "lvbench", [{"lvbench_score": True, "filtered_resps": "A"}])
    data = json.loads((folder / "1_results.json").read_text())
    data["n-samples"]["lvbench"]["original"] = 1549
    (folder / "1_results.json").write_text(json.dumps(data))
    with pytest.raises(BadInput, match="1 of 1549 questions of lvbench"):
        score(benchmarks()["LVBench"], folder)


def test_a_run_killed_while_it_was_written_is_told(tmp_path):
    folder = _run_of(tmp_path / "lvbench", "lvbench", [{"lvbench_score": True, "filtered_resps": "A"}])
    (folder / "1_samples_lvbench.jsonl").unlink()
    with pytest.raises(BadInput, match=r"samples_lvbench\.jsonl' is missing: delete the folder"):
        score(benchmarks()["LVBench"], folder)


def test_a_question_that_was_asked_again_has_not_failed(tmp_path):
    folder = _run_of(tmp_path / "lvbench", "lvbench", [{"lvbench_score": False, "filtered_resps": ""}] * 2)
    entries = [("a", "no video"), ("b", "no video"), ("a", "")]
    lines = [{"key": k, "task": "lvbench", "doc_id": 0, "answer": "", "error": e} for k, e in entries]
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert score(benchmarks()["LVBench"], folder).failed == 1


def test_published_scores_add_up_to_the_papers_headline():
    """ "+5.1 over 17 benchmarks at 48 frames"; VIUBench is trained on, and without it the mean is 3.4."""
    gains = {b.name: b.published[48][1] - b.published[48][0] for b in benchmarks().values()}
    assert sum(gains.values()) / 17 == pytest.approx(5.09, abs=0.01)
    assert sum(v for k, v in gains.items() if k != "VIUBench") / 16 == pytest.approx(3.38, abs=0.01)
    assert all(set(b.published) == {32, 48, 64} for b in benchmarks().values() if b.name != "VIUBench")
    assert all(
        len(recall) == 3 for b in benchmarks().values() for pair in b.published_recalls.values() for recall in pair
    )


def test_the_table(tmp_path):
    ours = {"lvbench_score": True, "filtered_resps": "A"}
    _run_of(tmp_path / "base" / "lvbench", "lvbench", [ours, ours | {"lvbench_score": False}])
    _run_of(tmp_path / "base" / "mlvu_dev", "mlvu_dev", [{}], {"mlvu_percetion_score,none": 61.5, "alias": "mlvu"})
    grounding = {
        "mIoU": {"score": 40.0},
        "R1@0.3": {"score": 100.0},
        "R1@0.5": {"score": 0.0},
        "R1@0.7": {"score": 0.0},
    }
    _run_of(tmp_path / "mine" / "tacos_test", "tacos_test", [grounding])
    (tmp_path / "mine" / "cgbench").mkdir()
    runs = {name: tmp_path / name for name in ("base", "mine")}
    text = write_table(runs, 32, tmp_path / "out")
    assert "| LVBench | 39.6 | 41.5 | 50.0 | - | 2 | 0 |" in text
    assert "| TACoS | 22.4 | 23.1 | - | 40.0 | 1 | 0 |" in text
    assert "| TACoS | 34.7 / 19.2 / 7.1 | 34.1 / 19.8 / 7.4 | - | 100.0 / 0.0 / 0.0 |" in text
    assert "| mlvu_dev mlvu_percetion_score | 61.5 | - |" in text
    assert "Not finished: mine/cgbench" in text
    assert (tmp_path / "out" / "benchmarks.md").read_text() == text
    assert json.loads((tmp_path / "out" / "benchmarks.json").read_text())["base"]["LVBench"]["value"] == 50
    with pytest.raises(BadInput, match="holds no results"):
        write_table({"base": tmp_path / "nothing"}, 32)


def test_the_page_has_the_overview():
    assert overview() in (Path(__file__).parent.parent.parent / "docs" / "evaluation.md").read_text()


def test_a_figure_is_one_of_the_known_kinds():
    for benchmark in benchmarks().values():
        assert isinstance(benchmark, Benchmark)
        for figure in (benchmark.figure, *benchmark.recalls):
            assert len({"mean", "equal", "letter", "result"} & set(figure)) == 1
