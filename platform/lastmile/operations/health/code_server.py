"""The code server, by the health check of gRPC's own protocol, which Dagster's server answers.

The message has one field each way, so none of the generated classes is imported.
"""

from lastmile.operations.health.finding import Finding

NAME = "code-server"
_CHECK = "/grpc.health.v1.Health/Check"
_SERVICE = b"DagsterApi"
_REQUEST = bytes([0x0A, len(_SERVICE)]) + _SERVICE  # field 1: the service
_SERVING = b"\x08\x01"  # field 1: the status
_SECONDS = 4.0


def answers(port: int, live: bool) -> Finding:
    """It lives where it answers anything; it is ready where it says that it serves."""
    import grpc  # type: ignore[import-untyped]  # Dagster brings it, without types

    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)])
    try:
        answer = channel.unary_unary(_CHECK)(_REQUEST, timeout=_SECONDS)
    except grpc.RpcError as error:
        if live and error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
            return Finding(NAME, True, f"answers on port {port}")
        said = f"no answer on port {port} ({error.code().name.lower()})"
        return Finding(NAME, False, f"{said}; see logs/code-server.log in the home for what cannot be loaded")
    finally:
        channel.close()
    if live or answer == _SERVING:
        return Finding(NAME, True, f"answers on port {port}")
    return Finding(NAME, False, "the code server does not serve yet: it loads the code; see logs/code-server.log")
