-- On which server each client's database is, and its moves. All in the master but the one question marked so.

-- name: servers
-- Every server, the master's first, with how many clients have their database on it.
select s.id, s.name, s.dsn_sealed, s.note, s.is_open, s.created_at,
       (select count(*) from organizations o where o.server = s.name and o.database_name is not null) as clients
from database_servers s order by s.name <> 'master', s.name;

-- name: server_of_name^
select id, name, dsn_sealed, system_id, note, is_open, created_at from database_servers where name = :name;

-- name: emptiest_server^
-- Where the next client is placed: the open server with the fewest.
select s.id, s.name, s.dsn_sealed
from database_servers s left join organizations o on o.server = s.name and o.database_name is not null
where s.is_open
group by s.id
order by count(o.id), s.name
limit 1;

-- name: server_of_system^
select name from database_servers where system_id = :system_id and name <> :name;

-- name: put_server$
-- A new server, or another way to one that is known already; nothing where it is another cluster than was known.
insert into database_servers (id, name, dsn_sealed, system_id, note, is_open)
values (:id, :name, :dsn_sealed, :system_id, :note, :is_open)
on conflict (name) do update
set dsn_sealed = excluded.dsn_sealed, note = coalesce(nullif(excluded.note, ''), database_servers.note)
where database_servers.name <> 'master' and database_servers.id = excluded.id
  and database_servers.system_id is not distinct from excluded.system_id
returning name;

-- name: clients_on
-- Who is reached by the server's DSN, each with a copy of it that is sealed for it alone.
select id, slug from organizations where server = :name and database_name is not null order by id for update;

-- name: reseal_client!
update organizations set dsn_sealed = :dsn_sealed where id = :id;

-- name: set_open$
update database_servers set is_open = :is_open where name = :name and is_open <> :is_open returning name;

-- name: clients_shown
select slug, status, database_name, held_since from organizations
where server = :name and database_name is not null order by slug limit :row_limit;

-- name: open_move^
select id, from_server, to_server, database_name, tokens from tenant_moves
where organization_id = :organization_id and state = 'copying';

-- name: begin_move^
-- A move, or the one that was cut off, which whoever says so now takes up.
insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)
select id, server, :to_server, database_name, array[cast(:token as text)], :requested_by from organizations where id = :organization_id
on conflict (organization_id) where state = 'copying' do update
set tokens = tenant_moves.tokens || excluded.tokens
where tenant_moves.to_server = excluded.to_server
returning id, database_name, tokens;

-- name: take_move_up$
-- For the way back: from here on no earlier attempt can end it.
update tenant_moves set tokens = tokens || cast(:token as text)
where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :last_token
returning tokens;

-- name: hold!
update organizations set held_since = coalesce(held_since, now()) where id = :id;

-- name: in_hand$
-- What runs have of this client right now.
select count(*) from inbox
where organization_id = :organization_id and state = 'claimed' and run_id is not null and lease_until > now();

-- name: in_hand_inside$
-- In the client's own database: posts and messages about which somebody outside is being told.
select (select count(*) from content_queue where status in ('claimed', 'calling') and lease_until > now())
     + (select count(*) from notification_deliveries where status = 'sending' and lease_until > now());

-- name: switch$
-- From here on the new server's database is the client's. Only by the last attempt, and only where it still was.
with moved as (
    update tenant_moves
    set state = 'moved', ended_at = now(), row_count = :row_count, kept_name = :kept_name, last_error = null
    where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :token
    returning organization_id, from_server, to_server
)
update organizations o
set server = m.to_server, database_name = :database_name, dsn_sealed = cast(:dsn_sealed as bytea), held_since = null
from moved m
where o.id = m.organization_id and o.server = m.from_server
returning o.server;

-- name: abandon$
with ended as (
    update tenant_moves set state = 'abandoned', ended_at = now(), last_error = :error
    where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :token
    returning organization_id
)
update organizations o set held_since = null from ended e where o.id = e.organization_id returning o.slug;

-- name: left_behind
-- Databases that moves have left on other servers and that nobody has dropped.
select id, from_server, kept_name from tenant_moves
where organization_id = :organization_id and state = 'moved' and old_dropped_at is null order by ended_at;

-- name: old_dropped!
update tenant_moves set old_dropped_at = now() where id = :id and old_dropped_at is null;

-- name: moves_of
select from_server, to_server, state, kept_name, row_count, last_error, created_at, ended_at, old_dropped_at
from tenant_moves where organization_id = :organization_id order by created_at desc limit 10;
