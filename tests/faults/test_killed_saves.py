"""No kill inside a save leaves a run without a whole checkpoint."""

import campaign_killed_saves as campaign
import pytest

OPERATIONS = 20  # of the smallest case; fewer would mean that the kills miss


@pytest.mark.parametrize("case", campaign.CASES)
def test_a_kill_at_each_file_operation_is_survived(case, tmp_path):
    outcomes = list(campaign.killed_saves(tmp_path, case))
    assert len(outcomes) > OPERATIONS
    assert [what for what, survived in outcomes if not survived] == []
