-- Organizations: the clients of the agency, and the agency itself.

-- name: webhook_organization^
-- All that the API needs to let a sender in.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped,
       webhook_token_sha256, webhook_secret_sealed
from organizations where slug = :slug;

-- name: organization_of_id^
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations where id = :id;

-- name: get_organization^
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations where slug = :slug;

-- name: place_of^
select server, database_name, held_since from organizations where id = :id;

-- name: organizations_by_id
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations where id = any(:ids) order by slug;

-- name: organizations_by_slug
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations where slug = any(:slugs) order by slug;

-- name: suspended_organizations
-- Whom we do no work for, but still owe what was told.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations where status = 'suspended' and held_since is null order by slug;

-- name: known_slugs
-- Every organization that ever could have had data or is being set up, in the order of their coming.
select slug from organizations o
where status <> 'provisioning' or exists (select from provisionings p where p.organization_id = o.id)
order by created_at, slug;

-- name: insert_organization!
insert into organizations (id, slug, name, timezone, locale, database_name, server, dsn_sealed)
values (:id, :slug, :name, :timezone, :locale, :database_name, :server, :dsn_sealed)
on conflict (slug) do nothing;

-- name: set_data_key!
-- Only once: a second caller keeps the first one's key.
update organizations set data_key_wrapped = :data_key_wrapped where id = :id and data_key_wrapped is null;

-- name: set_dsn!
-- Where a database of the organization's own is; one on our server has a name instead.
update organizations set dsn_sealed = :dsn_sealed where id = :id and database_name is null;

-- name: activate_organization!
update organizations
set status = case when status = 'provisioning' then 'active' else status end,
    webhook_token_sha256 = :webhook_token_sha256, webhook_secret_sealed = :webhook_secret_sealed
where id = :id;

-- name: audit!
select append_audit(:actor, :action, :resource, cast(:metadata as jsonb));
