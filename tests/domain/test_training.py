"""From Claude's answer to the files in the client's repository."""

from typing import Any

import pytest
from pydantic import ValidationError

from draggonnb_pipelines.domain.training import TrainingAnswer, training_files


def answer(**change: Any) -> dict[str, Any]:
    section = {"heading": "First", "text": "Do this.\n"}
    return {
        "getting_started": [section, {"heading": "## Then\n# this", "text": "- one\n- two"}],
        "content_guide": [section, section],
        "faq": [{"question": "Who?", "answer": "You."}] * 3,
        **change,
    }


def test_each_guide_becomes_one_file_with_one_title_and_flat_headings() -> None:
    files = training_files(TrainingAnswer.model_validate(answer()), "Kloof\nCoffee")

    assert sorted(files) == [
        f"docs/training/{name}.md" for name in ("README", "content-guide", "faq", "getting-started")
    ]
    assert files["docs/training/getting-started.md"].decode() == (
        "# Kloof Coffee: getting started\n\n## First\n\nDo this.\n\n## Then # this\n\n- one\n- two\n"
    )
    assert files["docs/training/faq.md"].decode().count("## Who?\n\nYou.") == 3


@pytest.mark.parametrize(
    "change",
    [
        {"faq": []},
        {"content_guide": [{"heading": "One", "text": "alone"}]},
        {"getting_started": [{"heading": "One", "text": " "}, {"heading": "Two", "text": "x"}]},
        {"more": 1},
    ],
)
def test_a_stub_is_no_answer(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TrainingAnswer.model_validate(answer(**change))
