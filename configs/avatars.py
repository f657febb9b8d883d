"""The default: cartoon faces drawn on the spot, 32 px, small enough for two CPU cores.

Source: the embedded `avatars` source (drawn with python-avatars and resvg); five attributes as in the paper.
Cost: 12 minutes for the three stages on two cores (AVX-512, 480 GFLOP/s), drawing and report included.
Command: bin/train --stage=guided

Where the settings differ from the paper's (`configs/avatars_paper.py`), and what it did, measured on test images after
4,000 steps of the translation stage (accuracy of the attributes by an independent classifier, L1 distance to the true
counterfactual over that of the untouched input, Frechet distance of the classifier's features with a floor of 0.20):

- batches of 8 and a learning rate of 3e-4: a short training needs updates; noise of up to 0.2 on what D sees, so that
  small patches of colour do not satisfy its domain head; reconstruction and cycle weights 5: 0.950, 0.66, 2.88;
- a discriminator three times as wide as the generator, and reconstruction and cycle weights of 2, with which gender
  and age change earlier: 0.978, 0.69, 2.07;
- a mask that starts near 1, not at one half (now in every config), takes away a dip in accuracy when the warm-up ends,
  0.86 against 0.98 after 2,000 steps: after 3,000 steps 0.982, 0.73, 2.24, where it was 0.961, 0.72, 3.07;
- noise that falls to a quarter by the end, and fewer steps, on all of this: after 6,500 steps 0.992, 0.64, 0.82, where
  8,500 steps with full noise gave 0.993, 0.63, 0.71: no loss of accuracy, and no gain in fine detail either;
- against the specks of colour that are left: a cycle weight of 0.5, or noise (0.1) on the translated image on its way
  back, so that nothing can be hidden in it: 0.978, 0.72, 1.97 and 0.971, 0.71, 2.29, where the same 4,000 steps without
  gave 0.974, 0.69, 2.11: no difference worth a setting;
- a penalty on D's gradient at real images, of its real/fake output and of its domain logits (40 and 0.08), takes the
  specks away: after 4,000 steps 0.995, 0.66, 0.85 (floor 0.17), where the same steps without gave 0.975, 0.68, 1.91;
  with four times the weights and as much of the adversarial loss 0.993, 0.64, 0.72. On the domain logits alone (1.2)
  the specks stay: 0.992, 0.67, 1.02; on real/fake alone (40) less is changed: 0.930, 0.73, 3.58; more on the domain
  logits (1.2 or 4 beside 40): 0.995, 0.65, 1.12 and 0.991, 0.65, 1.28; on all of this a cycle weight of 0.5: 0.996,
  0.67, 0.77, and no noise with a quarter of the weight on real/fake: 0.993, 0.64, 0.78, both with more colour where
  none belongs;
- a learning rate of D that is a half or a quarter of G's: 0.967, 0.69, 2.32 and 0.959, 0.69, 2.95, worse;
- blanking a random half of what D sees made no difference worth a setting: 0.945, 0.69, 3.45 against 0.950, 0.66,
  2.88.
"""

import ml_collections

from rgunit_tf.config import default_config


def get_config() -> ml_collections.ConfigDict:
    config = default_config()
    config.data.source = "avatars"
    config.data.image_size = 32
    config.data.num_images = 6000

    config.model.width = 16
    config.model.residual_blocks = 3
    config.model.discriminator_width = 48
    config.model.discriminator_layers = 4

    config.loss.adversarial = 4.0
    config.loss.gradient_penalty = 160.0
    config.loss.domain_gradient_penalty = 0.2
    config.loss.reconstruction = 2.0
    config.loss.cycle = 2.0
    config.loss.mask_warmup = 1500
    config.loss.noise = 0.2
    config.loss.final_noise = 0.25

    config.translation.steps = 5000
    config.translation.batch_size = 8
    config.translation.learning_rate = 3e-4

    config.retrieval.steps = 800
    config.retrieval.batch_size = 64
    config.retrieval.learning_rate = 3e-4
    config.retrieval.margin = 1.0
    config.retrieval.negatives = ("easy", "hard_content", "hard_style", "hard_domain")

    config.guided.steps = 1500
    config.guided.batch_size = 8
    config.guided.learning_rate = 3e-4
    config.guided.ema_momentum = 0.998
    return config
