-- Taking a client's stack down: the ledger's rows, who is being aborted, who is suspended.

-- name: begin_removal!
-- Committed before the call that removes the thing. The time of the last call that made it stays.
update stack_resources set state = 'removing', run_id = :run_id, last_error = null
where id = :id and state <> 'removed';

-- name: resource_removed!
update stack_resources
set state = 'removed', removed_at = cast(:now as timestamptz), secrets_sealed = null, last_error = null,
    details = details || jsonb_build_object('removal', cast(:how as text), 'removed_at', cast(:now as timestamptz))
where id = :id and state <> 'removed';

-- name: removal_waits!
update stack_resources set last_error = :reason where id = :id and state = 'removing';

-- name: provisioning_of^
select state, run_id, finished_at from provisionings where organization_id = :organization_id;

-- name: begin_abort^
-- Until `not_before`, what the last run asked for may still arrive at a vendor. A run that lets go writes its row.
update provisionings
set state = 'aborting', last_error = null,
    not_before = case when state = 'aborting' then not_before
                      when started_at is null then now()
                      else updated_at + make_interval(secs => cast(:settle_seconds as double precision)) end
where organization_id = :organization_id and run_id is null and state in ('waiting', 'failed', 'aborting')
  -- Who leaves is held in the same state, and has days of grace; so is who stays after all, until it runs again.
  and not exists (select from offboardings f
                  where f.organization_id = provisionings.organization_id
                    and (f.state <> 'withdrawn' or f.finished_at is null))
returning not_before;

-- name: end_abort$
update provisionings set state = 'aborted', finished_at = coalesce(finished_at, :now)
where organization_id = :organization_id and state = 'aborting'
returning state;

-- name: close_organization!
-- Nothing of it answers any more. Its key stays: payments may lead to a new beginning.
update organizations
set status = 'closed', dsn_sealed = case when database_name is not null then dsn_sealed end, webhook_token_sha256 = null, webhook_secret_sealed = null
where id = :id;

-- name: free_half_hour!
delete from kickoff_calls where organization_id = :organization_id;

-- name: change_standing$
-- One change of status, and only from where it may begin.
update organizations set status = :to_status
where id = :id and status = any(cast(:from_statuses as text[]))
returning status;

-- name: entries_of
-- What a client has published in n8n. `standing` is "changing" while a call is under way that nobody has heard of since.
select id, name, vendor_id, coalesce(details ->> 'standing', 'running') as standing
from stack_resources
where organization_id = :organization_id and step = 'n8n_webhooks' and state = 'ready' and vendor_id is not null
order by name;

-- name: note_standing!
update stack_resources set details = details || jsonb_build_object('standing', cast(:standing as text)) where id = :id;

-- name: out_of_step
-- Clients whose entries answer though they are not served, or do not though they are.
select distinct o.slug
from organizations o join stack_resources r on r.organization_id = o.id
where r.step = 'n8n_webhooks' and r.state = 'ready' and r.vendor_id is not null
  and o.status in ('active', 'suspended', 'offboarding')
  and coalesce(r.details ->> 'standing', 'running') <> case o.status when 'active' then 'running' else 'stopped' end
order by o.slug;

-- name: all_resources
-- The whole ledger but what was removed, for the comparison with the vendors.
select o.slug, r.step, r.name, r.vendor_id, r.state, o.status
from stack_resources r join organizations o on o.id = r.organization_id
where r.state <> 'removed' and r.step = any(:steps);

-- name: every_organization
select id, slug from organizations order by slug;

-- name: stack_of
-- Every row with its times, for a person.
select r.step, r.name, r.vendor, r.vendor_id, r.mark, r.state, r.url, r.monthly_cents, r.attempts, r.last_error,
       r.created_at, r.ready_at, r.removed_at
from stack_resources r where r.organization_id = :organization_id order by r.created_at, r.name;
