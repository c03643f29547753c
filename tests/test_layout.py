"""Traps of the project's own folders."""

from checkout import PROJECT


def test_the_folder_platform_does_not_hide_the_standard_library() -> None:
    assert not (PROJECT / "platform" / "__init__.py").exists()
