"""A language model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a cloud."""

from __future__ import annotations

from typing import Any

import httpx

from rag.answer.generator import OnPart, whole_sentences
from rag.errors import ModelError
from rag.models.runtime import trunk_tokenizer

# Retries after a failure before the first word, with growing pauses; done by the client library.
RETRIES = 2
# Tokens are counted with the trunk's tokenizer; other models' tokenizers seldom need more by this factor.
MARGIN = 1.15


class OpenAIClient:
    """Streams chat completions from a server, so that writing ends once the asker is gone.

    The system message is byte-identical for every question, for servers that cache prefixes.

    Args:
        url: such as http://127.0.0.1:8080/v1.
        api_key: "" for a server that needs none.
        timeout_s: limit on connecting, and on the wait between two pieces of text.
        most_tokens: most tokens of an answer.

    Raises:
        ModelError: if url or model is missing.
    """

    def __init__(
        self, url: str, model: str, *, api_key: str = "", timeout_s: float = 60.0, most_tokens: int = 400
    ) -> None:
        self._shown = shown_url(url)
        if not self._shown or not model:
            raise ModelError(
                "IBID_GENERATOR=openai needs IBID_GENERATOR_URL, such as http://127.0.0.1:8080/v1, "
                f"and IBID_GENERATOR_MODEL, the server's name of a model; found {self._shown!r} and {model!r}."
            )
        from openai import OpenAI  # here: it takes a second to import

        self.name = model
        self._most = most_tokens
        self._client: Any = OpenAI(
            base_url=url, api_key=api_key or "none", timeout=timeout_s, max_retries=RETRIES
        )

    def count_tokens(self, text: str) -> int:
        return int(MARGIN * len(trunk_tokenizer().encode(text, add_special_tokens=False).ids)) + 1

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        from openai import BadRequestError, OpenAIError

        messages = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        try:
            try:
                return self._written(messages, on_part, temperature=0.0, max_tokens=self._most)
            except BadRequestError:  # some models require the newer name and their own temperature
                return self._written(messages, on_part, max_completion_tokens=self._most)
        except (OpenAIError, httpx.HTTPError, ValueError, OSError) as error:
            # the server's own message is left out: some repeat the key in it
            status = getattr(error, "status_code", None)
            raise ModelError(
                f"the server at {self._shown} did not answer ({type(error).__name__}"
                f"{f', status {status}' if status else ''}); check that it runs, that IBID_GENERATOR_MODEL is a model "
                "of its, and IBID_GENERATOR_API_KEY"
            ) from error

    def _written(self, messages: list[dict[str, str]], on_part: OnPart, **limits: Any) -> str:
        said, cut = [], False
        with self._client.chat.completions.create(
            model=self.name, messages=messages, stream=True, **limits
        ) as pieces:
            for piece in pieces:
                part, ended = _part(piece)
                cut = cut or ended == "length"
                said.append(part)
                on_part(part)  # empty parts too, so that a model that thinks for long can be abandoned
        return whole_sentences("".join(said)) if cut else "".join(said)


def shown_url(url: str) -> str:
    """Return scheme, host and path of an address, without its possibly secret parts; "" if it is not an address."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return ""
    if parsed.scheme not in ("http", "https") or not parsed.host:
        return ""
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.scheme}://{parsed.host}{port}{parsed.path}"


def _part(piece: Any) -> tuple[str, str]:
    """Return a piece's text, and the reason if the writing ended with it; either may be "".

    Raises:
        ValueError: if it is not a piece of a chat completion.
    """
    try:
        choice = piece.choices[0] if piece.choices else None
        return (choice.delta.content or "", choice.finish_reason or "") if choice else ("", "")
    except (AttributeError, TypeError, KeyError, IndexError) as error:
        raise ValueError("it sends something other than chat completions") from error
