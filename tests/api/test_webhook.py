"""The webhook: what a receiver can verify about a post, and what happens to an undeliverable one."""

import hashlib
import hmac
import json
import logging
import socket
import time

import pytest

from api.webhook import TRIES, announce
from rag.settings import Settings
from tests.receiving import Receiver, receiving

SECRET = "a shared secret"
TOLD = {"corpus": "handbook", "added": ["caf\u00e9.md"], "failed": {"\udce9.md": "no text"}}


def test_a_post_proves_when_and_by_whom_it_was_sent() -> None:
    began = int(time.time())
    with receiving(Receiver()) as receiver:
        assert announce(Settings(webhook_url=receiver.url, webhook_secret=SECRET), TOLD)
    [(headers, body)] = receiver.posts
    assert json.loads(body) == TOLD
    assert headers["Content-Type"] == "application/json"
    assert began <= int(headers["X-Ibid-Timestamp"]) <= time.time()
    expected = hmac.new(
        SECRET.encode(), headers["X-Ibid-Timestamp"].encode() + b"." + body, hashlib.sha256
    ).hexdigest()
    assert headers["X-Ibid-Signature"] == f"sha256={expected}"


def test_without_a_secret_nothing_is_signed_and_without_an_address_nothing_sent() -> None:
    with receiving(Receiver()) as receiver:
        assert announce(Settings(webhook_url=receiver.url), TOLD)
        assert not announce(Settings(webhook_secret=SECRET), TOLD)
    [(headers, _)] = receiver.posts
    assert "X-Ibid-Signature" not in headers


def test_it_is_tried_three_times(caplog: pytest.LogCaptureFixture) -> None:
    with receiving(Receiver(fails=TRIES - 1)) as receiver:
        assert announce(Settings(webhook_url=receiver.url), TOLD)
    assert len(receiver.posts) == TRIES == 3
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    with receiving(Receiver(fails=TRIES)) as receiver:
        assert not announce(Settings(webhook_url=f"{receiver.url}?token=hidden"), TOLD)
    assert len(receiver.posts) == TRIES
    [warning] = [r.getMessage() for r in caplog.records if r.name == "api.webhook"]
    assert "status 503" in warning
    assert "hidden" not in warning


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1/x", "http://[::1", "http://127.0.0.1:{closed}/"])
def test_an_address_that_nobody_answers_at_is_said_and_no_error(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # not listening
        url = url.replace("{closed}", str(unused.getsockname()[1]))
        assert not announce(Settings(webhook_url=url), TOLD)
    assert "could not be told of the sync" in caplog.text
