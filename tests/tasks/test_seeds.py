from videossr_verl.tasks.seeds import digest, rng, sample_seed


def test_seed_depends_on_every_part_and_on_nothing_else():
    base = (0, "00ff", "jigsaw", {"n": 6, "clip": {"num_frames": 48}}, 0)
    changed = [(1, *base[1:]), (0, "00fe", *base[2:]), (0, "00ff", "counting", *base[3:])]
    changed += [(*base[:3], {"n": 8, "clip": {"num_frames": 48}}, 0), (*base[:4], 1)]
    assert len({sample_seed(*parts) for parts in [base, *changed]}) == 6
    reordered = (*base[:3], {"clip": {"num_frames": 48}, "n": 6}, 0)
    assert sample_seed(*base) == sample_seed(*reordered)
    assert 0 <= sample_seed(*base) < 2**63


def test_values_are_fixed_for_ever():
    """A dataset's seed would mean other samples if these changed."""
    assert digest("a", 1, {"ü": [0.5, None]}) == "535f94f49425d60ab01b819e15bbd1a2"
    assert sample_seed(0, "00ff", "jigsaw", {"n": 6}, 3) == 6224956897136620991
    assert rng(5).integers(0, 1 << 32, 3).tolist() == [2881021352, 3457461230, 97294837]
