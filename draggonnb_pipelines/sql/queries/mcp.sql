-- What the MCP server reads that no other room asks for.

-- name: leads
-- A tenant's leads, newest first, without how to reach the person.
select l.id, l.received_at, l.status, l.source, l.company_name, l.website, c.name as contact_name,
       l.rule_score, l.model_score, l.review_reason, l.message,
       exists (select from lead_analyses where lead_id = l.id) as is_analysed
from leads l join contacts c on c.id = l.contact_id
where cast(:status as text) is null or l.status = :status
order by l.received_at desc, l.id
limit :row_limit;

-- name: finished_deliveries
-- Master: an organization's rows that `replay_rows` would take: those named, or all that are dead. The oldest first.
select id, topic, source, state, attempts, received_at, finished_at, last_error
from inbox
where organization_id = :organization_id and state in ('dead', 'done') and parsed_sealed is not null
  and case when cast(:ids as uuid[]) is null then state = 'dead' else id = any(:ids) end
order by received_at, id
limit :row_limit;
