"""Under which keys the assets of a dataset stand; each layer is a group of its own in the graph."""


def raw_path(dataset: str) -> list[str]:
    return ["raw", dataset]


def cleaned_path(dataset: str) -> list[str]:
    return ["cleaned", dataset]


def quarantine_path(dataset: str) -> list[str]:
    return ["quarantine", dataset]
