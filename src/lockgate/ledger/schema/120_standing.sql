-- Standing checks: what was found each time, for as long as the plan keeps it, and which alerts stand.
-- Not in the chain, which can never be shortened; that an alert was raised, or is over, is an event there.

CREATE TABLE lockgate.standing_runs (
    plan        text PRIMARY KEY,
    epoch       bigint NOT NULL,
    holder      text,
    expires_at  timestamptz NOT NULL
);
COMMENT ON TABLE lockgate.standing_runs IS 'Who makes a plan''s standing checks now: one run at a time. Each check has its time, so no heartbeat is needed.';

CREATE TABLE lockgate.standing_checks (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    plan           text NOT NULL,
    name           text NOT NULL,
    digest         text NOT NULL,
    asks           text NOT NULL,
    query          text NOT NULL DEFAULT '',
    applies        boolean NOT NULL DEFAULT false,
    failing_since  timestamptz,
    alert_since    timestamptz,
    told           boolean NOT NULL DEFAULT false,
    retired_at     timestamptz
);
COMMENT ON TABLE lockgate.standing_checks IS 'A standing check in one wording; when the plan words it anew, there is another one.';
COMMENT ON COLUMN lockgate.standing_checks.applies IS 'Whether it is to hold now: not before its phase is done, nor after its last one has begun.';
COMMENT ON COLUMN lockgate.standing_checks.told IS 'Whether the last that the webhook took was that the alert stands.';
CREATE UNIQUE INDEX standing_checks_by_name ON lockgate.standing_checks (plan, name) WHERE retired_at IS NULL;

CREATE TABLE lockgate.standing_results (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    check_id    bigint NOT NULL REFERENCES lockgate.standing_checks (id) ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('holds', 'fails', 'unknown')),
    value       double precision,
    seconds     double precision NOT NULL,
    found       text NOT NULL
);
COMMENT ON COLUMN lockgate.standing_results.value IS 'What was measured, if it is a number.';
COMMENT ON COLUMN lockgate.standing_results.found IS 'In words, without any value of a row; of an unknown one, why it could not be made.';
CREATE INDEX standing_results_by_check ON lockgate.standing_results (check_id, id);
