"""Whether the air of an hour is dusty, from the weather."""

from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from assets.air_quality.features.air_hour import features
from lastmile.learning import Classification, Grouped, Model


def estimator() -> Pipeline:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), features.names("categorical")),
        (numbers, features.names("numeric")),
    )
    return make_pipeline(encode, LogisticRegression(max_iter=500, random_state=0))


model = Model(
    name="dusty_air",
    description="Whether the air of an hour is dusty, from the weather.",
    owner="team:air",
    features=features,
    target="air",
    task=Classification(("clean", "dusty"), question="dusty", positive=("dusty",)),
    estimator=estimator,
    split=Grouped(folds=3),
)
