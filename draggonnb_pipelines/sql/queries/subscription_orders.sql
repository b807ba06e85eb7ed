-- What PayFast is to be told about a subscription: placed once by a key, taken by one run, settled by asking.

-- name: subscription_of_slug$
-- An organization's last subscription.
select s.id from subscriptions s join organizations o on o.id = s.organization_id
where o.slug = :slug order by s.created_at desc, s.id limit 1;

-- name: order_of_key^
select q.id, q.verb, o.slug from subscription_orders q
join subscriptions s on s.id = q.subscription_id join organizations o on o.id = s.organization_id
where q.key = :key;

-- name: place_order$
insert into subscription_orders (subscription_id, key, verb, arguments, m_payment_id, amount_cents, requested_by,
                                 not_before)
values (:subscription_id, :key, :verb, :arguments, :m_payment_id, :amount_cents, :requested_by, :now)
on conflict (key) do nothing
returning id;

-- name: order^
select id, subscription_id, key, verb, arguments, m_payment_id, amount_cents, state, requested_by, attempts, last_error,
       attempt_started_at, finished_at
from subscription_orders where id = :id;

-- name: orders_of
select id, verb, arguments, amount_cents, state, requested_by, last_error, created_at, finished_at
from subscription_orders where subscription_id = :subscription_id order by created_at desc limit :row_limit;

-- name: calling_runs
select distinct run_id from subscription_orders where state = 'calling' and run_id is not null;

-- name: lose_calls!
-- Runs that died while they asked: whether PayFast heard them is not known.
update subscription_orders set state = 'unknown', not_before = :now, last_error = 'the run was cut off while it asked'
where state = 'calling' and run_id = any(:run_ids);

-- name: doubt_open_orders!
-- In a restored master: what was open in the dump may have been done since, and PayFast's books may still be silent about
-- a charge of the last :charge_wait.
update subscription_orders
set state = 'unknown', attempt_started_at = coalesce(attempt_started_at, created_at),
    not_before = now() + case when verb = 'charge' then cast(:charge_wait as interval) else interval '0' end,
    last_error = 'restored from a backup: it may have been done since'
where state in ('waiting', 'calling', 'unknown');

-- name: unknown_orders
select id, subscription_id, key, verb, arguments, m_payment_id, amount_cents, requested_by, attempts, attempt_started_at
from subscription_orders
where state = 'unknown' and not_before <= :now and not (id = any(:seen))
order by not_before, id limit :row_limit;

-- name: take_order^
-- The intent, committed before PayFast is asked.
update subscription_orders
set state = 'calling', run_id = :run_id, attempts = attempts + 1, attempt_started_at = :now
where id = (
    select id from subscription_orders
    where state = 'waiting' and not_before <= :now and not (id = any(:seen))
    order by not_before, id limit 1
    for update skip locked
)
returning id, subscription_id, key, verb, arguments, m_payment_id, amount_cents, requested_by, attempts,
          attempt_started_at;

-- name: note_plan!
-- What the next charges will be if this succeeds, before PayFast is told so.
update subscription_orders set arguments = arguments || :arguments where id = :id and state = 'calling';

-- name: end_call!
-- Only who asked, or who settles this very attempt, says what came of it.
update subscription_orders
set state = :state, last_error = :reason, not_before = :not_before,
    finished_at = case when :state in ('done', 'refused') then cast(:now as timestamptz) end
where id = :id and state in ('calling', 'unknown') and attempts = :attempts;

-- name: lock_order^
select id, state, attempts from subscription_orders where id = :id for update;

-- name: parked_since
-- Orders that need a person, and which nobody has heard of in their last days.
select q.id, q.verb, q.last_error, q.amount_cents, o.slug, q.state
from subscription_orders q
join subscriptions s on s.id = q.subscription_id join organizations o on o.id = s.organization_id
where q.state in ('needs_review', 'refused') and q.updated_at >= :since order by q.id;

-- name: slugs_of_subscriptions
select o.slug from subscriptions s join organizations o on o.id = s.organization_id
where s.id = any(:ids) order by o.slug;
