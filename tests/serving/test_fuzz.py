"""A part of the fuzzing of tests/soak."""


def test_bad_requests_are_answered_or_refused(fuzzed):
    outcome = fuzzed(150, seed=1)
    assert outcome.refused > 60 and outcome.answered > 10
