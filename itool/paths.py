"""Where the artifacts stand, from the folder of the project. dvc.yaml lists the same paths.

`{}` is the name of an iteration; of models, predictions and their metrics also `base` and `it0`.
"""

TRAIN = "data/synthesis/train.parquet"
EXPLORE = "data/synthesis/explore.parquet"
VALIDATION = "data/synthesis/validation.parquet"
TEST = "data/synthesis/test.parquet"
REJECTED = "data/synthesis/rejected.parquet"
DECAY_POINTS = "data/decay/points.parquet"
SELECTION = "data/selection/{}.parquet"
TREES = "data/exploration/{}.parquet"
PAIRS = "data/pairs/{}.parquet"
ANSWERS = "data/answers/{}.parquet"
MODEL = "data/models/{}"
CURVES = "data/curves/{}"
PREDICTIONS = "data/predictions/{}.parquet"

SYNTHESIS_METRICS = "metrics/synthesis.json"
DECAY_METRICS = "metrics/decay.json"
WARMUP_METRICS = "metrics/warmup.json"
FRAGMENTS_METRICS = "metrics/fragments/{}.json"
PREFERENCE_METRICS = "metrics/preference/{}.json"
HEADLINE = "metrics/{}.json"
DETAIL = "metrics/detail/{}.json"
LATEST = "metrics/latest.json"
REPORT = "report"
