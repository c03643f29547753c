"""A group reads what the environment says, names every fault at once, and never shows a secret."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from lastmile.errors import UserError
from lastmile.settings.group import at_least, begins_with, effective, faults, load, one_of, variable


@dataclass(frozen=True)
class Backups:
    url: str | None = variable("X_URL", "Where.", None, example="s3://b", check=begins_with("s3://", "file://"))
    keep: int = variable("X_KEEP", "How many.", 30, check=at_least(1))
    hours: float = variable("X_HOURS", "How often.", 24.0, check=at_least(0.5))
    folder: Path = variable("X_FOLDER", "Where to work.", Path("/tmp"))
    names: tuple[str, ...] = variable("X_NAMES", "Of what.", ())
    is_on: bool = variable("X_ON", "Whether.", False)
    kind: str = variable("X_KIND", "Which.", "full", check=one_of("full", "incremental"))
    password: str | None = variable(
        "X_PASSWORD",
        "Of the store.",
        None,
        secret=True,
        check=lambda text: "expected digits" if text.isalpha() else None,
    )

    def __post_init__(self) -> None:
        if self.is_on and not self.url:
            raise UserError("X_ON is set: set X_URL as well")


VALID = {
    "X_URL": "s3://bucket",
    "X_KEEP": " 7\n",
    "X_HOURS": "1.5",
    "X_FOLDER": "~/here",
    "X_NAMES": "a, b,,c",
    "X_ON": "true",
    "X_KIND": "incremental",
    "X_PASSWORD": "123",
}
#: Text as an environment can hold it: without NUL, and of what UTF-8 can write.
texts = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


def test_with_nothing_set_all_is_the_default():
    assert load(Backups, {}) == Backups()
    assert load(Backups, dict.fromkeys(VALID, " ")) == Backups()


def test_each_value_has_its_type():
    found = load(Backups, VALID)
    assert found == Backups("s3://bucket", 7, 1.5, Path.home() / "here", ("a", "b", "c"), True, "incremental", "123")


def test_every_fault_is_named_at_once_with_its_variable_its_value_and_what_was_expected():
    wrong = {"X_URL": "ftp://b", "X_KEEP": "0", "X_HOURS": "often", "X_ON": "perhaps", "X_KIND": "half"}
    with pytest.raises(UserError) as raised:
        load(Backups, wrong)
    said = str(raised.value)
    assert "X_URL is 'ftp://b': expected it to begin with s3:// or file://, such as s3://b" in said
    assert "X_KEEP is '0': expected a number of 1 or more" in said
    assert "X_HOURS is 'often': expected a valid number" in said
    assert "X_ON is 'perhaps': expected a valid boolean" in said
    assert "X_KIND is 'half': expected full or incremental" in said
    assert len(faults(Backups, wrong)) == len(wrong)


@pytest.mark.parametrize("number", ["inf", "-inf", "nan", "1e999"])
def test_a_number_that_is_none_is_refused(number):
    assert len(faults(Backups, {"X_HOURS": number})) == 1


def test_what_holds_between_variables_is_a_fault_too():
    assert faults(Backups, {"X_ON": "1"}) == ["X_ON is set: set X_URL as well"]
    assert faults(Backups, {"X_ON": "1", "X_URL": "s3://b"}) == []


def test_a_secret_is_in_no_message_wherever_it_is_from(tmp_path):
    file = tmp_path / "password"
    file.write_text("letters")
    for environ in ({"X_PASSWORD": "letters"}, {"X_PASSWORD_FILE": str(file)}):
        [said] = faults(Backups, environ)
        assert said.startswith("X_PASSWORD cannot be used")
        assert "letters" not in said


def test_a_password_within_an_address_is_in_no_message():
    [said] = faults(Backups, {"X_URL": "https://me:pass:w@rd@host/x"})
    assert "https://me:***@host/x" in said


def test_a_value_in_a_mounted_file_is_that_of_the_variable_unless_that_is_set(tmp_path):
    file = tmp_path / "keep"
    file.write_text("9\n")
    assert load(Backups, {"X_KEEP_FILE": str(file)}).keep == 9
    assert load(Backups, {"X_KEEP_FILE": str(file), "X_KEEP": "4"}).keep == 4
    sources = {one.variable.name: one.source for one in effective(Backups, {"X_KEEP_FILE": str(file), "X_NAMES": "a"})}
    assert (sources["X_KEEP"], sources["X_NAMES"], sources["X_URL"]) == (f"file {file}", "environment", "default")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda file: None, "No such file"),
        (lambda file: file.mkdir(), "directory"),
        (lambda file: file.write_text(" \n"), "is empty"),
        (lambda file: file.write_bytes(b"\xff\xfe"), "utf-8"),
        (lambda file: file.write_text("9" * 70_000), "longer than any setting"),
        (lambda file: (file.write_text("9"), file.chmod(0o666)), "chmod o-w"),
    ],
    ids=["missing", "folder", "empty", "binary", "long", "open to all"],
)
def test_a_file_that_cannot_be_the_value_is_named_with_what_to_do(tmp_path, make, reason):
    file = tmp_path / "keep"
    make(file)
    [said] = faults(Backups, {"X_KEEP_FILE": str(file)})
    assert said.startswith(f"X_KEEP_FILE names {file}")
    assert reason in said


@examples(st.dictionaries(st.sampled_from([*VALID, *(f"{name}_FILE" for name in VALID)]), texts))
def test_whatever_is_set_each_fault_names_its_variable_and_nothing_else_is_raised(environ):
    found = faults(Backups, environ)
    assert all(said.startswith(tuple(environ)) for said in found)
    if found:
        with pytest.raises(UserError):
            load(Backups, environ)
    else:
        assert effective(Backups, environ)[1].value == load(Backups, environ).keep


@examples(st.integers(1, 10**12), st.floats(0.5, 1e9), st.booleans())
def test_a_value_written_down_is_read_as_itself(keep, hours, is_on):
    environ = {"X_KEEP": str(keep), "X_HOURS": repr(hours), "X_ON": str(is_on), "X_URL": "s3://b"}
    found = load(Backups, environ)
    assert (found.keep, found.hours, found.is_on) == (keep, hours, is_on)
