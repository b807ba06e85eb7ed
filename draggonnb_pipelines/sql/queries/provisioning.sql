-- Who is being set up, and the ledger of what was made for whom.

-- name: clients_of
-- Organizations with what provisioning needs of them; none without a row in provisionings.
select o.id, o.slug, o.name, o.status, o.timezone, o.locale, o.database_name, o.dsn_sealed, o.data_key_wrapped,
       o.plan_key, p.owner_name, p.owner_email, p.owner_phone, p.state, p.run_id, p.attempts
from organizations o join provisionings p on p.organization_id = o.id
where o.slug = any(:slugs) order by o.slug;

-- name: count_waiting$
-- Clients that a run may take up now; the sensor asks.
select count(*) from provisionings where state = 'waiting' and not_before <= :now;

-- name: held_runs
-- The runs that hold clients, whether or not they live.
select distinct run_id from provisionings where state = 'running' and run_id is not null;

-- name: free_clients!
-- What a dead run held is to be taken again.
update provisionings set state = 'waiting', run_id = null
where state = 'running' and run_id = any(:dead_runs);

-- name: take_clients
-- Due clients become this run's, the longest waiting first.
update provisionings
set state = 'running', run_id = :run_id, started_at = coalesce(started_at, :now)
where organization_id in (
    select organization_id from provisionings
    where state = 'waiting' and not_before <= :now
    order by not_before, created_at limit :row_limit
    for update skip locked
)
returning organization_id;

-- name: take_named
-- The named clients become this run's, whatever their state, except those that another run holds.
update provisionings p
set state = 'running', run_id = :run_id, started_at = coalesce(started_at, :now), finished_at = null
from organizations o
where o.id = p.organization_id and o.slug = any(:slugs) and p.state <> 'aborting'
  and (p.state <> 'running' or p.run_id = :run_id)
returning o.slug;

-- name: claimed_slugs
select o.slug from provisionings p join organizations o on o.id = p.organization_id
where p.run_id = :run_id and p.state = 'running' order by p.created_at, o.slug;

-- name: still_mine$
select count(*) from provisionings where organization_id = :organization_id and run_id = :run_id and state = 'running';

-- name: put_off!
-- Not done in this run: it goes on by itself.
update provisionings
set state = 'waiting', run_id = null, not_before = :not_before, last_step = :step, last_error = :reason,
    attempts = case when :counts then attempts + 1 else attempts end
where organization_id = :organization_id and run_id = :run_id and state = 'running';

-- name: give_up!
-- A person is needed; a re-execution or `provision retry` takes it up again.
update provisionings
set state = 'failed', run_id = null, last_step = :step, last_error = :reason
where organization_id = :organization_id and run_id = :run_id and state = 'running';

-- name: note_progress!
update provisionings set attempts = 0, last_step = :step, last_error = null
where organization_id = any(:organization_ids) and run_id = :run_id and state = 'running';

-- name: finish_clients
-- Those whose every step is done; returns the slugs that became so now.
update provisionings p
set state = 'done', run_id = null, finished_at = :now, last_error = null
from organizations o
where o.id = p.organization_id and o.slug = any(:slugs) and p.run_id = :run_id and p.state = 'running'
returning o.slug;

-- name: activate_client!
update organizations set status = 'active' where id = :organization_id and status = 'provisioning';

-- name: plan_resource!
-- The intent. A row that is there already stays as it is; one that was removed begins anew.
insert into stack_resources (organization_id, step, name, vendor, mark, details, secrets_sealed, monthly_cents, run_id)
values (:organization_id, :step, :name, :vendor, :mark, :details, :secrets_sealed, :monthly_cents, :run_id)
on conflict (organization_id, step, name) do update
set state = 'intent', vendor_id = null, details = excluded.details, secrets_sealed = excluded.secrets_sealed,
    attempts = 0, attempt_started_at = null, last_error = null, ready_at = null, removed_at = null, url = null
where stack_resources.state = 'removed';

-- name: resource^
select id, organization_id, step, vendor, name, mark, state, vendor_id, url, attempt_started_at as attempted_at,
       attempts, monthly_cents, last_error, created_at, ready_at, details, secrets_sealed
from stack_resources where organization_id = :organization_id and step = :step and name = :name;

-- name: resources_of
select id, organization_id, step, vendor, name, mark, state, vendor_id, url, attempt_started_at as attempted_at,
       attempts, monthly_cents, last_error, created_at, ready_at, details, secrets_sealed
from stack_resources where organization_id = :organization_id order by created_at, name;

-- name: begin_call!
-- Committed before the call that makes the thing.
update stack_resources
set state = 'calling', attempts = attempts + 1, attempt_started_at = :now, run_id = :run_id, last_error = null
where id = :id;

-- name: resource_ready!
update stack_resources
set state = 'ready', vendor_id = :vendor_id, url = coalesce(:url, url), details = details || :details,
    secrets_sealed = coalesce(:secrets_sealed, secrets_sealed), last_error = null,
    ready_at = coalesce(ready_at, :now)
where id = :id;

-- name: resource_noted!
-- What is known on the way: the vendor's id before the thing is of use.
update stack_resources
set vendor_id = coalesce(:vendor_id, vendor_id), url = coalesce(:url, url), details = details || :details,
    secrets_sealed = coalesce(:secrets_sealed, secrets_sealed)
where id = :id;

-- name: resource_troubled!
update stack_resources set state = :state, last_error = :reason where id = :id and state <> 'ready';
