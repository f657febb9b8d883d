"""2,000 generated bad requests to one process of the C++ loader."""


def test_bad_requests_are_answered_or_refused(fuzzed):
    outcome = fuzzed(2000, seed=0)
    print(outcome)
    assert outcome.refused > 800 and outcome.answered > 200
    assert outcome.grown_mib < 64
