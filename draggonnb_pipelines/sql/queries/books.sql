-- The books: PayFast's history beside our payments and invoices.

-- name: lock_books!
-- Readings and comparisons take turns: each sees all that the one before has stored.
select pg_advisory_xact_lock(hashtextextended('books', 22));

-- name: our_payment_ids
-- Which of these ids of ours exist: of checkouts, subscriptions, charges.
select m_payment_id from checkouts where m_payment_id = any(:m_payment_ids)
union select m_payment_id from subscriptions where m_payment_id = any(:m_payment_ids)
union select m_payment_id from subscription_orders where m_payment_id = any(:m_payment_ids);

-- name: known_payments
-- Payments of which we heard already; what was refused does not keep PayFast's own word out.
select pf_payment_id from payments
where pf_payment_id = any(:pf_payment_ids) and payment_status = 'COMPLETE' and state <> 'rejected'
union
select pf_payment_id from payments where pf_payment_id = any(:pf_payment_ids) and found_in_history;

-- name: unread_notices
-- Notices that nobody has looked at yet.
select raw_sealed from payments where state = 'received' and pf_payment_id is null;

-- name: put_transactions!
-- PayFast's history as read now; of one payment, kind and day the newest reading counts.
insert into payfast_transactions (pf_payment_id, kind, m_payment_id, day, gross_cents, fee_cents, net_cents)
select * from unnest(cast(:pf_payment_ids as text[]), cast(:kinds as text[]), cast(:m_payment_ids as text[]),
                     cast(:days as date[]), cast(:gross as bigint[]), cast(:fees as bigint[]), cast(:nets as bigint[]))
on conflict (pf_payment_id, kind, day) do update
set m_payment_id = excluded.m_payment_id, gross_cents = excluded.gross_cents, fee_cents = excluded.fee_cents,
    net_cents = excluded.net_cents;

-- name: put_days_read!
insert into payfast_history_days (day, read_at)
select generate_series(cast(:first as date), cast(:last as date), interval '1 day'), cast(:read_at as timestamptz)
on conflict (day) do update set read_at = greatest(payfast_history_days.read_at, excluded.read_at);

-- name: add_missed!
-- A payment of which no notice came. Two runs that find it store it once.
insert into payments (received_at, raw_sealed, raw_sha256, state, checks, pf_payment_id, m_payment_id, payment_status,
                      amount_gross_cents, amount_fee_cents, amount_net_cents, found_in_history)
values (:received_at, :raw_sealed, :raw_sha256, 'verified', '{"history": true}', :pf_payment_id, :m_payment_id,
        'COMPLETE', :gross_cents, :fee_cents, :net_cents, true)
on conflict do nothing;

-- name: days_read
select day, read_at from payfast_history_days where day = any(cast(:days as date[]));

-- name: entries
-- Each payment by PayFast's id: ours, theirs, the invoice. Of the organizations that are asked for; what belongs to
-- nobody yet is the agency's (:with_unowned).
with ours as (
    select distinct on (p.pf_payment_id) p.pf_payment_id, p.organization_id, p.received_at, p.amount_gross_cents,
           p.amount_fee_cents, p.state = 'applied' and p.kind in ('period', 'charge') as needs_invoice,
           i.amount_cents as invoice_cents
    from payments p left join invoices i on i.payment_id = p.id and i.status <> 'void'
    where (p.state = 'applied' or p.settled_as = 'applied-by-hand')
      and p.payment_status = 'COMPLETE' and p.pf_payment_id is not null
    order by p.pf_payment_id, (p.state <> 'applied'), p.received_at
), theirs as (
    select t.pf_payment_id, min(t.m_payment_id) as m_payment_id, min(t.day) as day,
           sum(t.gross_cents) filter (where t.kind = :received) as gross_cents,
           sum(t.fee_cents) filter (where t.kind = :received) as fee_cents,
           coalesce(sum(t.gross_cents) filter (where t.kind <> :received and t.gross_cents < 0), 0) as back_cents
    from payfast_transactions t where t.pf_payment_id > ''
    group by t.pf_payment_id
), whose as (
    select m.m_payment_id, s.organization_id
    from (
        select m_payment_id, subscription_id from checkouts
        union all select m_payment_id, id from subscriptions
        union all select m_payment_id, subscription_id from subscription_orders where m_payment_id is not null
    ) m left join subscriptions s on s.id = m.subscription_id
), owners as (
    select m_payment_id, (array_agg(organization_id) filter (where organization_id is not null))[1] as organization_id
    from whose group by m_payment_id
), entries as (
    select coalesce(o.pf_payment_id, t.pf_payment_id) as pf_payment_id,
           coalesce(o.organization_id, w.organization_id) as organization_id,
           coalesce(t.day, cast(o.received_at at time zone :zone as date)) as day, o.received_at,
           o.amount_gross_cents as notice_cents, o.amount_fee_cents as notice_fee_cents,
           coalesce(o.needs_invoice, false) as needs_invoice, o.invoice_cents,
           cast(t.gross_cents as bigint) as history_cents, cast(t.fee_cents as bigint) as history_fee_cents,
           cast(coalesce(t.back_cents, 0) as bigint) as paid_back_cents
    from ours o
    full join theirs t on t.pf_payment_id = o.pf_payment_id
    left join owners w on w.m_payment_id = t.m_payment_id
    where o.pf_payment_id is not null or w.m_payment_id is not null or starts_with(t.m_payment_id, :prefix)
)
select e.pf_payment_id, e.organization_id, e.day, e.notice_cents, e.notice_fee_cents, e.needs_invoice, e.invoice_cents,
       e.history_cents, e.history_fee_cents, e.paid_back_cents,
       coalesce(d.read_at > e.received_at + make_interval(secs => :settle_seconds), false) as was_read
from entries e left join payfast_history_days d on d.day = e.day
where e.organization_id = any(:organization_ids) or (:with_unowned and e.organization_id is null)
order by e.day, e.pf_payment_id;

-- name: numbers_given^
-- How the series stands, and every number in it.
select s.last_number, coalesce(array_agg(i.number order by i.number) filter (where i.number is not null), '{}') as numbers
from invoice_series s left join invoices i on i.series = s.series
where s.series = :series group by s.last_number;

-- name: put_findings!
-- What was settled and is wrong again is open again.
insert into book_findings (key, organization_id, kind, day, difference_cents, what, found_at)
select f.*, :now from unnest(cast(:keys as text[]), cast(:organization_ids as uuid[]), cast(:kinds as text[]),
                             cast(:days as date[]), cast(:differences as bigint[]), cast(:whats as text[])) f
on conflict (key) do update
set organization_id = excluded.organization_id, day = excluded.day, difference_cents = excluded.difference_cents,
    what = excluded.what, settled_at = null,
    found_at = case when book_findings.settled_at is null then book_findings.found_at else excluded.found_at end;

-- name: settle_findings!
-- Those of these organizations that are not among what was found now.
update book_findings set settled_at = :now
where settled_at is null and key <> all(:keys)
  and (organization_id = any(:organization_ids) or (:with_unowned and organization_id is null));
