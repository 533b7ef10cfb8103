"""The cheapest path against all orders."""

from itertools import pairwise, permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from videossr_verl.evaluate.attacks.paths import cheapest_path


@given(st.integers(2, 6), st.integers(0, 10**6), st.booleans(), st.data())
def test_no_order_is_cheaper(n, seed, with_ends, data):
    rng = np.random.default_rng(seed)
    cost, first, last = rng.random((n, n)), rng.random(n) * with_ends, rng.random(n) * with_ends
    length = data.draw(st.integers(1, n))

    def total(path):
        return first[path[0]] + last[path[-1]] + sum(cost[a, b] for a, b in pairwise(path))

    path = cheapest_path(cost, length, *((first, last) if with_ends else ()))
    assert len(set(path)) == len(path) == length
    np.testing.assert_allclose(total(path), min(map(total, permutations(range(n), length))))
