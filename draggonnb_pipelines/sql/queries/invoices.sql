-- Invoices: one for each payment that brought money, numbered without gaps.

-- name: with_work
-- Those of the organizations that have something to be issued, made, told or copied.
select o.id from organizations o
where o.id = any(:organization_ids) and (
    exists (
        select from payments p
        where p.organization_id = o.id and p.state = 'applied' and p.payment_status = 'COMPLETE'
          and p.kind in ('period', 'charge') and p.amount_gross_cents > 0
          and not exists (select from invoices i where i.payment_id = p.id)
    ) or exists (
        select from invoices i where i.organization_id = o.id and (i.mailed_at is null or i.copied_at is null)
    )
);

-- name: to_invoice
-- Payments without an invoice, in the order of what they paid for.
select p.id, p.organization_id
from payments p
where p.organization_id = any(:organization_ids) and p.state = 'applied' and p.payment_status = 'COMPLETE'
  and p.kind in ('period', 'charge') and p.amount_gross_cents > 0 and p.subscription_id is not null
  and not exists (select from invoices i where i.payment_id = p.id)
order by p.organization_id, p.billing_date nulls last, p.received_at, p.id;

-- name: lock_series$
-- The last number. Whoever issues waits here for the one before, and holds the row until its own commit.
select last_number from invoice_series where series = :series for update;

-- name: payment_to_invoice^
-- Under lock_series: nothing where another run invoiced it meanwhile.
select p.id, p.organization_id, p.subscription_id, p.kind, p.received_at, p.billing_date, p.pf_payment_id,
       p.amount_gross_cents as amount_cents, o.name as organization_name, plans.name as plan_name,
       coalesce(c.contact_name, v.owner_name, '') as contact_name,
       coalesce(c.contact_email, v.owner_email, '') as contact_email,
       r.id as order_id, r.arguments ->> 'item' as item_name
from payments p
join organizations o on o.id = p.organization_id
join subscriptions s on s.id = p.subscription_id
join plans on plans.key = s.plan_key
left join checkouts c on c.id = s.checkout_id
left join provisionings v on v.organization_id = o.id
left join subscription_orders r on r.m_payment_id = p.m_payment_id and p.kind = 'charge'
where p.id = :payment_id and p.state = 'applied' and not exists (select from invoices i where i.payment_id = p.id);

-- name: invoiced_periods
select period_start, period_end from invoices where subscription_id = :subscription_id and kind = 'period';

-- name: add_invoice!
insert into invoices (id, organization_id, subscription_id, payment_id, order_id, series, number, kind, period_start,
                      period_end, net_cents, vat_cents, amount_cents, vat_basis_points, status, issued_at, paid_at,
                      seller, buyer, lines, token_sha256)
values (:id, :organization_id, :subscription_id, :payment_id, :order_id, :series, :number, :kind, :period_start,
        :period_end, :net_cents, :vat_cents, :amount_cents, :vat_basis_points, 'paid', :issued_at, :paid_at,
        :seller, :buyer, :lines, :token_sha256);

-- name: number_given!
update invoice_series set last_number = :number where series = :series;

-- name: to_document
-- Invoices whose page was not made yet.
select i.*, p.pf_payment_id
from invoices i left join payments p on p.id = i.payment_id
where i.organization_id = any(:organization_ids)
  and not exists (select from invoice_documents d where d.invoice_id = i.id)
order by i.number;

-- name: store_document!
-- The first one stays: what is issued never looks different later.
insert into invoice_documents (invoice_id, pdf, pdf_sha256) values (:invoice_id, :pdf, :pdf_sha256)
on conflict (invoice_id) do nothing;

-- name: to_deliver
-- Invoices with a page that the client was not told of, or has no copy of.
select i.*, p.pf_payment_id
from invoices i join invoice_documents d on d.invoice_id = i.id left join payments p on p.id = i.payment_id
where i.organization_id = any(:organization_ids) and (i.mailed_at is null or i.copied_at is null)
order by i.number;

-- name: copy_invoice!
-- Of the tenant's database: the client's own copy.
insert into invoices (id, subscription_id, number, kind, period_start, period_end, net_cents, vat_cents, amount_cents,
                      currency, status, issued_at, paid_at, payfast_payment_id, url)
values (:id, :subscription_id, :number, :kind, :period_start, :period_end, :net_cents, :vat_cents, :amount_cents,
        :currency, :status, :issued_at, :paid_at, :payfast_payment_id, :url)
on conflict (id) do update set status = excluded.status, paid_at = excluded.paid_at, url = excluded.url;

-- name: copied!
update invoices set copied_at = coalesce(copied_at, :now) where id = :id;

-- name: mailed!
update invoices set mailed_at = coalesce(mailed_at, :now) where id = :id;

-- name: issued_on_days
-- For the report: days are UTC days, as those of partitions.
select o.slug, cast(i.issued_at at time zone 'UTC' as date) as day, i.series, i.number, i.period_start, i.period_end,
       i.net_cents, i.vat_cents, i.amount_cents, i.mailed_at, i.copied_at
from invoices i join organizations o on o.id = i.organization_id
where i.organization_id = any(:organization_ids)
  and cast(i.issued_at at time zone 'UTC' as date) = any(cast(:days as date[]))
order by i.number;

-- name: invoice_page^
select i.series, i.number, d.pdf
from invoices i join invoice_documents d on d.invoice_id = i.id where i.token_sha256 = :token_sha256;
