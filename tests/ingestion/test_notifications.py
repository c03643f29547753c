"""Notifications of a bucket make discovery faster; it works whatever the queue delivers, or without it."""

import json
from urllib.parse import quote_plus

import boto3
import pytest
from end_to_end.installation import wait_for
from visits import VISITS

from lastmile.cli.doctor import examine
from lastmile.errors import UserError
from lastmile.ingestion.discovery import notifications
from lastmile.ingestion.discovery.notifications import drain, keys_in
from lastmile.settings import Settings

pytestmark = pytest.mark.every_store

CONTRACTS = {"visits": VISITS}
BUCKET = "s3://bucket/a/prefix"
KEY = "landing/visits/2020/a.csv"


@pytest.fixture
def site(site):
    if not site.store.url.startswith("s3://"):
        pytest.skip("folders send no notifications")
    return site


@pytest.fixture
def sqs(site):
    return boto3.client("sqs")


@pytest.fixture
def queue(site, sqs):
    """A queue that the site's bucket notifies of new objects, as a real one does."""
    url = sqs.create_queue(QueueName=site.store.url.removeprefix("s3://").replace("/", "-"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    boto3.client("s3").put_bucket_notification_configuration(
        Bucket=site.store.url.split("/")[2],
        NotificationConfiguration={"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]},
    )
    return url


def sent_by_s3(key, bucket="bucket", **more):
    return {"Records": [{"s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), **more}}}]}


def waiting(sqs, queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    return sum(map(int, sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"].values()))


def put_notified(site, queue, sqs, name, rows):
    """Put a drop and wait for its notification, which a bucket sends after it has answered."""
    before = waiting(sqs, queue)
    key = site.put_rows(name, rows)
    wait_for(lambda: waiting(sqs, queue) > before, 30, every=0.01)
    return key


def entered(site, queue):
    return drain(site.connection, site.store, CONTRACTS, queue)


@pytest.mark.behaviour(number=4)
def test_a_drop_with_several_notifications_is_loaded_once(site, queue, sqs):
    put_notified(site, queue, sqs, "a.csv", "v1,3,2,1,done")
    bucket, _, prefix = site.store.url.removeprefix("s3://").partition("/")
    for _ in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(sent_by_s3(f"{prefix}/{KEY}", bucket)))
    assert waiting(sqs, queue) > 3
    assert (entered(site, queue), site.discover(), entered(site, queue)) == (1, 0, 0)
    assert waiting(sqs, queue) == 0
    assert [outcome.state for outcome in site.take()] == ["loaded"]
    assert entered(site, queue) == 0  # although the bucket sent a notification of the cleaned file


@pytest.mark.behaviour(number=5)
def test_notifications_out_of_order_end_with_the_newest_version_current(site, queue, sqs):
    for rows in ("v1,3,2,1,done", "v2,3,2,1,done", "v3,3,2,1,done"):
        put_notified(site, queue, sqs, "a.csv", rows)
    sent = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        sent += [message["Body"] for message in messages]
    for body in reversed(sent):
        sqs.send_message(QueueUrl=queue, MessageBody=body)
        entered(site, queue)
        site.take()
    assert site.visits() == ["v3"]


@pytest.mark.behaviour(number=6)
def test_a_notification_that_never_came_is_made_good_by_the_next_listing(site, queue, sqs):
    put_notified(site, queue, sqs, "a.csv", "v1,3,2,1,done")
    sqs.purge_queue(QueueUrl=queue)
    put_notified(site, queue, sqs, "b.csv", "v2,3,2,1,done")
    assert (entered(site, queue), site.discover()) == (1, 1)
    site.take()
    assert site.visits() == ["v1", "v2"]


@pytest.mark.behaviour(number=7)
def test_a_notification_of_what_is_gone_is_no_drop(site, queue, sqs):
    site.store.delete(put_notified(site, queue, sqs, "a.csv", "v1,3,2,1,done"))
    assert entered(site, queue) == 0
    assert waiting(sqs, queue) == 0


def test_unrelated_messages_are_deleted_from_the_queue_and_logged(site, queue, sqs, caplog):
    odd = ["", "no json", "[1]", "null", '{"Records": 5}', '{"Records": [{"s3": 1}]}', "[" * 50_000, '{"hello": "you"}']
    for body in [*filter(None, odd), json.dumps(sent_by_s3("landing/visits/2020/x.csv", "foreign-bucket"))]:
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    put_notified(site, queue, sqs, "a.csv", "v1,3,2,1,done")
    assert entered(site, queue) == 1
    assert waiting(sqs, queue) == 0
    assert "not a notification of a bucket" in caplog.text
    assert "foreign-bucket" in caplog.text


def test_a_hostile_key_in_a_message_is_not_requested_from_the_store(site, queue, sqs):
    bucket, _, prefix = site.store.url.removeprefix("s3://").partition("/")
    for name in ("../../x", "b\x01c", "/etc/passwd"):
        body = json.dumps(sent_by_s3(f"{prefix}/landing/visits/2020/{name}", bucket))
        sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert entered(site, queue) == 0


def test_a_message_stays_on_the_queue_until_its_drop_is_entered(site, queue, sqs, monkeypatch):
    put_notified(site, queue, sqs, "a.csv", "v1,3,2,1,done")
    monkeypatch.setattr(notifications, "_VISIBILITY_SECONDS", 1)
    with monkeypatch.context() as broken:
        broken.setattr(notifications, "register_objects", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            entered(site, queue)
    assert waiting(sqs, queue) > 0


@pytest.mark.behaviour(number=8)
def test_a_long_queue_is_drained_in_bounded_parts(site, queue, sqs, monkeypatch):
    monkeypatch.setattr(notifications, "MAX_MESSAGES", 20)
    for number in range(30):
        put_notified(site, queue, sqs, f"{number}.csv", f"v{number},3,2,1,done")
    found = []
    while not found or found[-1]:
        found.append(entered(site, queue))
    assert sum(found) == 30
    assert max(found) <= 20


def test_an_unreachable_queue_is_reported_with_what_to_check(site):
    with pytest.raises(UserError, match=r"cannot read the queue .*/nothing: .* check LASTMILE_NOTIFICATIONS_URL"):
        entered(site, f"{boto3.client('sqs').meta.endpoint_url}/000000000000/nothing")


def test_the_doctor_reports_how_many_notifications_wait_and_what_is_wrong_with_the_queue(site, queue, sqs, monkeypatch):
    for address, expected in ((queue, " wait in "), (f"{queue}-elsewhere", "check LASTMILE_NOTIFICATIONS_URL")):
        monkeypatch.setenv("LASTMILE_NOTIFICATIONS_URL", address)
        sqs.send_message(QueueUrl=queue, MessageBody="{}")
        findings = examine(Settings.from_environment())
        assert expected in next(found.found for found in findings if found.check == "notifications")


@pytest.mark.parametrize(
    "message",
    [
        sent_by_s3(f"a/prefix/{KEY}"),
        {"Type": "Notification", "Message": json.dumps(sent_by_s3(f"a/prefix/{KEY}"))},
        {"source": "aws.s3", "detail": {"bucket": {"name": "bucket"}, "object": {"key": f"a/prefix/{KEY}"}}},
    ],
)
def test_notifications_are_read_from_s3_itself_from_sns_and_from_eventbridge(message):
    assert keys_in(json.dumps(message), BUCKET) == [KEY]


def test_keys_are_read_as_s3_writes_them():
    written = "a/prefix/landing/visits/2020/Größe+50% (1).csv"
    assert keys_in(json.dumps(sent_by_s3(written)), BUCKET) == [written.removeprefix("a/prefix/")]


@pytest.mark.parametrize(
    "key",
    [
        "other/prefix/landing/visits/2020/a.csv",
        "a/prefix/cleaned/x",
        "a/prefix/landing/.x",
        "a/prefix/landing/visits/2020/_temporary/0/task_1/a.csv",
    ],
)
def test_objects_elsewhere_or_unfinished_are_not_inspected(key):
    assert keys_in(json.dumps(sent_by_s3(key)), BUCKET) == []


def test_the_message_that_s3_sends_to_try_a_queue_means_nothing(caplog):
    assert keys_in('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"}', BUCKET) == []
    assert caplog.text == ""
