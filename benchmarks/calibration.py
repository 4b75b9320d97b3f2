"""The calibration error on the holdout of the sample, before and after calibration, for each algorithm.

    dvc repro transformation && python benchmarks/calibration.py

Prints a Markdown table. The parameters are those of params.yaml.
"""

from pipeline.config.contract import load_contract
from pipeline.config.parameters import load
from pipeline.data.artifacts import TEST, TRAIN
from pipeline.modelling.features import read_features
from pipeline.modelling.models import ALGORITHMS
from pipeline.modelling.parameters import TrainingParameters
from pipeline.modelling.scores import calibration_error, scores
from training import train


def main() -> None:
    contract, parameters = load_contract(), load("training", TrainingParameters)
    (features, target), (holdout, truth) = (read_features(folder, contract) for folder in (TRAIN, TEST))
    print("| algorithm | calibration | calibration error | 95 % interval | log loss | ROC AUC |")
    print("| --- | --- | --- | --- | --- | --- |")
    for algorithm in ALGORITHMS:
        for calibration in ("none", "sigmoid", "isotonic"):
            chosen = parameters.model_copy(update={"algorithm": algorithm, "calibration": calibration})
            model = train(features, target, chosen, contract)
            probability = model.predict_proba(holdout)[:, 1]
            error = calibration_error(truth.to_numpy(), probability)
            found = scores(truth.to_numpy(), probability, 0.5)
            interval = " to ".join(f"{end:.4f}" for end in error["calibration_error_interval"])
            numbers = error["calibration_error"], found["log_loss"], found["roc_auc"]
            value, loss, auc = (f"{number:.4f}" for number in numbers)
            print(f"| {algorithm} | {calibration} | {value} | {interval} | {loss} | {auc} |", flush=True)


if __name__ == "__main__":
    main()
