-- PayFast's notices: those to be looked at, what became of each, and what a believed one begins.

-- name: due_payments
-- What came with the first of them all first; a late one does not wait for those that were put off.
select id, raw_sealed, host(source_ip) as source_ip, state, received_at, found_in_history, attempts, checks, kind,
       pf_payment_id, m_payment_id, payment_status, token_sha256, billing_date, amount_gross_cents
from payments
where state in ('received', 'verified') and not_before <= :now and not (id = any(:seen))
order by received_at, id limit :row_limit;

-- name: put_off!
update payments set attempts = attempts + 1, not_before = :not_before, reason = :reason
where id = :id and state in ('received', 'verified');

-- name: refuse!
-- What it says of itself is kept for a person to read; nothing follows from it.
update payments
set state = :state, reason = :reason, checks = :checks, m_payment_id = coalesce(m_payment_id, :m_payment_id),
    pf_payment_id = coalesce(pf_payment_id, :pf_payment_id), payment_status = coalesce(payment_status, :payment_status),
    amount_gross_cents = coalesce(amount_gross_cents, :amount_gross_cents), told_at = :told_at
where id = :id and state in ('received', 'verified');

-- name: verify!
-- All checks speak for it. A repeat of one that was believed meets the unique index.
update payments
set state = 'verified', checks = :checks, pf_payment_id = :pf_payment_id, m_payment_id = :m_payment_id,
    payment_status = :payment_status, token_sha256 = :token_sha256, billing_date = :billing_date,
    amount_gross_cents = :amount_gross_cents, amount_fee_cents = :amount_fee_cents,
    amount_net_cents = :amount_net_cents, reason = null
where id = :id and state = 'received';

-- name: lock_payment^
select id, state, found_in_history, received_at, pf_payment_id, m_payment_id, payment_status, token_sha256,
       billing_date, amount_gross_cents
from payments where id = :id for update;

-- name: applied_like_it^
-- The same money, believed before: a notice that came late for what the history had shown, or the other way round.
select id, m_payment_id from payments
where pf_payment_id = :pf_payment_id and payment_status = 'COMPLETE' and state = 'applied' and id <> :id;

-- name: applied!
update payments
set state = 'applied', kind = :kind, organization_id = :organization_id, subscription_id = :subscription_id,
    billing_date = coalesce(:billing_date, billing_date), applied_at = :now, reason = :reason
where id = :id and state = 'verified';

-- name: open_payments
-- What waits for a person, then what waits by itself; refused ones of the last days where they are asked for.
select id, received_at, state, m_payment_id, pf_payment_id, payment_status, amount_gross_cents, reason
from payments
where state in ('received', 'verified', 'needs_review') or (state = 'rejected' and received_at >= :refused_since)
order by (state <> 'needs_review'), received_at desc, id limit :row_limit;

-- name: state_of^
select state, reason, settled_as from payments where id = :id;

-- name: settle$
-- A person has dealt with it at PayFast.
update payments
set state = 'settled', settled_as = :settled_as, settled_by = :settled_by, settled_note = :note, settled_at = :now
where id = :id and state = 'needs_review'
returning id;

-- name: check_again$
-- As if it had come just now; what the history told of was checked by PayFast itself.
update payments
set state = case when found_in_history then 'verified' else 'received' end, not_before = :now, attempts = 0,
    reason = null, told_at = null
where id = :id and state in ('rejected', 'needs_review')
returning id;

-- name: untold
-- Refused or parked, and nobody knows yet.
select p.id, p.state, p.reason, p.received_at, host(p.source_ip) as source_ip, p.m_payment_id, p.pf_payment_id,
       p.payment_status, p.amount_gross_cents, p.checks
from payments p
where p.state in ('rejected', 'needs_review') and p.told_at is null
order by p.received_at, p.id limit :row_limit;

