"""What a prediction is requested by, and what is answered."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from lastmile.serving.parameters import MOST, NO_NUL, Name, named

#: Rows of one request, and entities looked up for one.
MOST_ROWS, MOST_IDS = 10_000, 1_000

Text = Annotated[str, Field(max_length=1_024, pattern=NO_NUL)]


def _whole(found: Any) -> Any:
    """JSON knows one kind of number: `1.0` is whole."""
    return int(found) if isinstance(found, float) and found.is_integer() else found


Whole = Annotated[int, BeforeValidator(_whole), Field(ge=-MOST, le=MOST)]
Key = Text | Whole
Entity = Annotated[dict[Name, Key], Field(min_length=1, max_length=16, json_schema_extra=named)]
Row = dict[str, Any]


def _any_of(*names: str) -> dict[str, Any]:
    return {"anyOf": [{"required": [name]} for name in names]}


class Body(BaseModel):
    """One of `row`, `rows` and `ids`."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={
            "oneOf": [
                {"required": ["row"], "not": _any_of("rows", "ids", "entities")},
                {"required": ["rows"], "not": _any_of("row", "ids", "entity")},
                {"required": ["ids"], "not": _any_of("row", "rows", "entity", "entities")},
            ]
        },
    )

    row: Annotated[
        Row,
        Field(
            default=None,
            description="one row: values by input, what may be missing may be left out",
        ),
    ]
    rows: Annotated[list[Row], Field(default=None, min_length=1, max_length=MOST_ROWS, description="many rows")]
    ids: Annotated[
        list[Key | Entity],
        Field(
            default=None,
            min_length=1,
            max_length=MOST_IDS,
            description="entities whose newest features are known here: keys, or objects of the key's columns",
        ),
    ]
    entity: Annotated[
        Entity,
        Field(default=None, description="what `row` is about: the entity's columns and first day of its partition"),
    ]
    entities: Annotated[
        list[Entity | None], Field(default=None, max_length=MOST_ROWS, description="the same of each of `rows`")
    ]
    version: Annotated[
        str, Field(pattern=r"^(champion|[1-9][0-9]{0,8})$", description="`champion`, or the number of a version")
    ] = "champion"
    reasons: Annotated[bool, Field(description="say of each row which inputs move its prediction most")] = False
    experiment: Annotated[bool, Field(description="false: stay out of a running experiment")] = True

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = self.model_fields_set
        if len(given & {"row", "rows", "ids"}) != 1:
            raise ValueError("exactly one of row, rows and ids")
        if ("entity" in given and "row" not in given) or ("entities" in given and "rows" not in given):
            raise ValueError("entity together with row, entities together with rows")
        return self


class Reason(BaseModel):
    """An input, and what the prediction would lose with the typical value in its place."""

    input: str
    value: str | float | bool | None
    typical: str | float | bool | None
    effect: float = Field(
        description="on the question's probability, that of the level where there is no question, or the value"
    )


class Prediction(BaseModel):
    """Of one row. A level with probabilities, or a value with the interval it is likely in."""

    version: str | None = Field(default=None, description="that answered")
    variant: str | None = Field(default=None, description="`control` or `treatment`, within an experiment")
    level: str | None = None
    probabilities: dict[str, float] | None = Field(default=None, description="by level; they add up to 1")
    probability: float | None = Field(default=None, description="that the question is answered yes")
    value: float | None = None
    low: float | None = None
    high: float | None = None
    measured: str | float | None = Field(default=None, description="of an entity whose target is known: that")
    reasons: list[Reason] | None = None
    problem: str | None = Field(default=None, description="why there is no prediction")


class Predictions(BaseModel):
    """In the order of the request."""

    model: str
    version: str = Field(description="requested or in use; within an experiment rows name their own")
    instead_of: str | None = Field(description="why it is not the champion that answers")
    target: str
    unit: str | None = Field(description="of the value")
    question: str | None = Field(description="that `probability` answers")
    experiment: str | None
    note: str | None = Field(description="what was requested and could not be done")
    predictions: list[Prediction]
