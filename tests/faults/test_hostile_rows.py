"""Rows from strangers: each field broken in each way, and combinations through everything that reads rows."""

import time

import campaign_rows
import pyarrow.parquet as pq
from hostile_rows import BREAKS, broken, fields

from videossr_verl.errors import BadInput
from videossr_verl.rows.check import check_rows, is_pretext


def test_every_field_broken_in_every_way_is_one_sentence_or_harmless(dataset_folder):
    rows = pq.read_table(dataset_folder / "train.parquet").to_pylist()
    by_task = {row["extra_info"]["task"]: row for row in rows}
    assert len(by_task) == 4
    said, slowest = [], 0.0
    for bad in (broken(row, place, how) for row in by_task.values() for place in fields(row) for how in BREAKS):
        started = time.perf_counter()
        try:
            check_rows([(0, bad)], "row {} of 'x'".format)
        except BadInput as error:
            said.append(str(error))
        slowest = max(slowest, time.perf_counter() - started)
    assert len(said) > 1000
    assert all(sentence.isprintable() and len(sentence) < 1200 for sentence in said)
    assert slowest < 5


def test_the_good_rows_pass(dataset_folder):
    rows = pq.read_table(dataset_folder / "train.parquet").to_pylist()
    assert all(is_pretext(row["data_source"]) for row in rows)
    check_rows(enumerate(rows), str)


def test_the_campaign(tmp_path):
    found = list(campaign_rows.run(tmp_path, 24, seed=1))
    assert len(found) > 12
    assert [what for what, survived in found if not survived] == []
