"""The embedded default data set: cartoon faces with the paper's five domain attributes, drawn on the spot."""

from __future__ import annotations

from rgunit_tf.lazy import attach

# Looked up when they are used: the modules of this package are also started as processes of their own.
__getattr__, __dir__ = attach(
    __name__,
    {
        "CONTENT_ATTRIBUTES": "people",
        "DOMAIN_ATTRIBUTES": "people",
        "counterfactual": "source",
        "counterfactuals": "source",
        "draw_dataset": "source",
        "is_whole": "source",
        "person": "source",
    },
)
