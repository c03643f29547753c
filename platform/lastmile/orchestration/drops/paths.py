"""How the assets of a dataset are called: the graph shows the last part only, so it is another one for each."""


def raw_path(dataset: str) -> list[str]:
    return ["raw", f"{dataset}_drops"]


def cleaned_path(dataset: str) -> list[str]:
    return ["cleaned", dataset]


def quarantine_path(dataset: str) -> list[str]:
    return ["quarantine", f"{dataset}_rows"]
