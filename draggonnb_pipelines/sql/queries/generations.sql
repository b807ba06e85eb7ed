-- Claude's answers in a tenant's database: kept before anything acts on them, found again by the hash of the question.

-- name: usable_answer^
select id, output, model, cost_usd, tokens_used from ai_generation_log where request_hash = :request_hash and usable;

-- name: usable_hashes
select request_hash from ai_generation_log where usable and request_hash = any(:hashes);

-- name: unusable_in_batches^
-- How often message batches have answered this question in vain since :since, and how the last answer ended.
select count(*) as answers, (array_agg(stop_reason order by attempt desc))[1] as stop_reason
from ai_generation_log
where request_hash = :request_hash and not usable and message_batch_id is not null and created_at > :since;

-- name: lock_question!
-- Two processes with the same answer take turns at numbering it.
select pg_advisory_xact_lock(hashtextextended(:request_hash, 11));

-- name: store_answer^
insert into ai_generation_log (request_hash, attempt, usable, purpose, prompt_name, prompt_hash, model, prompt, output,
    stop_reason, input_tokens, output_tokens, cache_creation_tokens, cache_read_tokens, web_searches, cost_usd, cost_zar,
    vendor_request_id, message_batch_id, lead_id, content_request_id)
select :request_hash,
       coalesce((select max(attempt) from ai_generation_log where request_hash = :request_hash), 0) + 1,
       :usable and not exists (select from ai_generation_log where request_hash = :request_hash and usable),
       :purpose, :prompt_name, :prompt_hash, :model, :prompt, :output, :stop_reason, :input_tokens, :output_tokens,
       :cache_creation_tokens, :cache_read_tokens, :web_searches, :cost_usd, :cost_zar, :vendor_request_id,
       :message_batch_id, :lead_id, :content_request_id
-- A message batch answers a question once: read again, its answer adds nothing.
where not exists (
    select from ai_generation_log
    where request_hash = :request_hash and message_batch_id = cast(:message_batch_id as uuid)
)
returning id;

-- name: subject_spend_usd$
-- What a lead, a content request or a purpose of the organization itself has cost so far; those that are not asked for
-- are null and match nothing.
select coalesce(sum(cost_usd), 0) from ai_generation_log
where lead_id = cast(:lead_id as uuid) or content_request_id = cast(:content_request_id as uuid)
   or (purpose = cast(:purpose as text) and lead_id is null and content_request_id is null);

-- name: lead_costs
-- Tokens and money that each lead has cost so far.
select lead_id, sum(tokens_used)::bigint as tokens, sum(cost_usd) as cost_usd, sum(cost_zar) as cost_zar
from ai_generation_log where lead_id = any(:lead_ids) group by lead_id;
