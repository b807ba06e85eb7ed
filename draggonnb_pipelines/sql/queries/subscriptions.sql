-- Subscriptions, their history, and the orders that PayFast is to be given about them.

-- name: subscription^
select id, organization_id, plan_key, status, amount_cents, started_on, trial_ends_on, paid_until, paused_until,
       grace_until, cancelled_at, suspended_at, next_plan_key, next_amount_cents, next_from, version
from subscriptions where id = :id;

-- name: lock_subscription^
select id, organization_id, plan_key, status, amount_cents, started_on, trial_ends_on, paid_until, paused_until,
       grace_until, cancelled_at, suspended_at, next_plan_key, next_amount_cents, next_from, version
from subscriptions where id = :id for update;

-- name: id_by_token$
select id from subscriptions where payfast_token_sha256 = :token_sha256;

-- name: token_of^
select m_payment_id, payfast_token_sha256, payfast_token_sealed from subscriptions where id = :id;

-- name: keep_token!
-- Only the first one: another token is another agreement.
update subscriptions set payfast_token_sha256 = :token_sha256, payfast_token_sealed = :token_sealed
where id = :id and payfast_token_sha256 is null;

-- name: save_subscription!
update subscriptions
set plan_key = :plan_key, status = :status, amount_cents = :amount_cents, started_on = :started_on,
    trial_ends_on = :trial_ends_on, paid_until = :paid_until, next_billing_on = :paid_until,
    paused_until = :paused_until, grace_until = :grace_until, cancelled_at = :cancelled_at,
    suspended_at = :suspended_at, next_plan_key = :next_plan_key, next_amount_cents = :next_amount_cents,
    next_from = :next_from, version = version + 1
where id = :id;

-- name: note_event!
insert into subscription_events (subscription_id, event_key, kind, status, plan_key, amount_cents, actor, details, at)
values (:subscription_id, :event_key, :kind, :status, :plan_key, :amount_cents, :actor, :details, :now)
on conflict (event_key) do nothing;

-- name: organization_follows!
-- The plan; and where serving it ended or began again, its status. Who is being set up or leaves stays as it is.
update organizations
set plan_key = :plan_key,
    status = case when :ends and status = 'active' then 'suspended'
                  when :begins and status = 'suspended' then 'active' else status end
where id = :organization_id;

-- name: planned_charges
-- What changes of the plan said of later charges, in their order.
select details -> 'charges' as charges from subscription_events
where subscription_id = :subscription_id and kind = 'plan_changed' order by id;

-- name: agreed^
-- What the client agreed to in the beginning.
select coalesce(c.recurring_cents, s.amount_cents) as recurring_cents, c.amount_cents as first_cents,
       coalesce(c.trial_days, 0) as trial_days
from subscriptions s left join checkouts c on c.id = s.checkout_id where s.id = :subscription_id;

-- name: subscriptions_of
-- Each organization's last subscription.
select distinct on (o.id) o.slug, s.id
from subscriptions s join organizations o on o.id = s.organization_id
where o.slug = any(:slugs)
order by o.id, s.created_at desc, s.id;

-- name: was_read$
-- Whether PayFast's history of a day was read after its end.
select exists (select from payfast_history_days where day = :day and read_at >= :ended_at);

-- name: saw_payfast!
update subscriptions
set payfast_status = :status, payfast_run_date = :run_date, payfast_fetched_at = :now, last_error = null
where id = :id;

-- name: not_seen!
update subscriptions set last_error = :reason where id = :id;

-- name: summary^
select s.id, s.plan_key, s.status, s.amount_cents, s.started_on, s.trial_ends_on, s.paid_until, s.paused_until,
       s.grace_until, s.cancelled_at, s.suspended_at, s.next_plan_key, s.next_amount_cents, s.next_from,
       s.payfast_status, s.payfast_run_date, s.payfast_fetched_at, s.last_error,
       (s.payfast_token_sealed is not null) as has_token
from subscriptions s where s.id = :id;

-- name: recent_events
-- The newest last.
select * from (
    select id, event_key, kind, status, plan_key, amount_cents, actor, details, at
    from subscription_events where subscription_id = :subscription_id order by id desc limit :row_limit
) newest order by id;

-- name: events_since
select event_key, kind, details, at from subscription_events
where subscription_id = :subscription_id and at >= :since and kind = any(:kinds) order by id;

-- name: events_to_copy
select e.id, e.subscription_id, e.event_key, e.status, e.plan_key, e.amount_cents, e.at
from subscription_events e where e.subscription_id = :subscription_id and e.copied_at is null order by e.id;

-- name: events_copied!
update subscription_events set copied_at = :now where id = any(:ids) and copied_at is null;

-- name: limits_of_plan
select distinct on (metric) metric, limit_value from plan_limits
where plan_key = :plan_key and effective_from <= :day order by metric, effective_from desc;

-- name: price_of_plan$
select amount_cents from plan_prices
where plan_key = :plan_key and effective_from <= :day order by effective_from desc limit 1;

-- name: plan_offered$
select is_offered from plans where key = :plan_key;

-- name: copy_history!
-- In the client's own database.
insert into subscription_history (subscription_id, plan, status, amount_cents, event_key, created_at)
values (:subscription_id, :plan_key, :status, :amount_cents, :event_key, :at)
on conflict (event_key) do nothing;

-- name: put_plan!
-- In the client's own database.
update organizations set subscription_tier = :plan_key, limits = :limits
where subscription_tier is distinct from :plan_key or limits is distinct from :limits;

-- name: owner_of^
select owner_name, owner_email from provisionings where organization_id = :organization_id;

-- name: has_open_change$
-- Whether a change of plan is under way: until it is settled, PayFast's amount is its business.
select exists (
    select from subscription_orders
    where subscription_id = :subscription_id and verb = 'change_plan' and state in ('waiting', 'calling', 'unknown')
);

-- name: charges_under_way
-- What changes of plan that are not settled have told PayFast, or were about to.
select arguments -> 'charges' as charges from subscription_orders
where subscription_id = :subscription_id and verb = 'change_plan' and state in ('calling', 'unknown');
