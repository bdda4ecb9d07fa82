"""Short names for keys of the experiment, the same for flags and for keywords in Python."""

KEYS = {
    "lr": "train.lr",
    "epochs": "train.epochs",
    "optimizer": "train.optimizer",
    "loss": "loss",
    "holdout": "data.split.holdout",
    "folds": "data.split.folds",
    "seed": "train.seed",
    "engine": "train.engine",
    "dtype": "train.dtype",
    "device": "train.device",
}
# Those of an experiment alone, which a sweep has no flags for.
ALONE = {
    "level": "uncertainty.level",
    "robust": "uncertainty.robust",
    "bootstrap": "uncertainty.bootstrap",
    "polish": "train.polish",
    "interval": "predict.interval",
    "group_by": "data.group_by",
    "checkpoint": "checkpoint.every_s",
}
