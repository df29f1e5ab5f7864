"""A language model behind an OpenAI-compatible server: vLLM, llama.cpp, Ollama, or a cloud."""

from __future__ import annotations

import re

from rag.errors import ModelError
from rag.generate import OnPart
from rag.runtime import trunk_tokenizer

RETRIES = 2  # after a first failure, with growing pauses; the client's own
MARGIN = 1.15  # tokens are counted with the trunk's tokenizer; those of other models seldom need as many more


class ServerModel:
    """Asks a server over its chat completions, streamed, so that the writing ends when nobody waits any more.

    The system message is byte-identical for every question, which servers that cache prefixes make use of.

    Args:
        url: such as http://127.0.0.1:8080/v1.
        api_key: "" for a server that wants none.
        timeout_s: for the connection, and between two pieces of text.
        most_tokens: of an answer.

    Raises:
        ModelError: if url or model is missing.
    """

    def __init__(
        self, url: str, model: str, *, api_key: str = "", timeout_s: float = 60.0, most_tokens: int = 400
    ) -> None:
        if not re.match(r"https?://[^/\s]+", url) or not model:
            raise ModelError(
                "IBID_GENERATOR=openai needs IBID_GENERATOR_URL, such as http://127.0.0.1:8080/v1, "
                f"and IBID_GENERATOR_MODEL, the server's name of a model; found {url!r} and {model!r}."
            )
        from openai import OpenAI  # here: it takes a second to import

        self.name = model
        self._most, self._url = most_tokens, url
        self._client = OpenAI(base_url=url, api_key=api_key or "none", timeout=timeout_s, max_retries=RETRIES)

    def count_tokens(self, text: str) -> int:
        return int(MARGIN * len(trunk_tokenizer().encode(text, add_special_tokens=False).ids)) + 1

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        from httpx import HTTPError  # what the stream raises passes through the client as it is
        from openai import OpenAIError

        said = []
        try:
            with self._client.chat.completions.create(
                model=self.name,
                messages=[{"role": "system", "content": system}, {"role": "user", "content": prompt}],
                temperature=0.0,
                max_tokens=self._most,
                stream=True,
            ) as pieces:
                for piece in pieces:
                    part = (piece.choices[0].delta.content or "") if piece.choices else ""
                    if part:
                        said.append(part)
                        on_part(part)
        except (OpenAIError, HTTPError, ValueError, OSError) as error:
            raise ModelError(
                f"the server at {self._url} did not answer ({type(error).__name__}: {str(error)[:200]}); "
                "check that it runs, and that IBID_GENERATOR_MODEL is a model of its"
            ) from error
        return "".join(said)
