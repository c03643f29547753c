"""Who a request is from: keys of settings, tokens that are renewed, and no secret in any message."""

import base64

import pytest
from rest_server import Reply

from lastmile.errors import UserError
from lastmile.sources import Bearer, ClientCredentials, HeaderKey, QueryKey, Setting

KEY = Setting("LASTMILE_SOURCE_TEST_KEY")
SECRET = "s3cr+t/key"  # has what addresses write in another way


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(KEY.name, SECRET)
    monkeypatch.setenv("LASTMILE_SOURCE_TEST_ID", "client")


def test_a_key_is_sent_where_the_source_says(trying):
    trying.api.serve("/visits", [{}])
    trying.fetch(authentication=HeaderKey(KEY))
    trying.fetch(authentication=QueryKey(KEY, "key"), params={"country": "KE"})
    trying.fetch(authentication=Bearer(KEY))
    header, query, bearer = trying.api.requests
    assert header.headers["x-api-key"] == SECRET
    assert query.params == {"key": SECRET, "country": "KE"}
    assert bearer.headers["authorization"] == f"Bearer {SECRET}"


def test_a_key_may_be_in_a_file(trying, monkeypatch, tmp_path):
    file = tmp_path / "key"
    file.write_text("from a file\n")
    monkeypatch.delenv(KEY.name)
    monkeypatch.setenv(f"{KEY.name}_FILE", str(file))
    trying.api.serve("/visits", [{}])
    trying.fetch(authentication=HeaderKey(KEY))
    assert trying.api.requests[0].headers["x-api-key"] == "from a file"


def test_a_key_that_is_not_set_is_named_before_anything_is_requested(trying, monkeypatch):
    monkeypatch.delenv(KEY.name)
    with pytest.raises(UserError, match="LASTMILE_SOURCE_TEST_KEY is not set"):
        trying.fetch(authentication=Bearer(KEY))
    assert trying.api.requests == []


@pytest.mark.parametrize("status", [403, 503])
def test_no_message_has_a_secret_in_it_even_where_the_server_says_it(trying, status):
    trying.api.routes["/visits"] = lambda _: Reply(f"bad key {SECRET}".encode(), status)
    with pytest.raises(UserError) as raised:
        trying.fetch(authentication=QueryKey(KEY), attempts=1)
    assert "bad key ***" in str(raised.value)
    for text in (str(raised.value), trying.said):
        assert "s3cr" not in text


def credentials(trying, **more):
    return ClientCredentials(
        token_url=f"{trying.api.url}/token", client_id=Setting("LASTMILE_SOURCE_TEST_ID"), client_secret=KEY, **more
    )


def tokens(trying, life=3600):
    """Each token is good until it is revoked; the newest only."""
    issued = []

    def token(request):
        issued.append(f"token{len(issued) + 1}")
        return Reply({"access_token": issued[-1], "expires_in": life, "token_type": "bearer"})

    def visits(request):
        good = request.headers["authorization"] == f"Bearer {issued[-1]}" and "revoked" not in issued[-1:]
        return Reply([{"visit": "v1"}]) if good else Reply({"error": "expired"}, 401)

    trying.api.routes |= {"/token": token, "/visits": visits}
    return issued


def test_a_token_is_requested_once_as_the_standard_says_and_sent_with_each_page(trying):
    from lastmile.sources import PageNumber

    tokens(trying)
    records = iter([[{"visit": "v1"}], [{"visit": "v2"}], []])
    trying.api.routes["/visits"] = lambda _: Reply(next(records))
    trying.fetch(authentication=credentials(trying, scope="read"), pages=PageNumber())
    token, *pages = trying.api.requests
    assert token.method == "POST"
    assert token.form == {"grant_type": "client_credentials", "scope": "read"}
    assert base64.b64decode(token.headers["authorization"].removeprefix("Basic ")).decode() == f"client:{SECRET}"
    assert [page.headers["authorization"] for page in pages] == ["Bearer token1"] * 3


def test_id_and_secret_may_be_sent_in_the_body(trying):
    tokens(trying)
    trying.fetch(authentication=credentials(trying, in_body=True))
    assert trying.api.requests[0].form["client_secret"] == SECRET
    assert "authorization" not in trying.api.requests[0].headers


def test_a_token_that_has_run_out_is_renewed_before_it_is_used(trying):
    from lastmile.sources import PageNumber

    issued = tokens(trying, life=1)
    pages = iter([[{"visit": "v1"}], []])
    trying.api.routes["/visits"] = lambda _: Reply(next(pages))
    trying.fetch(authentication=credentials(trying), pages=PageNumber())
    assert issued == ["token1", "token2"]


def test_a_token_that_is_refused_is_renewed_once(trying):
    from lastmile.sources import PageNumber

    issued = tokens(trying)
    good = trying.api.routes["/visits"]

    def first_revoked(request):
        if request.params["page"] == "2":
            return good(request) if request.headers["authorization"] == "Bearer token2" else Reply(b"", 401)
        return good(request) if request.params["page"] == "1" else Reply([])

    trying.api.routes["/visits"] = first_revoked
    with pytest.raises(UserError, match="the same records"):  # the second page was had, with the second token
        trying.fetch(authentication=credentials(trying), pages=PageNumber())
    assert issued == ["token1", "token2"]


def test_a_token_that_is_refused_again_is_final(trying):
    issued = tokens(trying)
    trying.api.routes["/visits"] = lambda _: Reply(b"not for you", 401)
    with pytest.raises(UserError, match="401 Unauthorized, 'not for you'; check the setting of its key"):
        trying.fetch(authentication=credentials(trying))
    assert len(issued) == 1


def test_the_server_of_tokens_is_tried_again_where_it_is_busy_and_believed_where_it_refuses(trying):
    tokens(trying)
    trying.api.next.append(Reply(b"", 503))
    assert trying.fetch(authentication=credentials(trying)).records == 1
    trying.api.routes["/token"] = lambda _: Reply({"error": "invalid_client"}, 401)
    with pytest.raises(UserError, match=r"the token: .*/token answers 401 .*invalid_client"):
        trying.fetch(authentication=credentials(trying))


def test_a_secret_cannot_be_written_into_a_declaration():
    with pytest.raises(UserError, match="expected a name that begins with LASTMILE_SOURCE_"):
        Setting("abc123secret")
