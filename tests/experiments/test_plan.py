import pytest

from rgunit_tf.config import default_config
from rgunit_tf.errors import UserError
from rgunit_tf.experiments.plan import TRIPLETS, Experiment, Variants, guidance, jobs


@pytest.fixture
def variants():
    return Variants(default_config(), seed=3)


def test_every_run_of_a_seed_has_a_folder_and_the_seed_of_its_own(variants):
    runs = [
        variants.base,
        variants.triplets("easy"),
        variants.random_neighbors(),
        variants.continued(),
        variants.fraction(25),
        variants.continued(variants.fraction(25)),
        variants.neighbors(1),
    ]
    assert len({run.name for run in runs}) == len(runs)
    assert all(run.name.startswith("seed3/") for run in runs)
    assert all(run.config(default_config()).train.seed == 3 for run in runs)


def test_what_equals_the_base_run_is_the_base_run(variants):
    default = default_config().guided.neighbors
    for run in (variants.triplets("all"), variants.fraction(100), variants.neighbors(default)):
        assert run is variants.base


def test_the_base_run_has_the_configs_negatives():
    config = default_config()
    config.retrieval.negatives = TRIPLETS["hard_content"]
    variants = Variants(config, seed=0)
    assert variants.triplets("hard_content") is variants.base
    assert tuple(variants.base.config(config).retrieval.negatives) == TRIPLETS["hard_content"]
    assert tuple(variants.triplets("all").config(config).retrieval.negatives) == TRIPLETS["all"]


def test_settings_of_the_runs(variants):
    config = default_config()
    assert variants.base.config(config).guided.mode == "retrieved"
    assert variants.random_neighbors().config(config).guided.mode == "random"
    assert variants.continued().config(config).guided.neighbors == 0
    assert tuple(variants.triplets("hard").config(config).retrieval.negatives) == TRIPLETS["hard"]
    quarter = variants.fraction(25).config(config).data
    assert quarter.fraction == 0.25
    assert quarter.retrieval_source == "all"
    assert variants.continued(variants.fraction(25)).config(config).data.fraction == 0.25
    assert config.guided.mode == default_config().guided.mode


def test_other_ways_to_guide(variants):
    config = default_config()
    run, random = (variants.guided_by("attention+fused_content", of_random) for of_random in (False, True))
    assert run.name == "seed3/attention_fused_content" and random.name == "seed3/attention_fused_content_random"
    guided = run.config(config).guided
    assert (guided.fusion, guided.content_target, guided.mode) == ("attention", "fused", "retrieved")
    assert random.config(config).guided.mode == "random"
    styles = variants.guided_by("neighbor_styles", base=variants.fraction(5))
    assert styles.name == "seed3/fraction5_neighbor_styles" and styles.origin == variants.fraction(5)
    assert styles.config(config).guided.style == "neighbors" and styles.config(config).data.fraction == 0.05
    with pytest.raises(UserError, match=r"--variants=attention\+sum: 'sum' is none of attention, "):
        guidance("attention+sum")


def test_a_control_of_neighbours_styles_has_neither():
    config = default_config()
    config.guided.style = "neighbors"
    assert Variants(config, 0).continued().config(config).guided.style == "prior"


def test_a_setting_out_of_its_range_is_the_users_mistake():
    with pytest.raises(UserError, match=r"guided\.neighbors"):
        Experiment("x", {"guided.neighbors": -1}).config(default_config())


def test_jobs_train_what_others_start_from_first_and_no_more_than_is_needed(variants):
    planned = jobs([(variants.triplets("easy"), "retrieval"), (variants.random_neighbors(), "guided")])
    assert [job.experiment.name for job in planned] == ["seed3/guided", "seed3/triplets_easy", "seed3/random"]
    base, easy, random = planned
    assert base.trained == ("translation", "retrieval")
    assert base.evaluated == ()
    assert easy.trained == ("retrieval",)
    assert easy.evaluated == ("retrieval",)
    assert random.trained == ("guided",)


def test_jobs_join_what_several_rows_want_of_one_run(variants):
    planned = jobs([(variants.base, "translation"), (variants.base, "guided"), (variants.base, "translation")])
    assert len(planned) == 1
    assert planned[0].trained == ("translation", "retrieval", "guided")
    assert planned[0].evaluated == ("translation", "guided")
