"""`lastmile drop`: files end up under the right keys, and a mistake is reported before anything is uploaded."""

import pytest

from lastmile.cli.drop import drop
from lastmile.errors import UserError


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "survey"
    (folder / "inner").mkdir(parents=True)
    (folder / "a.csv").write_text("hhid\n1\n")
    (folder / "inner" / "b.csv").write_text("hhid\n2\n")
    return folder


def keys(store):
    return [listed.key for listed in store.list("landing/")]


def test_a_file_lands_under_its_dataset_and_partition(store, files):
    drop([files / "a.csv"], "hhinfo", "2019")
    assert keys(store) == ["landing/hhinfo/2019/a.csv"]
    assert store.read("landing/hhinfo/2019/a.csv") == b"hhid\n1\n"


def test_a_folder_keeps_its_inner_paths(store, files):
    drop([files], "crop", "2019")
    assert keys(store) == ["landing/crop/2019/a.csv", "landing/crop/2019/inner/b.csv"]


def test_a_file_can_be_given_another_name(store, files):
    drop([files / "a.csv"], "hhinfo", "2019", name="ke_abc_2019/hhinfo.csv")
    assert keys(store) == ["landing/hhinfo/2019/ke_abc_2019/hhinfo.csv"]


def test_the_same_name_with_other_bytes_is_another_version(store, files):
    drop([files / "a.csv"], "hhinfo", "2019", name="x.csv")
    first = next(store.list("landing/"))
    drop([files / "inner" / "b.csv"], "hhinfo", "2019", name="x.csv")
    assert next(store.list("landing/")).version != first.version


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"dataset": "nothing"}, "no dataset 'nothing'; there are: access_log, comments, crop"),
        ({"partition": "20x9"}, "'20x9' is not a year: expected the form '2010'"),
        ({"partition": "1850"}, "'1850' is outside 2010 to"),
        ({"name": "../secret.csv"}, "'../secret.csv' cannot be a name"),
        ({"name": "/etc/passwd"}, "'/etc/passwd' cannot be a name"),
        ({"name": "a\u202ecsv.exe"}, "cannot be a name"),
        ({"name": "a.csv.tmp"}, "still being written"),
    ],
)
def test_a_mistake_is_reported_and_nothing_is_uploaded(store, files, arguments, said):
    with pytest.raises(UserError) as error:
        drop([files / "a.csv"], **{"dataset": "hhinfo", "partition": "2019", **arguments})
    assert said in str(error.value)
    assert keys(store) == []


def test_one_unreadable_path_among_several_puts_nothing(store, files):
    with pytest.raises(UserError, match="no file or folder"):
        drop([files / "a.csv", files / "gone.csv"], "hhinfo", "2019")
    (files / "dangling.csv").symlink_to(files / "nowhere")
    with pytest.raises(UserError, match="no file or folder"):
        drop([files / "a.csv", files / "dangling.csv"], "hhinfo", "2019")
    assert keys(store) == []


def test_an_empty_folder_is_reported(store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="folder without files"):
        drop([tmp_path / "empty"], "hhinfo", "2019")


def test_two_files_that_would_get_one_name_are_reported(store, files):
    (files / "inner" / "a.csv").write_text("x")
    with pytest.raises(UserError, match=r"would both be called 'a.csv'"):
        drop([files / "a.csv", files / "inner" / "a.csv"], "hhinfo", "2019")
    assert keys(store) == []


def test_a_name_for_several_files_is_reported(store, files):
    with pytest.raises(UserError, match="--as names one file"):
        drop([files], "hhinfo", "2019", name="x.csv")
