import numpy as np

from rgunit_tf.data.avatars.people import content_attributes, domain_labels, sample_person


def test_another_seed_draws_others():
    first, second = (sample_person(seed, 0) for seed in (0, 1))
    assert first != second


def test_all_label_vectors_occur_often():
    everybody = [sample_person(0, index) for index in range(2000)]
    labels = np.stack([domain_labels(person) for person in everybody])
    vectors, counts = np.unique(labels, axis=0, return_counts=True)
    assert len(vectors) == 12
    assert counts.min() / 2000 > 0.03
    content = np.array([list(content_attributes(person).values()) for person in everybody])
    assert content.mean(axis=0).min() > 0.05 and content.mean(axis=0).max() < 0.8
    # What the labels say nothing of: no content attribute goes along with a domain attribute.
    correlation = np.corrcoef(labels.T, content.T)[:5, 5:]
    assert np.abs(correlation).max() < 0.12
