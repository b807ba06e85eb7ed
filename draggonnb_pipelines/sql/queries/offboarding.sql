-- How a client leaves: its row, what it takes along, what is blanked, when it is over.

-- name: offboarding_of^
select state, requested_by, reason, status_before, export_path, export_sha256, erase_after, certificate, created_at,
       finished_at
from offboardings where organization_id = :organization_id;

-- name: status_to_return$
-- What it is if it stays: as before, unless the last subscription has ended meanwhile.
select case when f.status_before = 'active' and (
           select s.suspended_at is not null from subscriptions s
           where s.organization_id = f.organization_id order by s.created_at desc, s.id limit 1
       ) then 'suspended' else f.status_before end
from offboardings f where f.organization_id = :organization_id;

-- name: begin_offboarding$
-- A new one, or a new beginning after one that was withdrawn; nothing happens to one that is under way.
insert into offboardings (organization_id, requested_by, reason, status_before)
select o.id, :requested_by, :reason, o.status from organizations o
where o.id = :organization_id and o.status in ('active', 'suspended', 'offboarding')
on conflict (organization_id) do update
set state = 'exporting', requested_by = excluded.requested_by, reason = excluded.reason, last_error = null,
    status_before = case when excluded.status_before = 'offboarding' then offboardings.status_before
                         else excluded.status_before end,
    export_path = null, export_sha256 = null, erase_after = null, finished_at = null, created_at = now()
where offboardings.state = 'withdrawn'
returning state;

-- name: hold_provisioning!
-- From here on no run sets it up or upgrades it.
update provisionings set state = 'aborting'
where organization_id = :organization_id and run_id is null and state in ('waiting', 'failed', 'done');

-- name: give_provisioning_back!
update provisionings set state = case when finished_at is null then 'waiting' else 'done' end
where organization_id = :organization_id and state = 'aborting';

-- name: begin_grace$
-- Of several bundles that were written at once, one is the client's.
update offboardings
set state = 'grace', export_path = :export_path, export_sha256 = :export_sha256, erase_after = :erase_after
where organization_id = :organization_id and state = 'exporting'
returning state;

-- name: withdraw$
update offboardings set state = 'withdrawn', erase_after = null
where organization_id = :organization_id and state in ('exporting', 'grace')
returning state;

-- name: end_withdrawal!
update offboardings set export_path = null, export_sha256 = null, finished_at = coalesce(finished_at, :now)
where organization_id = :organization_id and state = 'withdrawn';

-- name: begin_erasure$
update offboardings set state = 'erasing'
where organization_id = :organization_id
  and (state = 'erasing' or (state = 'grace' and erase_after <= :now))
returning state;

-- name: offboarding_failed!
update offboardings set last_error = :reason where organization_id = :organization_id;

-- name: due_erasures
-- Clients whose days of grace are over, or whose erasure was cut off.
select o.slug from offboardings f join organizations o on o.id = f.organization_id
where f.state = 'erasing' or (f.state = 'grace' and f.erase_after <= :now) order by f.created_at;

-- name: open_exports
-- Clients whose export was cut off.
select o.slug from offboardings f join organizations o on o.id = f.organization_id
where f.state = 'exporting' order by f.created_at;

-- name: open_withdrawals
-- Clients that stay, and of which not everything runs again yet.
select o.slug from offboardings f join organizations o on o.id = f.organization_id
where f.state = 'withdrawn' and f.finished_at is null order by f.created_at;

-- name: tables_to_export
-- Every table of ours in a client's database; of partitioned ones the whole.
select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by c.relname;

-- name: personal_data^
-- How many rows there are to blank; asked before it is done.
select (select count(*) from checkouts c
        where c.subscription_id in (select id from subscriptions where organization_id = :organization_id)) as checkouts,
       (select count(*) from proposal_links where organization_id = :organization_id) as own_proposal_links,
       (select count(*) from proposal_links p join checkouts c on c.seller_id = p.organization_id
            and c.proposal_id = p.proposal_id
        where c.subscription_id in (select id from subscriptions where organization_id = :organization_id))
           as accepted_proposals,
       (select count(*) from review_links where organization_id = :organization_id) as review_links,
       (select count(*) from inbox where organization_id = :organization_id) as inbox,
       (select count(*) from provisionings where organization_id = :organization_id) as provisionings,
       (select count(*) from payments where organization_id = :organization_id) as kept_payments,
       (select count(*) from invoices where organization_id = :organization_id) as kept_invoices;

-- name: blank_checkouts!
-- The one that was paid, and the others to the same proposal.
update checkouts
set company = 'erased', contact_name = 'erased', contact_email = 'erased', contact_phone = null
where id in (
    select c.id from checkouts c join checkouts paid
        on paid.id = c.id or (paid.seller_id = c.seller_id and paid.proposal_id = c.proposal_id)
    where paid.subscription_id in (select id from subscriptions where organization_id = :organization_id)
);

-- name: blank_proposal_links!
-- Those of the client's own proposals, and the one by which the client itself accepted ours.
update proposal_links p set accepted_by_name = 'erased', accepted_by_email = 'erased'
where p.accepted_at is not null and (p.organization_id = :organization_id or exists (
    select from checkouts c
    where c.seller_id = p.organization_id and c.proposal_id = p.proposal_id
      and c.subscription_id in (select id from subscriptions where organization_id = :organization_id)
));

-- name: drop_review_links!
delete from review_links where organization_id = :organization_id;

-- name: blank_inbox!
update inbox
set raw_sealed = null, parsed_sealed = null, last_error = null,
    state = case when state = 'done' then 'done' else 'dead' end, finished_at = coalesce(finished_at, :now)
where organization_id = :organization_id;

-- name: blank_provisioning!
update provisionings
set owner_name = '', owner_email = 'erased', owner_phone = null, last_error = null, state = 'aborted',
    finished_at = coalesce(finished_at, :now), run_id = null
where organization_id = :organization_id;

-- name: shred!
-- The end of its key is the end of everything that was sealed for it, in every backup too.
update organizations
set status = 'closed', data_key_wrapped = null, dsn_sealed = null, database_name = null,
    webhook_token_sha256 = null, webhook_secret_sealed = null
where id = :organization_id;

-- name: forget_secrets!
update stack_resources set secrets_sealed = null where organization_id = :organization_id;

-- name: end_erasure!
update offboardings
set state = 'erased', certificate = :certificate, finished_at = :now, last_error = null, export_path = null
where organization_id = :organization_id and state = 'erasing';
