"""Two builds, and two trainings' saves, in one folder."""

import campaign_two_writers as campaign


def test_two_builds_and_a_killed_one(tmp_path):
    assert [what for what, survived in campaign.two_builds(tmp_path, 2, seed=0) if not survived] == []


def test_two_savings_and_killed_ones(tmp_path):
    assert [what for what, survived in campaign.two_trainings(tmp_path, 4, seed=0) if not survived] == []
