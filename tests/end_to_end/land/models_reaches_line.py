"""Whether a household's value per person reaches the line, from its land and animals."""

from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from assets.household_survey.features.household_land import features
from lastmile.learning import Classification, Model


def estimator() -> Pipeline:
    return make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(random_state=0))


model = Model(
    name="reaches_line",
    description="Whether a household's value per person reaches the line, from its land and animals.",
    owner="team:analytics",
    features=features,
    target="reaches_line",
    task=Classification(("yes", "no"), question="reached", positive=("yes",)),
    estimator=estimator,
)
