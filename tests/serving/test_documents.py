"""Documents over HTTP: made, found, changed by one at a time, and masked."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from marts import with_mart

PLOT = {"crop": {"name": "maize", "area": 2.5}, "visits": [1, 2], "open": True}


@pytest.fixture
def client(site, api):
    with_mart(site)
    return api.to("engineer")


def put(client, name, body=PLOT, **headers):
    return client.put(f"/documents/plots/{name}", json=body, headers=headers)


def found(client, *where):
    answer = client.get("/documents/plots", params={"where": list(where)})
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["documents"]]


def test_a_document_is_found_again_as_it_was_sent(client):
    assert put(client, "a").status_code == 201
    body = client.get("/documents/plots/a").json()
    assert (body["body"], body["revision"]) == (PLOT, 1)
    assert client.get("/documents").json() == [{"collection": "plots", "documents": 1}]


def test_put_twice_is_as_put_once(client):
    first, again = put(client, "a"), put(client, "a")
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_patch_merges_and_null_removes(client):
    put(client, "a")
    body = client.patch("/documents/plots/a", json={"crop": {"area": 3, "name": None}, "visits": [3]}).json()
    assert (body["body"], body["revision"]) == ({"crop": {"area": 3}, "visits": [3], "open": True}, 2)


def test_of_two_who_change_the_same_state_the_second_is_refused(client):
    etag = put(client, "a").headers["etag"]
    assert put(client, "a", {"x": 1}, **{"If-Match": etag}).status_code == 200
    late = client.patch("/documents/plots/a", json={"x": 2}, headers={"If-Match": etag})
    assert late.status_code == 412
    assert client.get("/documents/plots/a").json()["body"] == {"x": 1}
    assert client.delete("/documents/plots/a", headers={"If-Match": etag}).status_code == 412


def test_a_document_made_anew_has_another_etag(client):
    etag = put(client, "a").headers["etag"]
    assert client.delete("/documents/plots/a").status_code == 204
    assert put(client, "a").headers["etag"] != etag


def test_many_patches_at_once_are_all_kept(client):
    put(client, "a", {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: client.patch("/documents/plots/a", json={f"n{n}": n}), range(40)))
    body = client.get("/documents/plots/a").json()
    assert (len(body["body"]), body["revision"]) == (40, 41)


def test_the_same_sent_ten_times_with_a_key_is_one(client):
    def send(body):
        return client.post("/documents/plots", json={"body": body}, headers={"Idempotency-Key": "k1"})

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: send(PLOT), range(10)))
    assert sorted(one.status_code for one in answers) == [200] * 9 + [201]
    assert len({one.json()["id"] for one in answers}) == 1
    assert len(found(client)) == 1
    assert send({"other": 1}).status_code == 409


def test_an_id_is_given_once(client):
    assert client.post("/documents/plots", json={"id": "a", "body": {}}).status_code == 201
    assert client.post("/documents/plots", json={"id": "a", "body": {}}).status_code == 409


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        (["crop.name.eq.maize"], ["a", "c"]),
        (["crop.name.ne.maize"], ["b"]),
        (["crop.area.ge.2"], ["a", "b"]),
        (["crop.area.lt.2"], ["c"]),
        (["crop.name.like.be"], ["b"]),
        (["crop.name.in.beans,rice"], ["b"]),
        (["crop.name.eq.maize", "crop.area.gt.2"], ["a"]),
        (["open.eq.true"], ["a"]),
        (["open.is.null"], ["b", "c", "d"]),
        (["crop.is.notnull"], ["a", "b", "c"]),
        (['code.eq."5"'], ["d"]),
        (["code.eq.5"], []),
        (["code.ge.1"], []),
        (["visits.eq.1"], []),
        (["crop.name.eq.x' OR true --"], []),
    ],
)
def test_conditions_find_what_they_say(client, where, ids):
    put(client, "a")
    put(client, "b", {"crop": {"name": "beans", "area": 3}})
    put(client, "c", {"crop": {"name": "maize", "area": 1}, "open": None})
    put(client, "d", {"code": "5"})
    assert found(client, *where) == ids


@pytest.mark.parametrize("where", ["crop", "a..b.eq.1", "crop.name.is.x", "x.lt.true"])
def test_what_is_no_condition_is_refused(client, where):
    assert client.get("/documents/plots", params={"where": where}).status_code == 409


def test_pages_show_every_document_once(client):
    for n in range(7):
        put(client, f"d{n}", {"n": n})
    shown, after = [], None
    while True:
        page = client.get("/documents/plots", params={"limit": 3, **({"after": after} if after else {})}).json()
        shown += [one["id"] for one in page["documents"]]
        if (after := page["after"]) is None:
            break
    assert shown == [f"d{n}" for n in range(7)]


def test_the_index_serves_equality(client, site):
    site.connection.execute(
        "INSERT INTO documents.documents (collection, id, body, created_by, updated_by) SELECT 'plots', n::text,"
        " jsonb_build_object('crop', jsonb_build_object('name', 'c' || n)), 'x', 'x'"
        " FROM generate_series(1, 20000) AS n"
    )
    site.connection.execute("ANALYZE documents.documents")
    from lastmile.documents import parse

    clause = parse("crop.name.eq.c77").clause.as_string(site.connection)
    plan = "\n".join(
        row["QUERY PLAN"] for row in site.query(f"EXPLAIN SELECT * FROM documents.documents WHERE {clause}")
    )
    assert "documents_by_content" in plan
    assert found(client, "crop.name.eq.c77") == ["77"]


def test_personal_fields_are_masked_at_any_depth_and_are_no_oracle(client, api):
    put(client, "a", {"people": [{"name": "Canary", "age": 3}], "name": "Canary"})
    reader = api.to("analyst")
    assert "Canary" not in reader.get("/documents/plots/a").text + reader.get("/documents/plots").text
    assert reader.get("/documents/plots/a").json()["body"] == {"people": [{"name": "***", "age": 3}], "name": "***"}
    assert reader.get("/documents/plots", params={"where": "name.eq.Canary"}).status_code == 403
    assert client.get("/documents/plots/a").json()["body"]["name"] == "Canary"


def test_a_mask_is_not_written_over_what_it_hides(client, api):
    put(client, "a", {"name": "Canary"})
    writer = api.to("engineer", scopes=["read", "write"])
    shown = writer.get("/documents/plots/a").json()["body"]
    assert put(writer, "a", shown).status_code == 409
    assert writer.patch("/documents/plots/a", json={"x": 1}).json()["body"] == {"name": "***", "x": 1}
    assert client.get("/documents/plots/a").json()["body"] == {"name": "Canary", "x": 1}


def test_what_is_written_is_in_the_audit_log_without_values(client, site):
    put(client, "a", {"x": "value"})
    client.delete("/documents/plots/a")
    log = site.query("SELECT action, subject, rows FROM access.audit WHERE subject LIKE 'plots%%' ORDER BY id")
    assert [(one["action"], one["subject"]) for one in log] == [
        ("replace document", "plots/a"),
        ("delete document", "plots/a"),
    ]


@pytest.mark.parametrize("body", [{"x": "a" * 2**20}, {"x": "\0"}, {"x\0": 1}])
def test_a_document_that_cannot_be_kept_is_refused(client, body):
    assert put(client, "a", body).status_code == 409


@pytest.mark.parametrize("text", ['{"x": NaN}', '{"x": 1e999}', '{"x": ' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_what_is_no_json_or_endless_is_refused(client, text):
    answer = client.put("/documents/plots/a", content=text, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 409, 422)


def test_a_large_number_stays_what_it_is(client):
    put(client, "a", {"x": 2**70})
    assert client.get("/documents/plots/a").json()["body"] == {"x": 2**70}


def test_a_deep_document_is_refused(client):
    body = {}
    for _ in range(40):
        body = {"x": body}
    assert put(client, "a", body).status_code == 409


def test_readers_do_not_write(api, site):
    reader = api.to("viewer")
    assert put(reader, "a").status_code == 403
    assert reader.get("/documents/plots/a").status_code == 404
