"""What a process that loads code hands to those that load the same code later, such as the workers of its runs."""

from dagster._core.definitions.definitions_load_context import DefinitionsLoadContext, DefinitionsLoadType


def handed_down(key: str) -> str | None:
    """What the code server handed down; None where it handed nothing, or this process is not one of its runs."""
    context = DefinitionsLoadContext.get()
    if context.load_type != DefinitionsLoadType.RECONSTRUCTION:
        return None
    value = context.reconstruction_metadata.get(key)
    return value if isinstance(value, str) else None


def hand_down(key: str, value: str) -> None:
    """Give it to the processes that load this code for runs of it."""
    DefinitionsLoadContext.get().add_to_pending_reconstruction_metadata(key, value)
