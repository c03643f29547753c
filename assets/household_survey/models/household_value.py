"""What each member of a household has to live on, for those whose own value cannot be computed."""

from assets.household_survey.features.household_vulnerability import features
from assets.household_survey.value import value_regressor
from lastmile.learning import Grouped, Model, Regression

model = Model(
    name="household_value",
    description="Predicts what each member of a household has to live on, with the interval it is likely in.",
    owner="team:analytics",
    features=features,
    target="value_ppp_per_person_per_day",
    task=Regression(unit="PPP$/person/day", log=True),
    estimator=value_regressor,
    # A single value mistyped by a thousand would outweigh all others in a mean of errors.
    metrics=("mean_squared_log_error", "median_absolute_error", "mean_absolute_error", "r2_score"),
    split=Grouped(folds=5),
    users="Programme teams, for groups of households; the value of a single one only with its interval.",
)
