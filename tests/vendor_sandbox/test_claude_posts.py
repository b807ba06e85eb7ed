"""The sandbox's Claude as a writer of posts: the brief's words, one variant per platform, in the brand's voice."""

import json
from typing import Any

import jsonschema

from tests.sandbox_process import Sandbox
from tests.vendor_sandbox.claude_calls import STRING, claude, closed_object, message

LIST = {"type": "array", "items": STRING}
POSTS = closed_object(
    title=STRING,
    facebook=closed_object(text=STRING, hashtags=LIST, first_comment=STRING),
    x=closed_object(text=STRING, hashtags=LIST, thread=LIST),
)
BRIEF = "Our cheap filter roast from Ethiopia is here. Come and taste it at the counter."
BRAND = {"voice": "formal", "banned_words": ["cheap"], "hashtags": ["#KloofCoffee"], "required_disclaimer": "E&OE."}


def question(request_id: str = "1", faults: list[str] | None = None) -> dict[str, Any]:
    request = json.dumps({"organization": "Kloof Coffee", "brief": BRIEF})
    text = f'<request id="{request_id}">\n{request}\n</request>\n<brand>\n{json.dumps(BRAND)}\n</brand>'
    if faults:
        text += f"\n<faults>\n{json.dumps(faults)}\n</faults>"
    return message(text, POSTS)


async def posts(sandbox: Sandbox, asked: dict[str, Any]) -> dict[str, Any]:
    async with claude(sandbox) as client:
        answer = await client.messages.create(**asked)
    content = json.loads("".join(block.text for block in answer.content if block.type == "text"))
    jsonschema.validate(content, POSTS)
    return content


async def test_each_platform_gets_the_brief_in_words_of_its_own_and_the_same_every_time(sandbox: Sandbox) -> None:
    first = await posts(sandbox, question())

    assert await posts(sandbox, question()) == first
    assert first["title"] == "Our cheap filter roast from Ethiopia is here"
    assert first["facebook"]["text"] != first["x"]["text"]
    for platform in ("facebook", "x"):
        assert BRIEF in first[platform]["text"]
        assert first[platform]["text"].endswith("E&OE.")
        assert first[platform]["hashtags"][0] == "#KloofCoffee"
    assert len(first["x"]["text"]) <= 280
    assert (first["facebook"]["first_comment"], first["x"]["thread"]) == ("", [])


async def test_another_request_in_the_same_words_gets_another_post(sandbox: Sandbox) -> None:
    written = {(await posts(sandbox, question(str(number))))["facebook"]["text"] for number in range(6)}

    assert len(written) > 1


async def test_banned_words_go_once_faults_are_named(sandbox: Sandbox) -> None:
    mended = await posts(sandbox, question(faults=['x: the brand does not say "cheap"']))

    assert "cheap" not in json.dumps(mended)
    assert "filter roast from Ethiopia" in mended["x"]["text"]


async def test_a_scripted_answer_breaks_the_limit_of_x_once(sandbox: Sandbox) -> None:
    sandbox.faults("POST /anthropic/v1/messages", {"kind": "content_too_long"})

    broken = await posts(sandbox, question())
    sound = await posts(sandbox, question())

    assert len(broken["x"]["text"]) > 280
    assert broken["facebook"] == sound["facebook"]
    assert len(sound["x"]["text"]) <= 280
