-- WhatsApp's templates as they stood at the last look, in master.

-- name: known_templates
select name, language, status, category, rejected_reason, parameters, checked_at, changed_at
from message_templates order by name, language;

-- name: put_templates!
-- `changed_at` moves with the status alone.
insert into message_templates as t (name, language, status, category, rejected_reason, parameters, checked_at, changed_at)
select n.name, n.language, n.status, n.category, n.rejected_reason, n.parameters, :now, :now
from jsonb_to_recordset(:templates)
    as n (name text, language text, status text, category text, rejected_reason text, parameters integer)
on conflict (name, language) do update
set status = excluded.status, category = coalesce(excluded.category, t.category),
    rejected_reason = excluded.rejected_reason, parameters = coalesce(excluded.parameters, t.parameters),
    checked_at = excluded.checked_at,
    changed_at = case when t.status = excluded.status then t.changed_at else excluded.changed_at end
where t.checked_at <= excluded.checked_at;