-- name: told_lately$
-- Refused notices of strangers since; a repeat is PayFast's.
select count(*) from payments
where state = 'rejected' and told_at >= :since
  and not checks @> '{"signature": true, "source": true}' and not checks @> '{"repeat": true}';

-- name: told!
update payments set told_at = :now where id = any(:ids) and told_at is null;

-- name: meant^
-- Whom a notice concerns, by what it says: an order to charge, a checkout, a subscription; nothing is locked.
select o.id as order_id, o.amount_cents as order_cents, c.id as checkout_id, c.amount_cents as first_cents,
       c.recurring_cents, coalesce(c.subscription_id, t.id) as subscription_id
from (select 1) nothing
left join subscription_orders o on o.m_payment_id = :m_payment_id
left join checkouts c on c.m_payment_id = :m_payment_id
left join subscriptions t on t.payfast_token_sha256 = :token_sha256;

-- name: has_left$
select status = 'closed' from organizations where id = :organization_id;

-- name: lock_charge_order^
select id, subscription_id, amount_cents, state from subscription_orders where m_payment_id = :m_payment_id for update;

-- name: charge_taken$
-- PayFast's payment that paid for this order of ours, under its lock.
select pf_payment_id from payments
where m_payment_id = :m_payment_id and kind = 'charge' and state = 'applied';

-- name: charge_order_paid!
update subscription_orders set state = 'done', finished_at = :now, last_error = null
where id = :id and state <> 'done';

-- name: lock_checkout^
select id, m_payment_id, seller_id, proposal_id, plan_key, amount_cents, recurring_cents, trial_days, company,
       contact_name, contact_email, contact_phone, timezone, approved_at, state, subscription_id
from checkouts where m_payment_id = :m_payment_id for update;

-- name: paid_checkout_of_proposal$
select id from checkouts
where seller_id = :seller_id and proposal_id = :proposal_id and state = 'paid' and id <> :id;

-- name: all_slugs
select slug from organizations;

-- name: begin_organization!
insert into organizations (id, slug, name, status, plan_key, timezone, data_key_wrapped, webhook_token_sha256,
                           webhook_secret_sealed)
values (:id, :slug, :name, 'provisioning', :plan_key, :timezone, :data_key_wrapped, :webhook_token_sha256,
        :webhook_secret_sealed)
on conflict do nothing;

-- name: begin_subscription!
insert into subscriptions (id, organization_id, checkout_id, plan_key, status, m_payment_id, amount_cents, approved_at,
                           paid_at)
values (:id, :organization_id, :checkout_id, :plan_key, 'pending', :m_payment_id, :amount_cents, :approved_at, :now);

-- name: begin_provisioning!
insert into provisionings (organization_id, subscription_id, owner_name, owner_email, owner_phone, requested_by)
values (:organization_id, :subscription_id, :owner_name, :owner_email, :owner_phone, 'payfast');

-- name: checkout_paid!
-- Of one proposal, what else was open is not to be paid any more.
with paid as (
    update checkouts set state = 'paid', subscription_id = :subscription_id, paid_at = :now
    where id = :id
    returning seller_id, proposal_id
)
update checkouts c set state = 'superseded' from paid p
where c.seller_id = p.seller_id and c.proposal_id = p.proposal_id and c.id <> :id and c.state = 'open';

-- name: wake_siblings
-- What waited for this checkout's first payment is looked at again.
-- One that another process has in its hands is waiting for this very transaction, so it is not waited for.
update payments set not_before = :now
where id in (
    select id from payments where m_payment_id = :m_payment_id and state = 'verified' and id <> :id
    for update skip locked
)
returning id;

-- name: period_paid$
select id from payments
where subscription_id = :subscription_id and billing_date = :billing_date and state = 'applied' and kind = 'period';

-- name: paid_days
select billing_date from payments
where subscription_id = :subscription_id and state = 'applied' and kind = 'period' and billing_date is not null;

-- name: day_in_history$
select min(day) from payfast_transactions where pf_payment_id = :pf_payment_id;
