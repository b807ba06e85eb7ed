-- What a restored client's database and the master need, so that nothing goes out twice and no lead is lost.

-- name: untouched_rows
-- Of the ledger that is being replaced: rows that still wait for their time and were never called for.
select id from content_queue where status = 'scheduled' and attempts = 0;

-- name: hold_posts
-- Posts that may have gone out since the backup: a person looks at the account. As if called for once, so that
-- "it is public" is among the answers. With :untouched null the replaced ledger could not be read.
update content_queue
set status = 'needs_review', attempts = greatest(attempts, 1), run_id = null, lease_until = null,
    first_attempt_at = coalesce(first_attempt_at, publish_at), question = :question,
    last_error = 'restored from a backup'
where status in ('scheduled', 'claimed')
  and (publish_at <= now() + interval '1 minute'
       or (cast(:untouched as uuid[]) is not null and id <> all(cast(:untouched as uuid[]))))
returning id;

-- name: read_back_calls!
-- A call was under way when the backup was taken: the platform is asked what became of it.
update content_queue
set status = 'unknown', due_at = now(), lease_until = null, error_class = 'ambiguous',
    last_error = 'restored from a backup that was taken during the call'
where status = 'calling';

-- name: begun_posts
-- Of the ledger that is being replaced: posts that were called for, or that a person took out of our hands.
select distinct post_id from content_queue
where not (status = 'scheduled' and attempts = 0) and status <> 'cancelled';

-- name: hold_unqueued!
-- Posts without a row on the restored queue that have been public since, as far as anybody knows: they are approved
-- anew, with a look. Those that the replaced ledger has begun (:begun); without it those whose time is over.
update social_posts
set status = 'blocked', last_error = :reason, approved_hash = null, approved_by = null, approved_at = null
where (status in ('draft', 'in_review', 'changes_requested', 'approved') and id = any(cast(:begun as uuid[])))
   or ((status = 'approved' or (status = 'in_review' and cast(:begun as uuid[]) is null))
       and scheduled_for is not null and scheduled_for <= now() + interval '1 minute');

-- name: hold_messages!
-- Messages that were about to go have gone since, as far as anybody knows.
update notification_deliveries
set status = 'needs_review', lease_until = null, last_error = 'restored from a backup: it has probably been sent since'
where status in ('pending', 'sending') and not_before <= now() + interval '1 minute';

-- name: leads_to_replay
-- Leads of this organization that the restored database may not have: ended after the backup, or captured and still
-- under way. Back to the start, once the databases have changed places. Their effects are keyed, so the ones that the
-- backup holds do not repeat. A run that has one in hand has no say over it any more: without its id nothing of what it
-- reports is taken. Without its body, which its retention or an erasure has taken, a row has nothing to be worked on.
update inbox
set state = 'received', stage = 0, attempts = 0, not_before = now() + make_interval(secs => :wait_seconds),
    lease_until = null, run_id = null, batch_id = null, finished_at = null
where organization_id = :organization_id and topic = 'leads' and parsed_sealed is not null
  and (state = 'claimed'
       or (state = 'received' and (stage > 0 or lead_id is not null))
       or ((state = 'done' or (state = 'dead' and (stage > 0 or lead_id is not null)))
           and finished_at > cast(:since as timestamptz) - interval '1 minute'))
returning id;

-- name: let_replayed_go!
update inbox set not_before = now() where id = any(:ids) and state = 'received';

-- name: other_deliveries$
-- What else was worked off since: people look at it, for doing it again could publish or write twice.
select count(*) from inbox
where organization_id = :organization_id and topic <> 'leads' and state = 'done'
  and finished_at > cast(:since as timestamptz) - interval '1 minute';

-- name: has_audit$
select exists (select from audit_log where action = :action and resource = :resource);

-- name: count_organizations$
select count(*) from organizations;

-- name: databases_to_restore
-- Organizations that had a database on one of our servers.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations
where database_name is not null and data_key_wrapped is not null and status not in ('provisioning', 'closed')
order by slug;
