"""Tell another program what a sync did: a signed POST to IBID_WEBHOOK_URL."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from typing import Any

import httpx

from rag.answer.openai_client import shown_url
from rag.settings import Settings

log = logging.getLogger(__name__)
TRIES = 3
PAUSE_S = 1.0  # before the second try, and twice that before the third
TIMEOUT_S = 10.0


def announce(settings: Settings, told: Mapping[str, Any]) -> bool:
    """POST a JSON object, where the settings name an address; return whether it arrived.

    A failed delivery is logged and is no error: the sync is done.
    """
    url = settings.webhook.webhook_url.get_secret_value()
    secret = settings.webhook.webhook_secret.get_secret_value()
    if not url:
        return False
    body, reason = json.dumps(told).encode(), ""
    for attempt in range(TRIES):
        time.sleep(PAUSE_S * attempt)
        headers = {"Content-Type": "application/json", **signed(body, secret)}
        try:
            response = httpx.post(url, content=body, headers=headers, timeout=TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = type(error).__name__
            continue
        if response.is_success:
            return True
        reason = f"status {response.status_code}"
    log.warning(
        "The webhook at %s could not be told of the sync (%s; %d tries); check IBID_WEBHOOK_URL.",
        shown_url(url) or "its address",
        reason,
        TRIES,
    )
    return False


def signed(body: bytes, secret: str) -> dict[str, str]:
    """Return the headers that say when a body was sent and, where there is a secret, prove by whom.

    The signature is over the timestamp, a dot and the body: a receiver that refuses old timestamps cannot
    be told the same thing twice.
    """
    timestamp = str(int(time.time()))
    headers = {"X-Ibid-Timestamp": timestamp}
    if secret:
        digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers["X-Ibid-Signature"] = f"sha256={digest}"
    return headers
