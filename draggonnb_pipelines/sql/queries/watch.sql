-- What `draggonnb watch` asks a client's database.

-- name: owners
-- Whom an outage concerns.
select email from users where role = 'owner' and is_active order by email;
