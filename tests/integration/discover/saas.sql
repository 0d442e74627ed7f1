-- Software as a service: tenants, names in camel case, partitions, polymorphic references, soft deletes.
CREATE TABLE workspaces (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, slug text NOT NULL);
INSERT INTO workspaces (name, slug) SELECT 'Workspace ' || n % 70, 'w-' || n FROM generate_series(1, 150) n;

-- One address may be in several workspaces, but once in each: 5 are twice
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace_id bigint NOT NULL REFERENCES workspaces, email text NOT NULL,
    avatar_url text, "lastSeenAt" timestamptz, stripe_customer_id text, external_id text, deleted_at timestamptz)
    WITH (autovacuum_enabled = off);
CREATE INDEX users_workspace ON users (workspace_id);
INSERT INTO users (workspace_id, email, avatar_url, "lastSeenAt", stripe_customer_id)
SELECT 1 + n % 150, 'user' || n % 2900 || '@corp.example', 'https://cdn.example/' || n || '.png', now(), 'cus_' || n
FROM generate_series(1, 3000) n;
INSERT INTO users (workspace_id, email) SELECT workspace_id, email FROM users WHERE id BETWEEN 500 AND 504;

CREATE TABLE teams (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, workspace_id bigint NOT NULL REFERENCES workspaces,
                    name text NOT NULL, deleted_at timestamptz);
CREATE UNIQUE INDEX teams_name ON teams (workspace_id, lower(name)) WHERE deleted_at IS NULL;
INSERT INTO teams (workspace_id, name) SELECT 1 + n % 150, 'Team ' || n / 150 FROM generate_series(0, 599) n;
INSERT INTO teams (workspace_id, name, deleted_at) SELECT workspace_id, name, now() FROM teams WHERE id < 10;

-- Who is in which team: 3 are twice
CREATE TABLE team_members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, team_id bigint NOT NULL REFERENCES teams,
                           user_id bigint NOT NULL REFERENCES users, role text NOT NULL);
CREATE INDEX team_members_user ON team_members (user_id);
CREATE INDEX team_members_team ON team_members (team_id);
INSERT INTO team_members (team_id, user_id, role)
SELECT 1 + n % 600, 1 + n, 'member' FROM generate_series(0, 2999) n;
INSERT INTO team_members (team_id, user_id, role) SELECT team_id, user_id, 'admin' FROM team_members WHERE id IN (7, 8, 9);

-- Of a team or of a user, as another column says
CREATE TABLE attachments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, user_type text NOT NULL, user_id bigint NOT NULL);
INSERT INTO attachments (user_type, user_id) SELECT (ARRAY['member', 'guest'])[1 + n % 2], n FROM generate_series(1, 90) n;

CREATE TABLE comments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, commentable_type text NOT NULL,
                       commentable_id bigint NOT NULL, author_id bigint NOT NULL REFERENCES users, body text NOT NULL,
                       created_at timestamptz NOT NULL DEFAULT now());
INSERT INTO comments (commentable_type, commentable_id, author_id, body)
SELECT (ARRAY['team', 'user'])[1 + n % 2], 1 + n % 140, 1 + (n * 13) % 3000, (ARRAY['ok', 'thanks', 'see above'])[1 + n % 3]
FROM generate_series(1, 2500) n;

-- One row a user, and no foreign key
CREATE TABLE user_profiles (user_id bigint PRIMARY KEY, bio text);
INSERT INTO user_profiles SELECT n, 'I' FROM generate_series(1, 800) n;

CREATE TABLE "userSettings" (id bigint PRIMARY KEY, "userId" bigint NOT NULL, theme text, payload jsonb);
INSERT INTO "userSettings" SELECT n, n, 'dark', '{}' FROM generate_series(1, 1200) n;

CREATE TABLE events (id bigint NOT NULL, user_id bigint, name text, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO events SELECT n, 1 + n % 99, 'open', '2024-06-01'::date + n % 400 FROM generate_series(1, 4000) n;

CREATE TABLE invoices (id integer PRIMARY KEY, workspace_id bigint NOT NULL REFERENCES workspaces,
                       invoice_number text NOT NULL, currency text NOT NULL, ip_address text, request_id text);
CREATE INDEX invoices_workspace ON invoices (workspace_id);
INSERT INTO invoices
SELECT 2000000000 + n, 1 + n % 150, 'INV-' || n, CASE WHEN n % 250 = 0 THEN 'usd' ELSE 'USD' END, '10.0.' || n % 200 || '.7',
       gen_random_uuid()::text
FROM generate_series(1, 1000) n;

CREATE TABLE plans (id int PRIMARY KEY, name text);
INSERT INTO plans SELECT n, 'p' || n FROM generate_series(1, 3) n;
ALTER TABLE workspaces ADD plan_id bigint REFERENCES plans;
UPDATE workspaces SET plan_id = 1 + id % 3;
-- after ANALYZE
CREATE TABLE imports_of_today (id int PRIMARY KEY, line text);
INSERT INTO users (workspace_id, email, avatar_url)
SELECT 1 + n % 150, 'later' || n || '@corp.example', NULL FROM generate_series(1, 3000) n;
