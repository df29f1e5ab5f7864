"""A causal language model on this machine, through transformers, by path or hub name."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError

from rag.answer.generator import OnPart, whole_sentences
from rag.errors import ModelError
from rag.models import foreign

_EXPECTED = "a folder or hub name of a causal language model with its tokenizer"
# For a model without a chat template.
_PLAIN = "{system}\n\n{prompt}\nAnswer:"


class CausalModel:
    """Decodes greedily. The keys and values of the system message are computed once and reused.

    Args:
        threads: torch's threads in the whole process; 0 leaves them unchanged.
        most_tokens: most tokens of an answer.
    """

    def __init__(self, name: str, *, threads: int = 0, most_tokens: int = 400) -> None:
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

        self.name = name
        self._most = most_tokens
        self._lock = threading.Lock()  # one answer at a time: parallel ones would only slow each other down
        self._counting = threading.Lock()
        with foreign.loading("generator", name, _EXPECTED, threads=threads):
            config = AutoConfig.from_pretrained(name)
            if "ForCausalLM" not in str(config.architectures) and "LMHead" not in str(config.architectures):
                foreign.expect_architecture(config, "ForCausalLM", name)
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
            self._counter: Any = AutoTokenizer.from_pretrained(name)  # separate, since writing takes minutes
            self._model: Any = foreign.whole_model(AutoModelForCausalLM, name).eval()
        self._window = int(getattr(config, "max_position_embeddings", 0) or 1 << 30)
        # System message: its tokens, their keys and values
        self._prefixes: dict[str, tuple[list[int], Any]] = {}

    def count_tokens(self, text: str) -> int:
        with self._counting:
            return len(self._counter(text, add_special_tokens=False)["input_ids"])

    def complete(self, system: str, prompt: str, on_part: OnPart) -> str:
        with self._lock:
            ids = self._encoded(system, prompt)
            if len(ids) + self._most > self._window:
                raise ModelError(
                    f"the prompt takes {len(ids)} tokens and an answer up to {self._most}, more than the model's "
                    f"{self._window}; lower IBID_BUDGET_TOKENS or IBID_GENERATOR_TOKENS"
                )
            return self._write(ids, self._known(system, ids), on_part)

    def _encoded(self, system: str, prompt: str) -> list[int]:
        if self._tokenizer.chat_template is None:
            text = _PLAIN.format(system=system, prompt=prompt)
            return list(self._tokenizer(text)["input_ids"])
        parted = [{"role": "system", "content": system}, {"role": "user", "content": prompt}]
        try:
            text = self._templated(parted)
        except TemplateError:  # some models have no system message
            text = self._templated([{"role": "user", "content": f"{system}\n\n{prompt}"}])
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _templated(self, messages: list[dict[str, str]]) -> str:
        return str(self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))

    def _known(self, system: str, ids: Sequence[int]) -> Any:
        """Return a copy of the keys and values of the tokens that every prompt with this system message begins with."""
        import torch

        tokens, known = self._prefixes.get(system, ([], None))
        if not tokens or list(ids[: len(tokens)]) != tokens:
            other = self._encoded(system, "?")
            same = next((i for i, (a, b) in enumerate(zip(ids, other, strict=False)) if a != b), 0)
            if not same:
                return None
            with torch.inference_mode():
                known = self._model(torch.tensor([list(ids[:same])]), use_cache=True).past_key_values
            self._prefixes[system] = (list(ids[:same]), known)
        return copy.deepcopy(known)

    def _write(self, ids: Sequence[int], known: Any, on_part: OnPart) -> str:
        import torch

        streamer = _Streamer(self._tokenizer, on_part)
        prompt = torch.tensor([list(ids)])
        try:
            with torch.inference_mode():
                self._model.generate(
                    prompt,
                    attention_mask=torch.ones_like(prompt),
                    cache=known,
                    max_new_tokens=self._most,
                    do_sample=False,
                    num_beams=1,
                    repetition_penalty=1.0,
                    pad_token_id=self._tokenizer.pad_token_id or self._tokenizer.eos_token_id,
                    streamer=streamer,
                )
        except (RuntimeError, ValueError, IndexError) as error:
            raise ModelError(f"{type(error).__name__}: {str(error)[:200]}") from error
        return whole_sentences(streamer.text) if streamer.written >= self._most else streamer.text


class _Streamer:
    """Decodes the model's output token by token; the first call passes the prompt."""

    def __init__(self, tokenizer: Any, on_part: OnPart) -> None:
        self._tokenizer, self._on_part = tokenizer, on_part
        self._ids: list[int] = []
        self._prompt = True
        self.text = ""

    def put(self, value: Any) -> None:
        """Take the next token; an exception from `on_part` ends the writing."""
        if self._prompt:
            self._prompt = False
            return
        self._ids += value.reshape(-1).tolist()
        text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        if text.startswith(self.text) and len(text) > len(self.text) and not text.endswith("\ufffd"):
            part, self.text = text[len(self.text) :], text
            self._on_part(part)

    @property
    def written(self) -> int:
        """The number of tokens written."""
        return len(self._ids)

    def end(self) -> None:
        """Keep everything written, including half a character at the end."""
        self.text = self._tokenizer.decode(self._ids, skip_special_tokens=True)
