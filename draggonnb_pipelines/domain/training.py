"""The training materials of one client: what Claude answers, and the Markdown files that it becomes.

Not here: asking (`workflows/provisioning/training_materials.py`), the words of the question
(`prompts/training_materials.md`).
"""

from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

FOLDER = "docs/training"
MIN_SECTIONS, MIN_QUESTIONS = 2, 3


class Section(BaseModel):
    """One part of a guide; `text` is Markdown without headings."""

    model_config = ConfigDict(extra="forbid")

    heading: str
    text: str


class Question(BaseModel):
    """One question that people of the client ask, with its answer in Markdown."""

    model_config = ConfigDict(extra="forbid")

    question: str
    answer: str


class TrainingAnswer(BaseModel):
    """Claude's answer to the prompt `training_materials`."""

    model_config = ConfigDict(extra="forbid")

    getting_started: list[Section] = Field(description="Three to six parts, in the order in which they are done.")
    content_guide: list[Section] = Field(description="Three to six parts.")
    faq: list[Question] = Field(description="Five to eight questions.")

    @model_validator(mode="after")
    def _is_no_stub(self) -> Self:
        """The API takes no limits on lengths, so they are held here."""
        short = min(len(self.getting_started), len(self.content_guide)) < MIN_SECTIONS
        if short or len(self.faq) < MIN_QUESTIONS:
            raise ValueError(f"needs {MIN_SECTIONS} parts in each guide and {MIN_QUESTIONS} questions at least")
        texts = [section.text for section in (*self.getting_started, *self.content_guide)]
        if not all(text.strip() for text in (*texts, *(one.answer for one in self.faq))):
            raise ValueError("a part without text")
        return self


def training_files(answer: TrainingAnswer, client_name: str) -> Mapping[str, bytes]:
    """The files, by their path in the client's repository."""
    name = _one_line(client_name)
    index = (
        f"# {name}: training\n\n- [Getting started](getting-started.md)\n- [Content guide](content-guide.md)\n"
        "- [Questions and answers](faq.md)\n"
    )
    questions = [Section(heading=one.question, text=one.answer) for one in answer.faq]
    return {
        f"{FOLDER}/README.md": index.encode(),
        f"{FOLDER}/getting-started.md": _guide(f"{name}: getting started", answer.getting_started),
        f"{FOLDER}/content-guide.md": _guide(f"{name}: content guide", answer.content_guide),
        f"{FOLDER}/faq.md": _guide(f"{name}: questions and answers", questions),
    }


def _guide(title: str, sections: Sequence[Section]) -> bytes:
    parts = [f"# {title}", *(f"## {_one_line(section.heading)}\n\n{section.text.strip()}" for section in sections)]
    return ("\n\n".join(parts) + "\n").encode()


def _one_line(text: str) -> str:
    return " ".join(text.split()).lstrip("# ")
