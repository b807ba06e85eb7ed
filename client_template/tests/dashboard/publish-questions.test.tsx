/** Posts of which only a person can say what became of them. */
import { screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { PublishQuestions } from "@/components/dashboard/publish-questions";
import { changes, network, open } from "./posts-stage";

const question = (more: object = {}) => ({
  id: "22222222-2222-4222-8222-222222222222",
  platform_id: "linkedin",
  question: "LinkedIn gave no answer, and cannot be read. Is it there?",
  attempts: 1,
  part_kind: "post",
  publish_at: "2026-11-20T08:00:00+00:00",
  undo_requested_at: null,
  post: { title: "Mince pies", content: "Mince pies are back." },
  answers: [],
  ...more,
});

test("a post that was found is public at its address, and the answer is told to have been noted", async () => {
  const answered = { action: "published", applied_at: null, outcome: null, created_at: "2026-11-20T09:00:00+00:00" };
  let row = question();
  network(({ method }) => {
    if (method === "GET") return { body: [row] };
    row = question({ answers: [answered] });
    return { body: "33333333-3333-4333-8333-333333333333" };
  });
  const { user } = open(<PublishQuestions mayDecide />);
  expect(await screen.findByText("One post needs your answer")).toBeVisible();

  await user.type(screen.getByLabelText(/Its address on LinkedIn/), "https://linkedin.example/p/1");
  await user.click(screen.getByRole("button", { name: "It is public" }));

  expect(await screen.findByText(/^Answered/)).toBeVisible();
  expect(screen.queryByRole("button", { name: "It is public" })).toBeNull();
  expect(changes().map(({ path, body }) => [path, body])).toEqual([
    ["/rest/v1/rpc/answer_about_post", { queue_id: row.id, action: "published", url: "https://linkedin.example/p/1" }],
  ]);
});

test("an address that is none is not sent", async () => {
  network(() => ({ body: [question()] }));
  const { user } = open(<PublishQuestions mayDecide />);

  await user.type(await screen.findByLabelText(/Its address on LinkedIn/), "javascript:alert(1)");

  expect(screen.getByRole("button", { name: "It is public" })).toBeDisabled();
  expect(changes()).toEqual([]);
});

test.each([
  [{ attempts: 0 }, ["Publish it all the same", "Never publish it"]],
  [{}, ["It is public", "It is not there: send it again", "Never publish it"]],
  [{ undo_requested_at: "2026-11-20T09:00:00+00:00" }, ["It is deleted", "It is public"]],
])("only answers that fit are offered: %o", async (more, offered) => {
  network(() => ({ body: [question(more)] }));
  open(<PublishQuestions mayDecide />);

  await screen.findByText("One post needs your answer");

  expect(screen.getAllByRole("button").map((button) => button.textContent)).toEqual(offered);
});

test("who decides nothing sees the question alone", async () => {
  network(() => ({ body: [question()] }));
  open(<PublishQuestions mayDecide={false} />);

  expect(await screen.findByText(/LinkedIn gave no answer/)).toBeVisible();
  expect(screen.queryAllByRole("button")).toEqual([]);
});

test("a refused answer leaves the question open", async () => {
  network(({ method }) =>
    method === "GET"
      ? { body: [question()] }
      : { status: 400, body: { code: "22023", message: "somebody has answered already" } },
  );
  const { user } = open(<PublishQuestions mayDecide />);

  await user.click(await screen.findByRole("button", { name: "Never publish it" }));

  expect(await screen.findByText("The answer was not taken")).toBeVisible();
  expect(screen.getByRole("button", { name: "Never publish it" })).toBeEnabled();
});

test("where nothing waits, nothing is shown", async () => {
  network(() => ({ body: [] }));
  const { queries } = open(<PublishQuestions mayDecide />);

  await expect.poll(() => queries.isFetching()).toBe(0);

  expect(screen.queryByRole("heading")).toBeNull();
});
