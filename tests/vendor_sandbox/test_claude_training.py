"""The sandbox's Claude as a writer of training materials: the client's own facts and checklist, the same every time."""

import json
from typing import Any

import jsonschema

from tests.sandbox_process import Sandbox
from tests.vendor_sandbox.claude_calls import STRING, claude, closed_object, message

SECTIONS = {"type": "array", "items": closed_object(heading=STRING, text=STRING)}
QUESTIONS = {"type": "array", "items": closed_object(question=STRING, answer=STRING)}
MATERIALS = closed_object(getting_started=SECTIONS, content_guide=SECTIONS, faq=QUESTIONS)
CLIENT = {"name": "Kloof Coffee", "app": "https://kloof-coffee.example", "time_zone": "Africa/Johannesburg"}
CHECKLIST = [{"title": "Invite the team", "description": "Give each person a role."}]


async def materials(sandbox: Sandbox) -> dict[str, Any]:
    text = f"<client>\n{json.dumps(CLIENT)}\n</client>\n<checklist>\n{json.dumps(CHECKLIST)}\n</checklist>"
    async with claude(sandbox) as client:
        answer = await client.messages.create(**message(text, MATERIALS))
    content = json.loads("".join(block.text for block in answer.content if block.type == "text"))
    jsonschema.validate(content, MATERIALS)
    return content


async def test_the_facts_of_the_client_and_its_checklist_stand_in_the_guides(sandbox: Sandbox) -> None:
    written = await materials(sandbox)

    assert await materials(sandbox) == written
    assert {"heading": "Invite the team", "text": "Give each person a role."} in written["getting_started"]
    assert "https://kloof-coffee.example" in written["getting_started"][0]["text"]
    assert "Africa/Johannesburg" in json.dumps(written["content_guide"])
    assert len(written["faq"]) == 4
